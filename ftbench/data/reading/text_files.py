"""Open text files, compressed or not, in the encoding that their first bytes show or that the user gives."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ...errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Suffixes of compressed files, which follow the suffix of the content: `rows.csv.gz`."""
_SEEN = 4096
"""Number of bytes from which the encoding is recognised."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order mark → encoding; UTF-32's begins with UTF-16's."""
_OTHER_CONTENT = {b"PAR1": "a Parquet file", b"\xd0\xcf\x11\xe0": "an Excel workbook", b"ARROW1": "an Arrow file"}
"""First bytes of files that are no text → what they are."""


@dataclass(frozen=True)
class TextFormat:
    """How a user's table files are written, and what is read of them, if it is not to be recognised."""

    quoted: bool | None = None
    """Whether cells may be in double quotes; None to recognise it."""
    delimiter: str = ""
    """Character between the cells of a row; empty to recognise it."""
    columns: tuple[str, ...] = ()
    """Column names of files without a first line of names; empty if they have one."""
    encoding: str = ""
    """Name of the encoding; empty to recognise Unicode encodings."""
    sheet: str = ""
    """Name of the sheet of a workbook; empty if only one has cells."""


def bare_name(name: str) -> str:
    """Return a file name without the suffix of its compression."""
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in COMPRESSED else name


def content_suffix(path: Path) -> str:
    """Return the suffix of a file's content in lower case: `.csv` for `rows.csv.gz`."""
    return Path(bare_name(path.name)).suffix.lower()


@contextmanager
def opened(path: Path, encoding: str = "") -> Iterator[io.TextIOWrapper]:
    """Open a text file; line ends are left as they are.

    Args:
        path: the file; its first bytes show how it is compressed.
        encoding: its encoding; by default the Unicode encoding that its first bytes show.

    Raises:
        UserError: it is missing, damaged, no text, or in another encoding; also while it is read.
    """
    name = encoding
    try:
        with _unpacked(path) as raw:
            name = encoding or _encoding(path, raw.peek(_SEEN)[:_SEEN])
            with io.TextIOWrapper(raw, name, newline="") as stream:
                yield stream
    except UnicodeDecodeError:
        line = _undecodable_line(path, name)
        advice = 'save it as UTF-8, or name its encoding, such as encoding = "cp1252"'
        is_not = "UTF-8" if name.startswith("utf-8") else name
        raise UserError(f"{path}: not {is_not}{f' in line {line}' if line else ''}; {advice}") from None
    except LookupError:
        raise UserError(f"encoding: there is no encoding {encoding!r}; usual ones are utf-8, utf-16, cp1252") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read: {(str(error).splitlines() or [type(error).__name__])[0]}") from None


def _unpacked(path: Path) -> Any:
    """Open the bytes of a file, decompressed.

    Raises:
        UserError: it is an archive of several files, or a workbook.
    """
    with path.open("rb") as stream:
        begin = stream.read(8)
    if begin.startswith(b"PK\x03\x04"):
        return io.BufferedReader(_zipped(path))
    for mark, unpack in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)):
        if begin.startswith(mark):
            return io.BufferedReader(unpack(path))
    if begin.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def _zipped(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [one.filename for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX")]
    if "[Content_Types].xml" in names:
        raise UserError(f"{path}: is an Excel workbook; name it .xlsx, or save the sheet as 'CSV UTF-8'")
    if len(names) != 1:
        raise UserError(f"{path}: holds {len(names)} files; unpack it, and name the one to read")
    return archive.open(names[0])


def _encoding(path: Path, begin: bytes) -> str:
    """Return the encoding that the first bytes of a file show.

    Raises:
        UserError: the file is not a text.
    """
    for mark, name in _MARKS:
        if begin.startswith(mark):
            return name
    for mark, what in _OTHER_CONTENT.items():
        if begin.startswith(mark):
            raise UserError(f"{path}: is {what}, not a text file; name it by what it is, or save it as 'CSV UTF-8'")
    # In UTF-16 every second byte of common characters is 0.
    even, odd = begin[0::2].count(0), begin[1::2].count(0)
    if not even and not odd:
        return "utf-8"
    if max(even, odd) > len(begin) / 5 and min(even, odd) < max(even, odd) / 5:
        return "utf-16-be" if even > odd else "utf-16-le"
    raise UserError(f"{path}: has bytes of value 0, so it is not a text file")


def _undecodable_line(path: Path, encoding: str) -> int:
    """Return the number of the first line that is not in an encoding; 0 if lines cannot be counted in bytes."""
    if encoding.startswith(("utf-16", "utf-32")):
        return 0
    with _unpacked(path) as raw:
        for number, line in enumerate(raw, 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return number
    return 0
