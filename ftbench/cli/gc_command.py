"""The `ftbench gc` command."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="gc")
@click.argument("run", type=click.Path(file_okay=False), required=False)
@click.option(
    "--attempts",
    is_flag=True,
    help="Also remove earlier attempts of finished trials. Records still show how they ended.",
)
@click.option(
    "--unplanned", is_flag=True, help="Also remove trials, with their records, that the suite no longer plans."
)
@click.option(
    "--cache",
    is_flag=True,
    help="Clean the cache: remove files of dead processes, then the least recently used entries beyond --keep.",
)
@click.option(
    "--keep",
    metavar="SIZE",
    help="Size the cache may keep, such as 5GB or 0. [default: $FTBENCH_CACHE_LIMIT, or 20GiB]",
)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, but remove nothing.")
def command(run: str | None, *, attempts: bool, unplanned: bool, cache: bool, keep: str | None, dry_run: bool) -> None:
    """Remove orphaned files from the run directory RUN: partial files, and attempts whose runner was killed.

    Without options, no result and no history of an attempt is lost. Removed cache entries can be computed again.
    """
    if run is None and not cache:
        raise click.UsageError("give a run directory or --cache")
    if run is not None:
        _clean_run(run, attempts=attempts, unplanned=unplanned, dry_run=dry_run)
    if cache:
        _clean_cache(keep, dry_run=dry_run)


def _clean_cache(keep: str | None, *, dry_run: bool) -> None:
    from ..cache import Cache
    from ..errors import UserError
    from ..formatting import quantity, read_size

    limit = None if keep is None else read_size(keep)
    if keep is not None and limit is None:
        raise UserError(f"--keep: {keep!r} is not a size; give one such as 5GB")
    store = Cache(limit=limit)
    size = store.size
    if dry_run:
        click.echo(f"cache size: {quantity(size, 'B')}; would remove {quantity(max(0, size - store.limit), 'B')}")
        return
    store.sweep()
    gone = store.evict()
    click.echo(
        f"removed {gone.entries} cache entries, {quantity(gone.bytes, 'B')}; "
        f"cache size: {quantity(size - gone.bytes, 'B')}"
    )


def _clean_run(run: str, *, attempts: bool, unplanned: bool, dry_run: bool) -> None:
    from ..formatting import quantity, visible
    from ..records.cleanup import find_orphans, remove
    from ..records.store import Store

    folder = Path(run)
    store = Store(folder)
    if not dry_run:
        find_orphans(folder)  # Fails before the lock file is created if this is not a run directory.
        store.claim()
    try:
        found = find_orphans(folder, attempts=attempts, unplanned=unplanned)
        for one in found:
            if not dry_run:
                remove(one)
            done, path = "would remove" if dry_run else "removed", visible(str(one.path))
            click.echo(f"{done} {path}: {one.why}, {quantity(one.size, 'B')}")
    finally:
        store.release()
    click.echo(f"{len(found)} orphaned files, {quantity(sum(one.size for one in found), 'B')}")
