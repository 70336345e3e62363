"""Draw the rooms and their direction into CONTRIBUTING.md from the import contract: `python -m docs.tools.rooms`."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms: made by `make docs` -->\n", "<!-- end of rooms -->"
CONTRACT = "Rooms import downwards only"


def layers() -> list[list[str]]:
    """Return the layers of the contract, highest first, each with its modules and rooms."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [contract for contract in contracts if contract["name"] == CONTRACT]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def purpose(name: str) -> str:
    """Return the first sentence of a room's or module's docstring."""
    place = ROOT / "ftbench" / name
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def picture() -> str:
    """Return the picture: the layers, highest first, and their rooms; an import may only point downwards."""
    rule = "─" * 118
    lines = [rule]
    for layer in layers():
        for name in layer:
            room = f"{name}/" if (ROOT / "ftbench" / name).is_dir() else name
            lines.append(f"{room:<13}{purpose(name)}")
        lines.append(rule)
    return "\n".join(["```", *lines, "```\n"])


def shown(text: str) -> str:
    """Return the text between the markers."""
    return text.partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(BEGIN + shown(text) + END, BEGIN + picture() + END), encoding="utf-8")
