"""Extractive question answering on user-provided questions and texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from ftbench import Encoded, Ragged, Scored, UserError
from ftbench.tasks import as_text, metric

from .answer_scores import best_scores
from .pieces import LENGTHS, OFFSETS, joined, lengths, offsets, sizes, tensors, torn
from .squad import COLUMNS, answer_cell, flattened, is_nested
from .texts import OwnTexts, as_list, with_offsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ftbench import Example, InputSpec, OutputType
    from ftbench.tasks import Severity, Table
    from numpy.typing import NDArray
    from torch import Tensor

OTHER_FORM, NO_ANSWER = "answer of another form", "question without an answer"
NOT_THERE, ELSEWHERE = "answer is not in the text", "answer is not at its position in the text"
SHORTLIST = 20
"""Number of likeliest begins, and of likeliest ends, that are combined."""


@dataclass(frozen=True)
class _Question:
    """One row."""

    question: str
    context: str
    answers: tuple[str, ...]
    """All right answers; empty if the text does not answer the question."""
    begin: int
    """Position of the first of them in the context; -1 if there is none."""


@dataclass
class QuestionAnswering(OwnTexts):
    """Find the answer to questions of your own in a text, from a table; long texts are read in windows."""

    primary: ClassVar[str] = "f1"
    answer: ClassVar[OutputType] = "span"
    classes: ClassVar[tuple[str, ...]] = ()

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        **OwnTexts.advice,
        OTHER_FORM: ("error", "write a text, or `text` and `answer_start`, both lists, as SQuAD does"),
        NO_ANSWER: ("error", "set unanswerable = true if texts need not answer"),
        NOT_THERE: ("error", "copy the answer from the text, letter by letter"),
        ELSEWHERE: ("error", "count characters from 0, from the first of the text"),
    }

    target: str = "answers"
    """Column of the answers: in SQuAD's format (`text` and `answer_start`, both lists), a list of answers with both, or
    a text. SQuAD's nested files have it."""
    max_length: Annotated[int, Ge(16)] = 384
    """Longest window, including the question, in tokens."""
    stride: Annotated[int, Ge(0)] = 128
    """Tokens of the text that consecutive windows share."""
    question: str = "question"
    """Column of the question."""
    context: str = "context"
    """Column of the text."""
    start: str = ""
    """Column of the answer's start in the context, in characters, if answers are texts; by default the first match."""
    longest_answer: Annotated[int, Ge(1)] = 30
    """Longest predicted answer, in tokens."""
    unanswerable: bool = False
    """Whether the empty answer may be predicted, as in SQuAD 2."""

    @property
    def outputs(self) -> int:
        """Two logits per token: begin and end."""
        return 2

    def inputs(self) -> tuple[str, ...]:
        """The columns of question and text."""
        return (self.question, self.context)

    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return question and text."""
        return as_text(row[self.question]), as_text(row[self.context])

    def open_files(self, paths: Sequence[Path]) -> Table:
        """Open files; those nested like SQuAD's give a row for each question."""
        table = super().open_files(paths)
        return flattened(table) if self._is_nested(table.columns) else table

    def file_columns(self, path: Path) -> tuple[str, ...]:
        """Return the column names of a file."""
        columns = super().file_columns(path)
        return COLUMNS if self._is_nested(columns) else columns

    def _is_nested(self, columns: Sequence[str]) -> bool:
        return self.question not in columns and is_nested(columns)

    def kinds(self, table: Any) -> NDArray[np.int64]:
        """Treat all rows as one stratum; if questions may be unanswerable, keep rows without an answer."""
        found = super().kinds(table)
        return np.zeros_like(found) if self.unanswerable else found

    def _read(self, examples: Sequence[Example[tuple[str, int]]]) -> list[_Question]:
        rows = zip(examples, self.cells(examples, self.label_columns()), strict=True)
        return [self._question(example.value, row) for example, row in rows]

    def _question(self, value: tuple[str, int], row: Mapping[str, Any]) -> _Question:
        """Read one row.

        Raises:
            UserError: it has no answer, or its answer is not at the given position.
        """
        found = self._parsed(row)
        for problem, shown in self._problems_of(found):
            advice = self.advice[problem][1]
            raise UserError(f"{self.name}: {value[0]} row {value[1] + 1}: {problem}: {shown}; {advice}")
        assert found is not None
        return found

    def _parsed(self, row: Mapping[str, Any]) -> _Question | None:
        """Read one row; None if its answer has another form."""
        # Not stripped: the answer's position counts from the first character.
        context, cell = str(row[self.context] or ""), answer_cell(row[self.target])
        try:
            if isinstance(cell, dict):
                texts = [str(text) for text in cell["text"]]
                begin = int(cell["answer_start"][0]) if texts else -1
            else:
                texts = as_list(cell) if isinstance(cell, list) else [text for text in [as_text(cell)] if text]
                begin = context.find(texts[0]) if texts else -1
                if self.start and texts:
                    begin = int(as_text(row[self.start]) or -1)
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        # An empty text is no answer.
        known = tuple(texts) if texts and texts[0].strip() else ()
        return _Question(as_text(row[self.question]), context, known, begin if known else -1)

    def label_columns(self) -> tuple[str, ...]:
        """Return the column of the answers, and that of their start."""
        return (self.target, self.start) if self.start else (self.target,)

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a row's answer."""
        yield from super().row_problems(key, row)
        found = self._parsed(row)
        if found is None:
            yield OTHER_FORM, repr(row[self.target])[:60]
        else:
            yield from self._problems_of(found)

    def _problems_of(self, found: _Question | None) -> Iterator[tuple[str, str]]:
        if found is None:
            yield OTHER_FORM, "neither `text` and `answer_start` nor a text"
        elif not found.answers:
            if not self.unanswerable:
                yield NO_ANSWER, repr(found.question[:40])
        elif found.begin < 0:
            yield NOT_THERE, repr(found.answers[0][:40])
        elif not found.context.startswith(found.answers[0], found.begin):
            places = [at.start() for at in re.finditer(re.escape(found.answers[0]), found.context)]
            nearest = min(places, key=lambda place: abs(place - found.begin), default=None)
            where = "nowhere" if nearest is None else f"at character {nearest}"
            yield ELSEWHERE, f"{found.answers[0][:40]!r} is {where}, not at {found.begin}"

    def outline(self, reads: InputSpec, count: int) -> Encoded:
        """Return questions on texts of one window."""
        pieces = [[[0] * reads.shape[0]]] * count
        columns = {reads.name: joined(pieces), LENGTHS: lengths(pieces)}
        return replace(super().outline(reads, count), columns=columns, labels=Ragged.of([[0, 0]] * count))

    def encode(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Tokenize each question with every window of its text."""
        rows = self._read(examples)
        longest = self.longest(processor)
        # Every window has room for text: the question gets at most a third, and windows share at most a third.
        asked = _cut([row.question for row in rows], longest // 3, processor)
        made = with_offsets(
            processor,
            asked,
            [row.context for row in rows],
            truncation="only_second",
            max_length=longest,
            stride=min(self.stride, longest // 3),
            return_overflowing_tokens=True,
            return_attention_mask=False,
        )
        windows: list[list[int]] = [[] for _ in rows]
        for window, row in enumerate(made["overflow_to_sample_mapping"]):
            windows[row].append(window)
        places = [_context_offsets(made, window) for window in range(len(made["input_ids"]))]
        labels = [
            [token for w in own for token in _span(places[w], row)] for row, own in zip(rows, windows, strict=True)
        ]
        names = [name for name in ("input_ids", "token_type_ids") if name in made]
        columns = {
            name: joined(
                [[made[name][w] for w in own] for own in windows], processor.pad_token_id if name == "input_ids" else 0
            )
            for name in names
        }
        ids = [[made["input_ids"][w] for w in own] for own in windows]
        columns[OFFSETS] = joined([[[value for pair in places[w] for value in pair] for w in own] for own in windows])
        return Encoded(
            columns={**columns, LENGTHS: lengths(ids)},
            labels=Ragged.of(labels),
            ids=tuple(example.id for example in examples),
            units=np.array([sum(map(len, own)) for own in ids], float),
        )

    # -- learning and scoring -------------------------------------------------------------------------------

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Build a batch of all windows.

        `labels` are [windows, 2]; `owners` are the positions of the windows' examples, [windows].
        """
        encoded, indices = encoded.at(indices)
        rows, wanted = list(indices), encoded.labels
        assert isinstance(wanted, Ragged)
        batch, owners = torn(encoded, rows)
        labels = np.concatenate([wanted[row].reshape(-1, 2) for row in rows])
        return tensors({**batch, "labels": labels, "owners": owners})

    def terms(self, batch: Mapping[str, Tensor]) -> int:
        """Count the windows."""
        return len(batch["owners"])

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean over windows of half the sum of the begin's and the end's cross-entropy, in nats."""
        from torch.nn.functional import cross_entropy

        begin, end = (
            logits.float().masked_fill(batch["attention_mask"] == 0, -1e4)
            for logits in (outputs.start_logits, outputs.end_logits)
        )
        return (cross_entropy(begin, batch["labels"][:, 0]) + cross_entropy(end, batch["labels"][:, 1])) / 2

    def answers(self, outputs: Any, batch: Mapping[str, Tensor]) -> list[NDArray[np.float32]]:
        """Return the begin and end logits at the tokens of all windows, [tokens, 2] per example."""
        import torch

        logits = torch.stack([outputs.start_logits, outputs.end_logits], -1).float().cpu().numpy()
        real, owners = batch["attention_mask"].bool().cpu().numpy(), batch["owners"].cpu().numpy()
        return [
            np.concatenate([logits[w][real[w]] for w in np.flatnonzero(owners == row)])
            for row in range(int(owners.max()) + 1)
        ]

    def score(self, answers: Sequence[NDArray[np.float32]], examples: Encoded) -> Scored:
        """Score answers like SQuAD: exact match and shared words, normalised, against the closest right answer."""
        examples = examples.take(range(len(examples)))
        wanted = self._read(self.named(examples.ids))
        predictions = []
        for row, (identity, logits, asked) in enumerate(zip(examples.ids, answers, wanted, strict=True)):
            said = self._said(logits, offsets(examples, row), sizes(examples, row), asked.context)
            exact, shared = best_scores(said, asked.answers)
            predictions.append(
                {
                    "id": identity,
                    "label": list(asked.answers),
                    "prediction": said,
                    "exact_match": exact,
                    "f1": round(shared, 6),
                }
            )
        method = "as SQuAD's script: no case, punctuation and articles; the nearest right answer"
        return Scored(
            (
                metric("f1", float(np.mean([p["f1"] for p in predictions])), f"words shared, {method}"),
                metric("exact_match", float(np.mean([p["exact_match"] for p in predictions])), method),
            ),
            tuple(predictions),
        )

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores."""
        return ("f1", "exact_match")

    def _said(
        self, logits: NDArray[np.float32], windows: Sequence[NDArray[Any]], tokens: NDArray[Any], context: str
    ) -> str:
        """Return the likeliest answer over all windows.

        Args:
            logits: of begin and end, [tokens of all windows, 2].
            windows: characters of the context for each token, [tokens, 2] per window; -1 outside the context.
            tokens: number of tokens of each window.
            context: the text that contains the answer.
        """
        best, said, nothing = -np.inf, "", np.inf
        for window, places in zip(np.split(logits, np.cumsum(tokens)[:-1]), windows, strict=True):
            nothing = min(nothing, float(window[0].sum()))
            inside = np.flatnonzero(places[:, 1] > 0)
            begins, ends = (inside[np.argsort(-window[inside, side], kind="stable")[:SHORTLIST]] for side in (0, 1))
            for begin in begins:
                for end in ends:
                    score = float(window[begin, 0] + window[end, 1])
                    if 0 <= end - begin < self.longest_answer and score > best:
                        best, said = score, context[places[begin, 0] : places[end, 1]].strip()
        return "" if self.unanswerable and nothing > best else said


def _cut(questions: Sequence[str], tokens: int, processor: Any) -> list[str]:
    """Cut questions off after `tokens` tokens."""
    made = with_offsets(processor, list(questions), truncation=True, max_length=tokens, add_special_tokens=False)
    return [
        question[: max((end for _, end in offsets), default=0)]
        for question, offsets in zip(questions, made["offset_mapping"], strict=True)
    ]


def _context_offsets(made: Any, window: int) -> list[tuple[int, int]]:
    """Return the characters of the context for each token of a window; -1 outside the context."""
    sides = made.sequence_ids(window)
    return [pair if side == 1 else (-1, -1) for pair, side in zip(made["offset_mapping"][window], sides, strict=True)]


def _span(offsets: Sequence[tuple[int, int]], row: _Question) -> tuple[int, int]:
    """Return the answer's first and last token; (0, 0) if the window does not contain the whole answer."""
    inside = [(token, begin, end) for token, (begin, end) in enumerate(offsets) if end > 0]
    if row.begin < 0 or not inside:
        return 0, 0
    last = row.begin + len(row.answers[0])
    if row.begin < inside[0][1] or last > inside[-1][2]:
        return 0, 0
    first = next(token for token, _, end in inside if end > row.begin)
    return first, max(token for token, begin, _ in inside if begin < last)
