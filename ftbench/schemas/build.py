"""Build the published JSON Schemas of records, leaderboards and suites from their Python types."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import TypeAdapter

    from ..api.catalog import Catalog


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LABEL = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}


def schema(name: Literal["record", "leaderboard"]) -> dict[str, Any]:
    """Return the schema of a record or a leaderboard."""
    from ..leaderboard.json_format import published_adapter
    from ..records.record import record_adapter

    adapter: TypeAdapter[Any] = record_adapter() if name == "record" else published_adapter()
    return {"$schema": _DIALECT, "title": f"ftbench {name}", **adapter.json_schema()}


def suite_schema(catalog: Catalog) -> dict[str, Any]:
    """Return the schema of suite files for the plugins in `catalog`, for editor completion."""
    from pydantic import TypeAdapter

    from ..api.protocol import Training
    from ..suite.suite import Cost, Gate, Limits, Machine, Measure, Report, Statistics, Tuning
    from ..suite.toml_file import SCHEMA

    parts = (Training, Tuning, Machine, Limits, Measure, Cost, Statistics, Report, Gate)
    tables = {part.__name__.lower(): part for part in parts}
    labels = {"anyOf": [_LABEL, {"type": "array", "items": _LABEL, "minItems": 1}]}
    training = {**TypeAdapter(Training).json_schema(), "additionalProperties": False}

    return {
        "$schema": _DIALECT,
        "title": "ftbench suite",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "backbone", "task", "strategy"],
        "properties": {
            "schema": {"const": SCHEMA},
            "name": _LABEL,
            "seeds": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
            "split_seed": {"type": "integer", "minimum": 0},
            "online": {"type": "boolean"},
            "profile": {"enum": ["smoke", "normal", "publish"]},
            **{key: {**TypeAdapter(cls).json_schema(), "additionalProperties": False} for key, cls in tables.items()},
            "backbone": _entries(catalog, "backbones", {"strategies": labels}),
            "task": _entries(
                catalog,
                "tasks",
                {
                    "backbone": labels,
                    "strategies": labels,
                    "training": training,
                    "alone": {"type": "boolean"},
                    "metric": {"type": "string", "minLength": 1},
                },
            ),
            "strategy": _entries(catalog, "strategies", _strategy_keys()),
            "sequence": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["label", "tasks"],
                    "additionalProperties": False,
                    "properties": {
                        "label": _LABEL,
                        "tasks": {"type": "array", "items": _LABEL, "minItems": 2},
                        "backbone": labels,
                        "strategies": labels,
                    },
                },
            },
        },
    }


def _entries(catalog: Catalog, kind: str, keys: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list of entries of one kind, each with its options and the given further keys."""
    from ..api.catalog import options_model

    cases = []
    for name, cls in sorted(catalog.offers.get(kind, {}).items()):
        options = options_model(cls).model_json_schema()
        for option, description in option_descriptions(cls).items():
            if option in options.get("properties", {}):
                options["properties"][option]["description"] = description
        inline = {
            **options.get("properties", {}),
            "use": {"const": name},
            "label": _LABEL,
            "options": options,
            **keys,
        }
        cases.append({"properties": inline, "required": ["use"], "additionalProperties": False})
    return {"type": "array", "minItems": 1, "items": {"anyOf": cases}}


def _strategy_keys() -> dict[str, Any]:
    """Return the schemas of the keys of a `[[strategy]]` other than its options."""
    number = {"type": "number"}
    ends = {"low": number, "high": number, "log": {"type": "boolean"}}
    span = {"type": "object", "properties": ends, "required": ["low", "high"], "additionalProperties": False}
    domain = {"anyOf": [{"type": "array", "minItems": 1}, span]}
    return {
        "lr": {"type": "number", "exclusiveMinimum": 0},
        "sweep": {"type": "object"},
        "space": {"type": "object", "additionalProperties": domain},
        "tries": {"type": "integer", "minimum": 1},
        "seconds": {"type": "number", "exclusiveMinimum": 0},
    }


def write(folder: Path) -> None:
    """Write `record.json`, `leaderboard.json` and `suite.json` into a folder."""
    from ..plugins import Plugins

    schemas = {
        "record": schema("record"),
        "leaderboard": schema("leaderboard"),
        "suite": suite_schema(Plugins.discover().catalog()),
    }
    for name, table in schemas.items():
        (folder / f"{name}.json").write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@cache
def option_descriptions(cls: type) -> Mapping[str, str]:
    """Return option → description for own and inherited options, one line each.

    The description is the string under the field. The result is empty if the source is not available.
    """
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, following in pairwise(body):
            text = _string(following)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and text is not None:
                found[field.target.id] = " ".join(text.split())
    return found


def _string(node: ast.stmt) -> str | None:
    """Return the text of a statement that is a string literal only, otherwise None."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None


if __name__ == "__main__":
    write(Path(sys.argv[1]))
