"""Files of the CoNLL shared tasks: a word a line with its tags behind it, an empty line after each sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftbench import ListedTable, UserError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".conll", ".conll2003", ".iob", ".iob2", ".bio", ".txt")


def read_conll(path: Path, tokens: str, tags: str) -> ListedTable:
    """Read sentences; the first column is the word, the last its tag. `-DOCSTART-` lines and those that begin with `# ` are left out.

    Args:
        path: a UTF-8 file.
        tokens: what the column of the words is to be called.
        tags: what the column of the tags is to be called.

    Raises:
        UserError: the file is missing, empty or not UTF-8, or a line has a word and no tag.
    """
    sentences: list[tuple[list[str], list[str]]] = []
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
                    sentences.append((words, known))
                    words, known = [], []
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if not sentences:
        raise UserError(f"{path}: holds no sentence; a word and its tag are wanted on each line")
    return ListedTable(path.stem, {tokens: [one for one, _ in sentences], tags: [other for _, other in sentences]})
