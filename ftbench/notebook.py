"""Run suites and read records, summaries and data frames from notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from .analysis.summary import Summary
    from .api.catalog import Catalog
    from .records.data_check import Severity
    from .records.record import Record


def run(
    suite: str | Path | Mapping[str, Any],
    *,
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
    allow_data_errors: bool = False,
) -> Path:
    """Run the unfinished trials of a suite and return its run directory.

    Args:
        suite: path of a TOML file, or the parsed table.
        runs: folder that contains the run directories.
        plugins: plugin files or folders, as for `-p`.
        allow_data_errors: whether to run even if the data check finds an error.

    Raises:
        UserError: the suite, a plugin or the run directory cannot be used, or the data have an error.
    """
    from .plugins import Plugins, Selection
    from .runner.runner import run_suite
    from .suite.parser import parse_suite, read_suite

    selection = Selection(tuple(str(Path(file).resolve()) for file in plugins))
    found = Plugins.discover(selection)
    catalog = found.catalog()
    parsed = read_suite(Path(suite), catalog) if isinstance(suite, str | Path) else parse_suite(suite, catalog)
    tolerated: Severity = "error" if allow_data_errors else "warning"
    return run_suite(parsed, found, selection, Path(runs), tolerated=tolerated).folder


def read_run(folder: str | Path) -> list[Record]:
    """Read every record of a run directory.

    Raises:
        RunError: `folder` is not a run directory, or contains an invalid record.
    """
    from .records.store import read_records, record_files

    return read_records(record_files(Path(folder)))


def read_summary(folder: str | Path, baseline: str | None = None, catalog: Catalog | None = None) -> Summary:
    """Summarise a run directory or a bundle, in the order of its suite.

    See `ftbench.analysis.run_summary.summarise_runs`.
    """
    from .analysis.run_summary import summarise_runs

    return summarise_runs([Path(folder)], baseline, catalog)


def load_records(folder: str | Path) -> pd.DataFrame:
    """Read a run directory as a data frame: one row per trial, one column per measurement.

    Columns: `target backbone strategy seed status`, then every measurement by name (`task/name` for one task of a
    sequence). Missing values are NaN.

    Raises:
        RunError: `folder` is not a run directory, or contains an invalid record.
    """
    import pandas as pd

    table = []
    for record in read_run(folder):
        row: dict[str, Any] = {
            "target": record.trial["target"],
            "backbone": record.trial["backbone"]["label"],
            "strategy": record.trial["strategy"]["label"],
            "seed": record.trial["seed"],
            "status": record.status,
        }
        for measurement in record.measurements:
            name = f"{measurement.task}/{measurement.name}" if measurement.task else measurement.name
            row[name] = measurement.value
        table.append(row)
    frame = pd.DataFrame(table)
    return frame.sort_values(["target", "backbone", "strategy", "seed"], ignore_index=True) if table else frame
