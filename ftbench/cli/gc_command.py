"""`ftbench gc`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="gc")
@click.argument("run", type=click.Path(file_okay=False))
@click.option("--attempts", is_flag=True, help="Earlier attempts of finished trials too; how they ended stays in the record.")
@click.option("--unplanned", is_flag=True, help="Trials that the suite no longer plans too, with their records.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def command(run: str, attempts: bool, unplanned: bool, dry_run: bool) -> None:
    """Remove what the run directory RUN holds and nothing needs: half-written files, and attempts whose runner was killed.

    Without options no result and no story of an attempt is lost.
    """
    from ..formatting import quantity
    from ..leftovers import find_leftovers, remove
    from ..store import Store

    folder = Path(run)
    store = Store(folder)
    if not dry_run:
        find_leftovers(folder)  # Before anything is made in a folder that is no run directory.
        store.claim()
    try:
        found = find_leftovers(folder, attempts=attempts, unplanned=unplanned)
        for one in found:
            if not dry_run:
                remove(one)
            click.echo(f"{'would remove' if dry_run else 'removed'} {one.path}: {one.why}, {quantity(one.size, 'B')}")
    finally:
        store.release()
    click.echo(f"{len(found)} leftovers, {quantity(sum(one.size for one in found), 'B')}")
