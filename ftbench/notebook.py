"""For notebooks: run a suite and read records as a data frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from .analysis.summary import Summary
    from .api.catalog import Catalog
    from .records.record import Record


def run(
    suite: str | Path | Mapping[str, Any], *, runs: str | Path = "runs", plugins: Sequence[str | Path] = ()
) -> Path:
    """Run a suite and give its run directory; what is done already is not done again.

    Args:
        suite: path of a TOML file, or the parsed table.
        runs: the folder of run directories.
        plugins: plugins of one file, as `-p` takes them.

    Raises:
        UserError: the suite, a plugin or the run directory cannot be used.
    """
    from .plugins import Plugins, Selection
    from .runner.runner import run_suite
    from .suite.parser import parse_suite, read_suite

    selection = Selection(tuple(str(Path(file).resolve()) for file in plugins))
    found = Plugins.discover(selection)
    catalog = found.catalog()
    parsed = read_suite(Path(suite), catalog) if isinstance(suite, str | Path) else parse_suite(suite, catalog)
    return run_suite(parsed, found, selection, Path(runs)).folder


def read_run(folder: str | Path) -> list[Record]:
    """Read every record of a run directory.

    Raises:
        RunError: it is no run directory, or holds a file that is no record.
    """
    from .records.store import read_records, record_files

    return read_records(record_files(Path(folder)))


def read_summary(folder: str | Path, baseline: str | None = None, catalog: Catalog | None = None) -> Summary:
    """Sum a run directory or a bundle up, in the order of its suite; see `ftbench.analysis.run_summary.summarise_runs`."""
    from .analysis.run_summary import summarise_runs

    return summarise_runs([Path(folder)], baseline, catalog)


def load_records(folder: str | Path) -> pd.DataFrame:
    """Read a run directory as a data frame: a row a trial, a column a measurement.

    Columns: `target backbone strategy seed status`, then every measurement by name (those of one task of a sequence as
    `task/name`); missing readings are NaN.

    Raises:
        RunError: it is no run directory, or holds a file that is no record.
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
