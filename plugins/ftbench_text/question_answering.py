"""Which piece of a text answers a user's own question?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from ftbench import Encoded, Ragged, Scored, UserError
from ftbench.tasks import as_text, metric

from .answer_scores import best_scores
from .pieces import LENGTHS, OFFSETS, joined, lengths, offsets, sizes, tensors, torn
from .texts import OwnTexts, as_list, with_offsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Example, InputSpec, OutputType
    from numpy.typing import NDArray
    from torch import Tensor

SHORTLIST = 20
"""Beginnings and ends that are tried with each other."""


@dataclass(frozen=True)
class _Question:
    """One row."""

    question: str
    context: str
    answers: tuple[str, ...]
    """All that count as right; none where the text does not answer."""
    begin: int
    """Where the first of them begins in the context; -1 where there is none."""


@dataclass
class QuestionAnswering(OwnTexts):
    """Which piece of the text answers the question? Your own questions, from a table; texts too long are read in windows."""

    primary: ClassVar[str] = "f1"
    answer: ClassVar[OutputType] = "span"
    classes: ClassVar[tuple[str, ...]] = ()

    target: str = "answers"
    """Column of the answers: as SQuAD has them (`text` and `answer_start`, both lists), or a text."""
    max_length: Annotated[int, Ge(16)] = 384
    """Longest window, question included, in tokens."""
    stride: Annotated[int, Ge(0)] = 128
    """Tokens of the text that a window shares with the one before it."""
    question: str = "question"
    """Column of the question."""
    context: str = "context"
    """Column of the text."""
    start: str = ""
    """Column of where an answer that is a text begins in the context, in characters; by default its first occurrence."""
    longest_answer: Annotated[int, Ge(1)] = 30
    """Longest answer that is given, in tokens."""
    unanswerable: bool = False
    """Whether the empty answer may be given, as in SQuAD 2."""

    @property
    def outputs(self) -> int:
        """A logit for each token as beginning, and one as end."""
        return 2

    def inputs(self) -> tuple[str, ...]:
        """Question and text."""
        return (self.question, self.context)

    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Question and text."""
        return as_text(row[self.question]), as_text(row[self.context])

    def kinds(self, table: Any) -> NDArray[np.int64]:
        """Divide all rows alike; where no answer is an answer, rows without one stay."""
        found = super().kinds(table)
        return np.zeros_like(found) if self.unanswerable else found

    def _read(self, examples: Sequence[Example[tuple[str, int]]]) -> list[_Question]:
        wanted = (self.target, self.start) if self.start else (self.target,)
        rows = zip(examples, self.cells(examples, wanted), strict=True)
        return [self._question(example.value, row) for example, row in rows]

    def _question(self, value: tuple[str, int], row: Mapping[str, Any]) -> _Question:
        """Read one row.

        Raises:
            UserError: its answer is not where it is said to be, or there is none.
        """
        # Not stripped: the answer's place counts from the very first character.
        context, cell = str(row[self.context] or ""), row[self.target]
        place = f"{self.name}: {value[0]} row {value[1] + 1}"
        if isinstance(cell, dict):
            texts = [str(text) for text in cell["text"]]
            begin = int(cell["answer_start"][0]) if texts else -1
        else:
            texts = as_list(cell) if isinstance(cell, list) else [text for text in [as_text(cell)] if text]
            begin = (
                int(as_text(row[self.start]) or -1) if self.start and texts else context.find(texts[0]) if texts else -1
            )
        if not texts and not self.unanswerable:
            raise UserError(f"{place}: has no answer; set unanswerable = true where texts need not answer")
        if texts and context[begin : begin + len(texts[0])] != texts[0]:
            raise UserError(f"{place}: the answer {texts[0][:40]!r} does not stand in the text at character {begin}")
        return _Question(as_text(row[self.question]), context, tuple(texts), begin)

    def outline(self, reads: InputSpec, count: int) -> Encoded:
        """Give questions on texts of one window."""
        pieces = [[[0] * reads.shape[0]]] * count
        columns = {reads.name: joined(pieces), LENGTHS: lengths(pieces)}
        return replace(super().outline(reads, count), columns=columns, labels=Ragged.of([[0, 0]] * count))

    def encode(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Tokenize each question with every window of its text."""
        rows = self._read(examples)
        longest = self.longest(processor)
        # A window has room for the text whatever the question: a third is the question's, and a third at most is shared.
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

    # -- learning and scoring ------------------------------------------------------------------------------------------------

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Make a batch of all windows; `labels` are [windows, 2], `owners` the place of each window's example, [windows]."""
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
        """Give the mean over windows of the cross-entropy of the beginning and of the end, halved, in nats."""
        from torch.nn.functional import cross_entropy

        begin, end = (
            logits.float().masked_fill(batch["attention_mask"] == 0, -1e4)
            for logits in (outputs.start_logits, outputs.end_logits)
        )
        return (cross_entropy(begin, batch["labels"][:, 0]) + cross_entropy(end, batch["labels"][:, 1])) / 2

    def answers(self, outputs: Any, batch: Mapping[str, Tensor]) -> list[NDArray[np.float32]]:
        """Give the logits of beginning and end at the tokens of all windows, [tokens, 2] an example."""
        import torch

        logits = torch.stack([outputs.start_logits, outputs.end_logits], -1).float().cpu().numpy()
        real, owners = batch["attention_mask"].bool().cpu().numpy(), batch["owners"].cpu().numpy()
        return [
            np.concatenate([logits[w][real[w]] for w in np.flatnonzero(owners == row)])
            for row in range(int(owners.max()) + 1)
        ]

    def score(self, answers: Sequence[NDArray[np.float32]], examples: Encoded) -> Scored:
        """Score answers as SQuAD does: by exact match and by the words shared, after normalisation, against the nearest right one."""
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

    def _said(
        self, logits: NDArray[np.float32], windows: Sequence[NDArray[Any]], tokens: NDArray[Any], context: str
    ) -> str:
        """Give the likeliest answer of all windows.

        Args:
            logits: of beginning and end, [tokens of all windows, 2].
            windows: characters of the context each token stands for, [tokens, 2] a window; -1 outside the context.
            tokens: how many each window has.
            context: what the answer is cut out of.
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
    """Cut questions off after so many tokens."""
    made = with_offsets(processor, list(questions), truncation=True, max_length=tokens, add_special_tokens=False)
    return [
        question[: max((end for _, end in offsets), default=0)]
        for question, offsets in zip(questions, made["offset_mapping"], strict=True)
    ]


def _context_offsets(made: Any, window: int) -> list[tuple[int, int]]:
    """Give the characters of the context each token of a window stands for; -1 outside the context."""
    sides = made.sequence_ids(window)
    return [pair if side == 1 else (-1, -1) for pair, side in zip(made["offset_mapping"][window], sides, strict=True)]


def _span(offsets: Sequence[tuple[int, int]], row: _Question) -> tuple[int, int]:
    """Give the first and the last token of the answer; the very first token twice where the window does not hold it whole."""
    inside = [(token, begin, end) for token, (begin, end) in enumerate(offsets) if end > 0]
    if row.begin < 0 or not inside:
        return 0, 0
    last = row.begin + len(row.answers[0])
    if row.begin < inside[0][1] or last > inside[-1][2]:
        return 0, 0
    first = next(token for token, _, end in inside if end > row.begin)
    return first, max(token for token, begin, _ in inside if begin < last)
