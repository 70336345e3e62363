"""Store rows as memory-mapped Arrow files in the cache folder, where they are reused."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Cells = dict[str, Any]
"""Column → some of its cells, as a list or an Arrow array."""


def stored(place: Path, make: Callable[[], tuple[Any, Iterable[Cells]]]) -> Any:
    """Open a stored table as `datasets.Dataset`; write it first if it does not exist.

    Args:
        place: the Arrow file.
        make: returns the `datasets.Features` of the columns, and their cells in parts.

    Raises:
        UserError: the cache folder cannot be written, or a cell does not fit the features.
    """
    datasets = library()
    if not place.exists():
        features, parts = make()
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(temporary, features, parts)
            temporary.replace(place)
        except OSError as error:
            raise UserError(
                f"{place}: cannot be written: {error.strerror}; set FTBENCH_CACHE to another folder"
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
    return datasets.Dataset.from_file(str(place))


def _write(place: Path, features: Any, parts: Iterable[Cells]) -> None:
    import pyarrow as pa

    schema = features.arrow_schema
    with pa.OSFile(str(place), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for part in parts:
            writer.write_table(_cast(part, features))


def _cast(part: Cells, features: Any) -> Any:
    """Return cells as an Arrow table with the columns and types of `features`; absent columns are empty."""
    import datasets
    import pyarrow as pa
    from datasets.table import table_cast

    schema = features.arrow_schema
    size = len(next(iter(part.values()), ()))
    arrays = []
    for field in schema:
        cells = part.get(field.name)
        if cells is None:
            cells = pa.nulls(size, field.type) if not isinstance(field.type, pa.BaseExtensionType) else [None] * size
        if isinstance(cells, list):
            cells = as_json(cells) if isinstance(features[field.name], datasets.Json) else array(cells, field.type)
        arrays.append(cells)
    table = pa.Table.from_arrays(arrays, names=schema.names)
    try:
        return table if table.schema.equals(schema) else table_cast(table, schema)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UserError(f"a cell does not fit its declared type: {str(error).splitlines()[0]}") from None


def array(cells: Sequence[Any], wanted: Any = None) -> Any:
    """Return cells as an Arrow array: of type `wanted` if they fit it, and otherwise of the type they have.

    Raises:
        pyarrow.ArrowException: the cells have no common type.
    """
    import pyarrow as pa

    if wanted is not None and not isinstance(wanted, pa.BaseExtensionType):
        with suppress(pa.ArrowException, OverflowError, UnicodeEncodeError):
            return pa.array(cells, wanted)
        if not pa.types.is_string(wanted):
            # Texts of a file without types; an empty one is no number.
            cells = [None if cell == "" else cell for cell in cells]
    try:
        return pa.array(cells)
    except UnicodeEncodeError:
        broken = next(cell for cell in cells if not _is_unicode(cell))
        raise UserError(f"a cell has half a surrogate pair, which is no character: {broken!r:.60}") from None


def _is_unicode(cell: Any) -> bool:
    try:
        json.dumps(cell, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def as_json(cells: Sequence[Any]) -> Any:
    """Return cells of different types as an array of JSON texts."""
    import pyarrow as pa

    return pa.array([None if cell is None else json.dumps(cell) for cell in cells], pa.string())


def inferred(parts: Iterable[Mapping[str, Sequence[Any]]]) -> Any:
    """Return the `datasets.Features` that fit all cells; columns of different types are JSON."""
    import datasets
    import pyarrow as pa

    types: dict[str, Any] = {}
    mixed: set[str] = set()
    for part in parts:
        for name in [name for name in part if name not in mixed]:
            try:
                found = array(part[name]).type
                types[name] = _common(types[name], found) if name in types else found
            except (pa.ArrowException, OverflowError):
                mixed.add(name)
                types[name] = None
    features = datasets.Features.from_arrow_schema(pa.schema([(n, t or pa.string()) for n, t in types.items()]))
    return datasets.Features({name: datasets.Json() if name in mixed else features[name] for name in types})


def _common(one: Any, other: Any) -> Any:
    import pyarrow as pa

    both = [pa.schema([("it", kind)]) for kind in (one, other)]
    return one if one == other else pa.unify_schemas(both, promote_options="permissive").field(0).type


def parquet_features(paths: Sequence[Path]) -> Any:
    """Return the `datasets.Features` of Parquet files.

    Raises:
        UserError: a file is not one, or the files have different types.
    """
    import datasets
    import pyarrow as pa
    import pyarrow.parquet

    try:
        schemas = [_plain_schema(pa.parquet.read_schema(path)) for path in paths]
        whole = pa.unify_schemas(schemas, promote_options="permissive")
        return datasets.Features.from_arrow_schema(whole.with_metadata(schemas[0].metadata))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{paths[0]}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _plain_schema(schema: Any) -> Any:
    """Return a schema whose categories are their values."""
    import pyarrow as pa

    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in schema
    ]
    return pa.schema(fields, schema.metadata)


def parquet_parts(path: Path, size: int) -> Iterator[Cells]:
    """Yield up to `size` rows of a Parquet file at a time."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pa.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(size):
                yield {
                    name: column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def library() -> Any:
    """Import `datasets` with progress bars, logging and download counts switched off."""
    import threading

    import datasets
    from tqdm import tqdm

    # The default lock is a semaphore that would outlive a killed trial.
    tqdm.set_lock(threading.RLock())
    # Otherwise it reports every use of its readers to a server.
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    datasets.disable_progress_bars()
    # Its exceptions contain everything that it logs about a broken file.
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    return datasets


def undecoded(data: Any) -> Any:
    """Disable decoding of images and sounds, because the decoders of `datasets` need packages not installed here."""
    import datasets

    for name, feature in data.features.items():
        if isinstance(feature, datasets.Image | datasets.Audio):
            data = data.cast_column(name, type(feature)(decode=False))
    return data
