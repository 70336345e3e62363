"""Read files of the CoNLL shared tasks: one word with its tags per line, an empty line after each sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import UserError
from ftbench.tasks import ListedTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIXES = (".conll", ".conll2003", ".iob", ".iob2", ".bio", ".txt")


def read_conll(paths: Sequence[Path], tokens: str, tags: str) -> ListedTable:
    """Read sentences; the first column is the word, the last its tag.

    `-DOCSTART-` lines and lines that begin with `# ` are skipped.

    Args:
        paths: UTF-8 files, read in order.
        tokens: name of the column of words.
        tags: name of the column of tags.

    Raises:
        UserError: a file is missing, empty or not UTF-8, or a line has a word without a tag.
    """
    sentences = [sentence for path in paths for sentence in _sentences(path)]
    return ListedTable(
        paths[0].stem, {tokens: [words for words, _ in sentences], tags: [known for _, known in sentences]}
    )


def _sentences(path: Path) -> list[tuple[list[str], list[str]]]:
    found: list[tuple[list[str], list[str]]] = []
    words: list[str] = []
    known: list[str] = []
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate([*stream, ""], 1):
                parts = line.split()
                if parts and (parts[0] == "-DOCSTART-" or line.startswith("# ")):
                    continue
                if parts and len(parts) < 2:
                    raise UserError(f"{path}: line {number}: {parts[0]!r} has no tag behind it")
                if parts:
                    words.append(parts[0])
                    known.append(parts[-1])
                elif words:
                    found.append((words, known))
                    words, known = [], []
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if not found:
        raise UserError(f"{path}: holds no sentence; a word and its tag are wanted on each line")
    return found
