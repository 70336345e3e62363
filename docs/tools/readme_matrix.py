"""Write the support matrix into the README: `python docs/tools/readme_matrix.py`; a test holds it to the code."""

from pathlib import Path

from ftbench import Plugins
from ftbench.suite.support_matrix import as_markdown, support_matrix

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- support matrix: made by `make docs` -->\n", "<!-- end of support matrix -->"


def matrix() -> str:
    """Give the matrix of the installed plugins."""
    return as_markdown(support_matrix(Plugins.discover().catalog()))


def shown(text: str) -> str:
    """Give what a README holds between the markers."""
    return text.partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(text.replace(BEGIN + shown(text) + END, BEGIN + matrix() + END), encoding="utf-8")
