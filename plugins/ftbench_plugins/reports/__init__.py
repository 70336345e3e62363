"""Write summaries as HTML, Markdown, CSV or LaTeX."""

from collections.abc import Mapping

from ftbench import Report, hookimpl

from .html import HtmlReport
from .latex import LatexReport
from .markdown import MarkdownReport
from .table import CsvReport


@hookimpl
def ftbench_reports() -> Mapping[str, type[Report]]:
    """Return the reports of this package by name."""
    return {"html": HtmlReport, "markdown": MarkdownReport, "csv": CsvReport, "latex": LatexReport}
