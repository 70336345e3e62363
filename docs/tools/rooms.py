"""Write the layer diagram of CONTRIBUTING.md from the import contract: `python -m docs.tools.rooms`."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms: made by `make docs` -->\n", "<!-- end of rooms -->"
CONTRACT = "Rooms import downwards only"


def layers() -> list[list[str]]:
    """Return the layers of the import contract, highest first, each as a list of modules and packages."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [contract for contract in contracts if contract["name"] == CONTRACT]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def purpose(name: str) -> str:
    """Return the first line of the docstring of a package or module."""
    source = ROOT / "ftbench" / name
    path = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def picture() -> str:
    """Return the diagram: the layers, highest first, and their packages; imports may only point downwards."""
    rule = "─" * 118
    lines = [rule]
    for layer in layers():
        for name in layer:
            room = f"{name}/" if (ROOT / "ftbench" / name).is_dir() else name
            lines.append(f"{room:<13}{purpose(name)}")
        lines.append(rule)
    return "\n".join(["```", *lines, "```\n"])


def shown(text: str) -> str:
    """Return the part of a page between the markers."""
    return text.partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(BEGIN + shown(text) + END, BEGIN + picture() + END), encoding="utf-8")
