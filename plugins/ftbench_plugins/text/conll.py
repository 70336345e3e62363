"""Read files of the CoNLL shared tasks: one word with its tags per line, an empty line after each sentence."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftbench import UserError
from ftbench.tasks import ListedTable, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

UNIVERSAL = (".conllu", ".conllup")
"""Suffixes of the format of Universal Dependencies: numbered words, comments marked by `#`."""
SUFFIXES = (".conll", ".conll2003", ".iob", ".iob2", ".bio", ".txt", *UNIVERSAL)
DOCUMENT = "-DOCSTART-"
"""Word that marks the begin of a document."""
FORM, UPOS = 1, 3
"""Columns of word and part of speech in Universal Dependencies."""
_TAG = re.compile(r"O|[BIESLU]-\S+")


@dataclass
class _Line:
    """A line that is not empty."""

    number: int
    """Number of the line, from 1."""
    fields: list[str]
    marked: bool
    """Whether it begins with `#`, and is the first of its sentence or follows such a line."""


@dataclass
class _Sentence:
    """Words of a sentence with their tags."""

    line: int
    """Number of its first line, from 1."""
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def read_conll(paths: Sequence[Path], tokens: str, tags: str) -> ListedTable:
    """Read sentences.

    The first column is the word, the last its tag; in the format of Universal Dependencies (`.conllu`), the form and
    the universal part of speech. Columns are separated by tabs if all lines have one, and otherwise by spaces and tabs.
    Lines of documents (`-DOCSTART-`) and comments are skipped: lines that begin with `#` before the words of a sentence
    and do not have the columns of a word, or a tag that no other word has.

    Args:
        paths: files, read in order.
        tokens: name of the column of words.
        tags: name of the column of tags.

    Raises:
        UserError: a file is missing, empty or no text, or a line has a word without a tag.
    """
    sentences = [sentence for path in paths for sentence in _sentences(path)]
    return ListedTable(paths[0].stem, {tokens: [one.words for one in sentences], tags: [one.tags for one in sentences]})


def sentence_lines(path: Path) -> Iterator[int]:
    """Yield the line where each sentence of a file begins, from 1; the file was read without an error."""
    return (sentence.line for sentence in _sentences(path))


def _sentences(path: Path) -> list[_Sentence]:
    found: list[_Sentence] = []
    universal = path.suffix.lower() in UNIVERSAL
    groups = _lines(path, universal=universal)
    is_word = _universal_word if universal else _word_test(groups)
    for group in groups:
        words = [line for line in group if is_word(line)]
        bare = next((line for line in words if len(line.fields) < (UPOS + 1 if universal else 2)), None)
        if bare:
            raise UserError(f"{path}: line {bare.number}: {bare.fields[0]!r} has no tag behind it")
        if words:
            place = (FORM, UPOS) if universal else (0, -1)
            columns = [[line.fields[column] for line in words] for column in place]
            found.append(_Sentence(words[0].number, *columns))
    if not found:
        raise UserError(f"{path}: holds no sentence; a word and its tag are wanted on each line")
    return found


def _lines(path: Path, *, universal: bool) -> list[list[_Line]]:
    """Return the lines of each sentence, without those of documents."""
    with opened(path) as stream:
        texts = [line.strip(" \r\n") for line in stream]
    tabs = universal or all("\t" in text for text in texts if text.strip("\t") and text[0] not in "#-")
    groups: list[list[_Line]] = [[]]
    for number, text in enumerate(texts, 1):
        # Other spaces, such as a no-break space, belong to words.
        fields = [part.strip(" ") for part in text.rstrip("\t").split("\t")] if tabs else re.split(r"[ \t]+", text)
        if not text.strip("\t"):
            groups.append([])
        elif fields[0] != DOCUMENT:
            marked = text.startswith("#") and all(line.marked for line in groups[-1])
            groups[-1].append(_Line(number, fields, marked))
    return groups


def _universal_word(line: _Line) -> bool:
    """Return whether a line of Universal Dependencies is a word: no comment, no range of words, no empty node."""
    return not line.marked and line.fields[0].isdecimal()


def _word_test(groups: Sequence[Sequence[_Line]]) -> Callable[[_Line], bool]:
    """Return the test of whether a line is a word, for a format that does not define comments."""
    plain = [line.fields for group in groups for line in group if not line.marked]
    width = max(Counter(map(len, plain)).items(), key=lambda one: one[1], default=(2, 0))[0]
    tags = {fields[-1] for fields in plain if len(fields) > 1}

    def is_word(line: _Line) -> bool:
        last = line.fields[-1]
        return not line.marked or (len(line.fields) == width > 1 and (last in tags or bool(_TAG.fullmatch(last))))

    return is_word
