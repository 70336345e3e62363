"""What the plugins offer, by kind and name, and the one way to turn a name with options into an instance."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from .errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

KINDS = ("backbones", "tasks", "strategies", "meters", "reports")


@dataclass(frozen=True)
class Catalog:
    """All offers of all plugins."""

    offers: Mapping[str, Mapping[str, type]]
    """Kind → name → class."""
    origins: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(kind, name) → the plugin that offers it."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Plugins that failed to import → why."""

    def find(self, kind: str, name: str) -> type:
        """Give the class offered as `name`.

        Raises:
            PluginError: nothing is offered under that name.
        """
        offered = self.offers.get(kind, {})
        if name in offered:
            return offered[name]
        message = f"no {kind.removesuffix('s').replace('strategie', 'strategy')} is called {name!r}{suggestion(name, offered)}"
        if self.broken:
            message += "; plugins that could not be loaded: " + ", ".join(f"{n} ({why})" for n, why in self.broken.items())
        raise PluginError(message)

    def build(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Make an instance of what is offered as `name`.

        Raises:
            PluginError: the name is unknown, or options are unknown or of the wrong type; a line for each.
        """
        cls = self.find(kind, name)
        mistakes = option_mistakes(cls, options)
        if mistakes:
            raise PluginError(*(f"{place}: {mistake}" if place else mistake for place, mistake in mistakes))
        return cls(**_coerced(cls, options))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give `; did you mean …?` for the nearest known name, or the list of a few, or nothing."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def option_names(cls: type) -> tuple[str, ...]:
    """List the options of a plugin class."""
    return tuple(f.name for f in dataclasses.fields(cls) if f.init) if dataclasses.is_dataclass(cls) else ()


@cache
def options_model(cls: type) -> type[BaseModel]:
    """Describe the options of a plugin class to pydantic; its JSON Schema serves editors."""
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {}
    for option in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        if not option.init:
            continue
        if option.default_factory is not dataclasses.MISSING:
            default = Field(default_factory=option.default_factory)
        elif option.default is not dataclasses.MISSING:
            default = Field(default=option.default)
        else:
            default = Field()
        fields[option.name] = (_type_of(cls, option.name), default)
    return create_model(f"{cls.__name__}Options", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def _type_of(cls: type, name: str) -> Any:
    """Resolve one annotation where it was written: other annotations of the class may need torch."""
    for owner in cls.__mro__:
        annotations = vars(owner).get("__annotations__", {})
        if name in annotations:
            alone = type("Alone", (), {"__annotations__": {name: annotations[name]}, "__module__": owner.__module__})
            return get_type_hints(alone, vars(sys.modules[owner.__module__]), include_extras=True)[name]
    return Any


def option_mistakes(cls: type, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List what is wrong with `options`, as (place, mistake) pairs."""
    from pydantic import ValidationError

    try:
        options_model(cls).model_validate_json(_as_json(options), strict=True)
    except ValidationError as error:
        return readable_mistakes(error, options, option_names(cls))
    return []


def _coerced(cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    model = options_model(cls).model_validate_json(_as_json(options), strict=True)
    return {name: getattr(model, name) for name in options}


def _as_json(table: Mapping[str, Any]) -> str:
    import json

    return json.dumps(table, default=str)


def readable_mistakes(error: Any, table: Mapping[str, Any], known: Iterable[str]) -> list[tuple[str, str]]:
    """Turn a pydantic error into (place, mistake) pairs, one a place."""
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        place, value = _place(detail["loc"], table)
        if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            siblings = known if len(detail["loc"]) == 1 else ()
            mistake = f"unknown key{suggestion(str(detail['loc'][-1]), siblings)}"
        elif detail["type"] in ("missing", "missing_argument"):
            mistake = "is missing"
        else:
            mistake = detail["msg"].replace("Input should be ", "must be ").replace(" instance", "")
            mistake += "" if isinstance(value, dict | list) else f", got {_shown(value)}"
        found.setdefault(place, []).append(mistake)
    return [(place, " or ".join(dict.fromkeys(mistakes))) for place, mistakes in found.items()]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _place(loc: tuple[str | int, ...], table: Any) -> tuple[str, Any]:
    """Follow an error's location through the table; pydantic's own words for the arms of a union end it."""
    place, value = "", table
    for step in loc:
        if isinstance(value, dict) and isinstance(step, str) and (step in value or not place or step == loc[-1]):
            if step not in value and place and not step.isidentifier():
                break
            place += f".{step}" if place else step
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            place += f"[{step + 1}]"
            value = value[step] if step < len(value) else None
        else:
            break
    return place, value
