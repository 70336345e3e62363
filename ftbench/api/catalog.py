"""What the plugins offer, by kind and name, and the one way to turn a name with options into an instance."""

from __future__ import annotations

import dataclasses
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

from ..errors import PluginError, suggestion
from .augmentation import Augmentation
from .backbone import Backbone
from .hub import Remote
from .strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

NESTED: Mapping[type, str] = {Strategy: "strategies", Backbone: "backbones", Augmentation: "augmentations"}
"""Contracts an option may have as its type. Its value is a name, or a table with `use` and options; the plugin receives
an instance."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Pattern of names of plugins' offers, of suite entries and of suites: names are used in paths and on pages."""
NAMES = "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"

KINDS = ("backbones", "tasks", "augmentations", "strategies", "meters", "reports")


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
        """Return the class offered as `name`.

        Raises:
            PluginError: nothing is offered under this name.
        """
        offered = self.offers.get(kind, {})
        if name in offered:
            return offered[name]
        what = kind.removesuffix("s").replace("strategie", "strategy")
        message = f"no {what} is called {name!r}{suggestion(name, offered)}"
        if self.broken:
            message += "; plugins that could not be loaded: " + ", ".join(
                f"{n} ({why})" for n, why in self.broken.items()
            )
        raise PluginError(message)

    def build(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Make an instance of what is offered as `name`.

        Raises:
            PluginError: the name is unknown, or options are unknown or of the wrong type; a line for each.
        """
        cls = self.find(kind, name)
        mistakes = self.mistakes(cls, options)
        if mistakes:
            raise PluginError(*(f"{place}: {mistake}" if place else mistake for place, mistake in mistakes))
        built = _coerced(cls, options)
        for option, nested in nested_options(cls).items():
            if option in built:
                built[option] = self._nested(option, nested, built[option])
        return cls(**built)

    def mistakes(self, cls: type, options: Mapping[str, Any]) -> list[tuple[str, str]]:
        """List what is wrong with `options`, those of nested plugins included, as (place, mistake) pairs."""
        found = option_mistakes(cls, options)
        if found:
            return found
        for option, kind in nested_options(cls).items():
            for place, value in _places(option, options.get(option)):
                name, inner = named_table(value)
                try:
                    nested = self.find(kind, name)
                except PluginError as error:
                    found.append((place, str(error)))
                else:
                    found.extend(
                        (f"{place}.{where}" if where else place, mistake)
                        for where, mistake in self.mistakes(nested, inner)
                    )
        return found

    def _nested(self, place: str, kind: str, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, tuple | list):
            return tuple(self._nested(f"{place}[{number}]", kind, item) for number, item in enumerate(value, 1))
        name, options = named_table(value)
        try:
            return self.build(kind, name, options)
        except PluginError as error:
            raise PluginError(*(f"{place}.{mistake}" for mistake in error.mistakes)) from None

    def options(self, instance: Any) -> dict[str, Any]:
        """Return every option of an instance as JSON values, defaults included; `build` recreates it from them.

        Hub repositories are named by their commit, since a branch may move.
        """
        pinned = instance.pinned() if isinstance(instance, Remote) else {}
        return {name: self._plain(getattr(instance, name)) for name in option_names(type(instance))} | dict(pinned)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, tuple | list):
            return [self._plain(item) for item in value]
        for contract, kind in NESTED.items():
            if isinstance(value, contract):
                names = [name for name, cls in self.offers[kind].items() if cls is type(value)]
                if not names:
                    raise PluginError(f"{type(value).__name__} is offered by no plugin at hand")
                return {"use": names[0], **self.options(value)}
        return value


def named_table(value: Any) -> tuple[str, Mapping[str, Any]]:
    """Take the value of a nested option apart: the plugin's name and its options."""
    if isinstance(value, str):
        return value, {}
    return str(value["use"]), {name: option for name, option in value.items() if name != "use"}


def nested(instance: Any) -> Iterator[tuple[str, Any]]:
    """Yield every plugin nested in the options of `instance`, at any depth, as (place, instance) pairs."""
    cls: type = type(instance)
    for option in nested_options(cls):
        for place, value in _places(option, getattr(instance, option)):
            yield place, value
            yield from ((f"{place}.{inner}", found) for inner, found in nested(value))


def _places(option: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the plugins an option names, each with its place."""
    if isinstance(value, tuple | list):
        yield from ((f"{option}[{number}]", item) for number, item in enumerate(value, 1))
    elif value is not None:
        yield option, value


@cache
def nested_options(cls: type) -> Mapping[str, str]:
    """Return the options whose type is another plugin: option → its kind."""
    found = {}
    for option in option_names(cls):
        for part in _parts(option_type(cls, option)):
            if part in NESTED:
                found[option] = NESTED[part]
    return found


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield a type and the types it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _as_data(annotation: Any) -> Any:
    """Replace the contracts in a type by what a suite file may hold for them."""
    if annotation in NESTED:
        return _choice(NESTED[annotation])
    origin, parts = get_origin(annotation), tuple(_as_data(part) for part in get_args(annotation))
    if origin is Annotated:
        return Annotated[parts]
    if origin in (Union, UnionType):
        return Union[parts]  # noqa: UP007 - the members are known at run time only
    return origin[parts] if origin is tuple else annotation


@cache
def _choice(kind: str) -> Any:
    """Describe the value of a nested option to pydantic: a name, or a table with `use`."""
    from pydantic import AfterValidator, WithJsonSchema
    from pydantic_core import PydanticCustomError

    def named(value: Any) -> Any:
        if isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("use"), str)):
            return value
        raise PydanticCustomError(
            "nested", "must be the name of one of the {kind}, or a table with 'use' and options", {"kind": kind}
        )

    shape = {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "required": ["use"], "properties": {"use": {"type": "string"}}},
        ]
    }
    return Annotated[Any, AfterValidator(named), WithJsonSchema(shape)]


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
        annotation = option_type(cls, option.name)
        fields[option.name] = (_as_data(annotation) if option.name in nested_options(cls) else annotation, default)
    return create_model(f"{cls.__name__}Options", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def option_type(cls: type, name: str) -> Any:
    """Return the type of an option, resolved on its own: other annotations of the class may need torch."""
    for owner in cls.__mro__:
        annotations = vars(owner).get("__annotations__", {})
        if name in annotations:
            alone = type("Alone", (), {"__annotations__": {name: annotations[name]}, "__module__": owner.__module__})
            return get_type_hints(alone, vars(sys.modules[owner.__module__]), include_extras=True)[name]
    return Any


def option_mistakes(cls: type, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List what is wrong with `options`, as (place, mistake) pairs."""
    if not options:
        # Defaults are not validated, so the slow import of pydantic is not needed.
        return [(name, "is missing") for name in _without_default(cls)]
    from pydantic import ValidationError

    try:
        options_model(cls).model_validate_json(_as_json(options), strict=True)
    except ValidationError as error:
        return readable_mistakes(error, options, option_names(cls))
    return []


def _without_default(cls: type) -> Iterator[str]:
    """Yield the names of options without a default."""
    for option in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        if option.init and option.default is dataclasses.MISSING and option.default_factory is dataclasses.MISSING:
            yield option.name


def _coerced(cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    if not options:
        return {}
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
        elif detail["type"] == "too_short":
            if isinstance(value, list) and len(value) >= detail["ctx"]["min_length"]:
                continue  # an item is wrong, and has a line of its own
            mistake = f"needs at least {detail['ctx']['min_length']} items"
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
