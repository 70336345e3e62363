"""Text files: every encoding and compression, and files that are no text."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest
from ftbench import UserError
from ftbench.data.reading.text_files import bare_name, content_suffix, opened

TEXT = "text,label\ncaf\u00e9 \u4e2d\u6587 \U0001f600,a\n"


def zipped(content, *names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names or ("rows.csv",):
            archive.writestr(name, content)
    return buffer.getvalue()


COMPRESSIONS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": zipped}


def read(path, encoding=""):
    with opened(path, encoding) as stream:
        return stream.read()


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_unicode_encoding_is_recognised_in_every_compression(suffix, encoding, tmp_path):
    path = tmp_path / f"rows.csv{suffix}"
    path.write_bytes(COMPRESSIONS[suffix]((TEXT * 50).encode(encoding)))
    assert read(path) == TEXT * 50
    assert content_suffix(path) == ".csv"
    assert bare_name(path.name) == "rows.csv"


def test_zstandard_is_read(tmp_path):
    import pyarrow as pa

    path = tmp_path / "rows.csv.zst"
    with pa.output_stream(str(path), compression="zstd") as stream:
        stream.write(TEXT.encode())
    assert read(path) == TEXT


def test_other_encodings_are_named_by_the_user(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("text\nfine\ncaf\u00e9\n".encode("cp1252"))
    with pytest.raises(
        UserError, match=r"not UTF-8 in line 3; save it as UTF-8, or name its encoding, such as encoding"
    ):
        read(path)
    assert read(path, "cp1252").endswith("caf\u00e9\n")
    with pytest.raises(UserError, match="encoding: there is no encoding 'ansi-x'"):
        read(path, "ansi-x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            zipped(b"", "[Content_Types].xml", "xl/workbook.xml"),
            "is an Excel workbook; name it .xlsx, or save the sheet as 'CSV UTF-8'",
        ),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "is an Excel workbook, not a text file"),
        (b"PAR1" + bytes(100), "is a Parquet file, not a text file"),
        (zipped(b"", "a.csv", "b.csv"), "holds 2 files; unpack it"),
        (zipped(b""[:0])[:20], "cannot be read: "),
        (gzip.compress(TEXT.encode() * 99)[:-40], "cannot be read: "),
        (bz2.compress(TEXT.encode() * 99)[:-40], "cannot be read: "),
        (lzma.compress(TEXT.encode() * 99)[:-40], "cannot be read: "),
        (b"\xff\xfea", "not utf-16; save it as UTF-8"),
        (bytes(range(256)) * 4, "has bytes of value 0, so it is not a text file"),
    ],
)
def test_what_is_damaged_or_no_text_is_one_line(content, message, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
