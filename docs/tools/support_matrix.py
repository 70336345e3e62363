"""Write the support matrix into `docs/strategies.md`: `python -m docs.tools.support_matrix`."""

from pathlib import Path

from ftbench import Plugins
from ftbench.suite.support_matrix import as_markdown, support_matrix

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
BEGIN, END = "<!-- support matrix: made by `make docs` -->\n", "<!-- end of support matrix -->"


def matrix() -> str:
    """Return the support matrix of the installed plugins as Markdown."""
    return as_markdown(support_matrix(Plugins.discover().catalog()))


def shown(text: str) -> str:
    """Return the part of a page between the markers."""
    return text.partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(BEGIN + shown(text) + END, BEGIN + matrix() + END), encoding="utf-8")
