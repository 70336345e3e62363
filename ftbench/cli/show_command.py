"""The `ftbench show` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..files import read_text
from ..formatting import quantity, visible, visible_json
from ..records.predictions import FOLDERS
from ..records.store import find_records, read_record
from ..suite.trial import valued

if TYPE_CHECKING:
    from ..records.record import Record


@click.command(name="show")
@click.argument("run", type=click.Path(file_okay=False))
@click.argument("trial")
@click.option("--json", "as_json", is_flag=True, help="Print the record file as it is.")
def command(run: str, trial: str, as_json: bool) -> None:
    """Show the record of a trial.

    RUN is a run directory and TRIAL the beginning of a trial id in it.
    """
    for path in find_records(Path(run), trial):
        if as_json:
            click.echo(visible_json(read_text(path, folders=FOLDERS)), nl=False)
        else:
            _print(read_record(path), path)


def _line(text: str, **style: Any) -> None:
    click.secho(visible(text), **style)


def _print(record: Record, path: Path) -> None:
    trial = record.trial
    _line(
        f"{trial['target']} · {trial['backbone']['label']} · {trial['strategy']['label']} · seed {trial['seed']}",
        bold=True,
    )
    _line(f"id {record.id}  configuration {record.cell}  environment {record.environment}")
    if trial.get("values"):
        _line(f"{'tuning trial' if trial['role'] == 'try' else 'tuned'}: {valued(trial['values'])}")
    _line(f"status {record.status}, attempts {record.attempts}")
    for one in record.earlier:
        _line(f"  attempt {one.number}: {one.status}, {one.kind}: {one.message}")
    if record.failure:
        _line(f"{record.failure.kind}: {record.failure.message}", fg="red")
        if record.failure.traceback:
            click.echo(visible(record.failure.traceback, "\n\t"))
    for m in record.measurements:
        value = quantity(m.value, m.unit) if m.value is not None else f"not measured: {m.reason}"
        about = f"{m.task}/{m.name}" if m.task else m.name
        flags = f"  ({', '.join(m.flags)})" if m.flags else ""
        _line(f"  {about:<34} {value:>18}{flags}  {m.method}")
    _line("phases " + ", ".join(f"{phase.name} {phase.seconds:.2f} s" for phase in record.phases))
    _line(f"file {path}")
