"""`ftbench gc`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="gc")
@click.argument("run", type=click.Path(file_okay=False), required=False)
@click.option(
    "--attempts", is_flag=True, help="Earlier attempts of finished trials too; how they ended stays in the record."
)
@click.option("--unplanned", is_flag=True, help="Trials that the suite no longer plans too, with their records.")
@click.option(
    "--cache",
    is_flag=True,
    help="The cache: what dead processes left in it, and what was not used for longest above --keep.",
)
@click.option(
    "--keep",
    metavar="SIZE",
    help="How large the cache may stay, such as 5GB or 0; by default $FTBENCH_CACHE_LIMIT, or 20GiB.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def command(run: str | None, *, attempts: bool, unplanned: bool, cache: bool, keep: str | None, dry_run: bool) -> None:
    """Remove what the run directory RUN holds and nothing needs: half-written files, and attempts whose runner was killed.

    Without options no result and no story of an attempt is lost. What goes from the cache can be computed again.
    """
    if run is None and not cache:
        raise click.UsageError("give a run directory, or --cache")
    if run is not None:
        _tidy(run, attempts=attempts, unplanned=unplanned, dry_run=dry_run)
    if cache:
        _tidy_cache(keep, dry_run=dry_run)


def _tidy_cache(keep: str | None, *, dry_run: bool) -> None:
    from ..cache import Cache
    from ..errors import UserError
    from ..formatting import quantity, read_size

    limit = None if keep is None else read_size(keep)
    if keep is not None and limit is None:
        raise UserError(f"--keep: {keep!r} is no size; give one such as 5GB")
    store = Cache(limit=limit)
    size = store.size
    if dry_run:
        click.echo(
            f"the cache holds {quantity(size, 'B')}; {quantity(max(0, size - store.limit), 'B')} of it are too much"
        )
        return
    store.sweep()
    gone = store.evict()
    click.echo(
        f"removed {gone.entries} entries from the cache, {quantity(gone.bytes, 'B')}; {quantity(size - gone.bytes, 'B')} are left"
    )


def _tidy(run: str, *, attempts: bool, unplanned: bool, dry_run: bool) -> None:
    from ..formatting import quantity
    from ..records.cleanup import find_leftovers, remove
    from ..records.store import Store

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
