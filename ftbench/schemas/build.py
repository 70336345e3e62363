"""The published JSON Schemas of a record, a leaderboard and a suite, made from the types themselves."""

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


def schema(name: Literal["record", "leaderboard"]) -> dict[str, Any]:
    """Give the schema of a record, or of a leaderboard."""
    from ..leaderboard.json_format import published_adapter
    from ..records.record import record_adapter

    adapter: TypeAdapter[Any] = record_adapter() if name == "record" else published_adapter()
    return {"$schema": _DIALECT, "title": f"ftbench {name}", **adapter.json_schema()}


def suite_schema(catalog: Catalog) -> dict[str, Any]:
    """Give the schema of a suite file for the plugins at hand, for editor completion."""
    from pydantic import TypeAdapter

    from ..api.catalog import options_model
    from ..api.protocol import Training
    from ..suite.suite import Cost, Gate, Limits, Machine, Measure, Statistics, Tuning
    from ..suite.toml_file import SCHEMA

    parts = (Training, Tuning, Machine, Limits, Measure, Cost, Statistics, Gate)
    tables = {part.__name__.lower(): part for part in parts}
    label = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
    labels = {"anyOf": [label, {"type": "array", "items": label, "minItems": 1}]}
    training = {**TypeAdapter(Training).json_schema(), "additionalProperties": False}

    def entries(kind: str, own: dict[str, Any]) -> dict[str, Any]:
        known = catalog.offers.get(kind, {})
        cases = []
        for name, cls in sorted(known.items()):
            options = options_model(cls).model_json_schema()
            for option, description in option_descriptions(cls).items():
                if option in options.get("properties", {}):
                    options["properties"][option]["description"] = description
            inline = {
                **options.get("properties", {}),
                "use": {"const": name},
                "label": label,
                "options": options,
                **own,
            }
            cases.append({"properties": inline, "required": ["use"], "additionalProperties": False})
        return {"type": "array", "minItems": 1, "items": {"anyOf": cases}}

    return {
        "$schema": _DIALECT,
        "title": "ftbench suite",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "backbone", "task", "strategy"],
        "properties": {
            "schema": {"const": SCHEMA},
            "name": label,
            "seeds": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
            "split_seed": {"type": "integer", "minimum": 0},
            "online": {"type": "boolean"},
            "profile": {"enum": ["smoke", "normal", "publish"]},
            **{key: {**TypeAdapter(cls).json_schema(), "additionalProperties": False} for key, cls in tables.items()},
            "backbone": entries("backbones", {"strategies": labels}),
            "task": entries(
                "tasks", {"backbone": labels, "strategies": labels, "training": training, "alone": {"type": "boolean"}}
            ),
            "strategy": entries("strategies", _of_a_strategy()),
            "sequence": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["label", "tasks"],
                    "additionalProperties": False,
                    "properties": {
                        "label": label,
                        "tasks": {"type": "array", "items": label, "minItems": 2},
                        "backbone": labels,
                        "strategies": labels,
                    },
                },
            },
        },
    }


def _of_a_strategy() -> dict[str, Any]:
    """Describe the keys of a `[[strategy]]` beside its options."""
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
    """Write `record.json`, `leaderboard.json` and `suite.json`."""
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
    """Give option → description, one line each, inherited options included; empty where the source is not at hand."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(text):
                found[field.target.id] = " ".join(ast.literal_eval(text.value).split())  # type: ignore[attr-defined]  # it is text
    return found


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
