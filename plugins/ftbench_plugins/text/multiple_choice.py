"""Multiple choice: choose the text that goes with a user-provided question or beginning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ftbench import Encoded, Scored, UserError
from ftbench.tasks import as_text, calibration_error, metric

from .pieces import LENGTHS, joined, lengths, tensors, torn
from .texts import OwnTexts, as_list
from .written_lists import written_list, written_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ftbench import Example, InputSpec, OutputType
    from ftbench.tasks import Severity
    from numpy.typing import NDArray
    from torch import Tensor


UNEQUAL, UNKNOWN = "choices differ in number", "label is none of the choices"


@dataclass
class MultipleChoice(OwnTexts):
    """Choose the right answer to questions of your own, from a table; all have the same number of choices."""

    primary: ClassVar[str] = "accuracy"
    answer: ClassVar[OutputType] = "choice"
    classes: ClassVar[tuple[str, ...]] = ()

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        **OwnTexts.advice,
        UNEQUAL: ("error", "all rows need as many choices, two at least"),
        UNKNOWN: ("error", "name it by its number from 0, its letter from A, or its text"),
    }

    text: str = "question"
    """Column of the question, or of the beginning."""
    choices: tuple[str, ...] = ("choices",)
    """Columns of the choices, in order; a single column holds lists of choices."""

    @property
    def outputs(self) -> int:
        """One logit per choice, from the same output."""
        return 1

    def inputs(self) -> tuple[str, ...]:
        """The columns of the question and its choices."""
        return (self.text, *self.choices)

    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the question, then each choice."""
        return (as_text(row[self.text]), *self._choices(row))

    def _choices(self, row: Mapping[str, Any]) -> list[str]:
        cells = [row[name] for name in self.choices]
        if len(cells) > 1:
            return [as_text(cell) for cell in cells]
        cell = cells[0]
        if isinstance(cell, str):
            cell = written_object(cell) or written_list(cell) or cell
        # CommonsenseQA and ARC store the texts together with their letters.
        return as_list(cell["text"] if isinstance(cell, dict) and "text" in cell else cell, separator=";")

    def text_columns(self) -> tuple[str, ...]:
        """Return the column of the question; choices may be lists."""
        return (self.text,)

    @cached_property
    def _count(self) -> int:
        """Number of choices of the first row."""
        table = next(iter(self.tables.values()))
        return len(self._choices(table.rows([0], self.choices)[0]))

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a row's choices and their label."""
        yield from super().row_problems(key, row)
        choices = self._choices(row)
        if len(choices) != self._count or len(choices) < 2:
            yield UNEQUAL, f"{len(choices)} choices, {self._count} in the first row"
        elif _place(row[self.target], choices) is None:
            yield UNKNOWN, repr(as_text(row[self.target]))

    def outline(self, reads: InputSpec, count: int) -> Encoded:
        """Return questions with one choice per column, or four if one column holds all choices."""
        choices = len(self.choices) if len(self.choices) > 1 else 4
        pieces = [[[0] * reads.shape[0]] * choices] * count
        return replace(super().outline(reads, count), columns={reads.name: joined(pieces), LENGTHS: lengths(pieces)})

    def encode(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Tokenize the question with each choice; if a pair is too long, cut the question.

        Raises:
            UserError: a row's number of choices differs from the first row's, or its label is none of them.
        """
        rows = [
            (example, self._choices(row), row)
            for example, row in zip(examples, self.cells(examples, (self.target,)), strict=True)
        ]
        count = len(rows[0][1]) if rows else 0
        labels = []
        for example, choices, row in rows:
            key, number = example.value
            label = _place(row[self.target], choices)
            if len(choices) != count or count < 2:
                raise UserError(
                    f"{self.name}: {key} row {number + 1}: has {len(choices)} choices, and the first has {count}; "
                    "all need as many, two at least"
                )
            if label is None:
                raise UserError(
                    f"{self.name}: {key} row {number + 1}: column {self.target!r} holds {as_text(row[self.target])!r}: "
                    f"neither a number from 0 to {count - 1}, nor a letter from A, nor one of the choices"
                )
            labels.append(label)
        first = [as_text(row[self.text]) for _, choices, row in rows for _ in choices]
        second = [choice for _, choices, _ in rows for choice in choices]
        made = processor(
            first, second, truncation="only_first", max_length=self.longest(processor), return_attention_mask=False
        )
        names = [name for name in ("input_ids", "token_type_ids") if name in made]
        pieces = {name: [made[name][begin : begin + count] for begin in range(0, len(second), count)] for name in names}
        ids = pieces["input_ids"]
        columns = {
            name: joined(found, processor.pad_token_id if name == "input_ids" else 0) for name, found in pieces.items()
        }
        return Encoded(
            columns={**columns, LENGTHS: lengths(ids)},
            labels=np.array(labels),
            ids=tuple(example.id for example in examples),
            units=np.array([sum(map(len, one)) for one in ids], float),
        )

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Build a batch of inputs of shape [examples, choices, tokens]."""
        encoded, indices = encoded.at(indices)
        rows = list(indices)
        batch, _ = torn(encoded, rows)
        shaped = {name: values.reshape(len(rows), -1, values.shape[1]) for name, values in batch.items()}
        return tensors({**shaped, "labels": np.asarray(encoded.labels)[rows]})

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy over the choices, in nats."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs.logits.float(), batch["labels"])

    def score(self, answers: Sequence[NDArray[np.float32]], examples: Encoded) -> Scored:
        """Score the choice with the highest logit."""
        from scipy.special import log_softmax

        truth = np.asarray(examples.wanted())
        log_probability = log_softmax(np.stack(answers).astype(np.float64), axis=1)
        guess = log_probability.argmax(1)
        loss = -log_probability[np.arange(len(truth)), truth].mean()
        predictions = tuple(
            {
                "id": identity,
                "label": int(wanted),
                "prediction": int(said),
                "probabilities": [round(float(v), 6) for v in np.exp(row)],
            }
            for identity, wanted, said, row in zip(examples.ids, truth, guess, log_probability, strict=True)
        )
        calibration = calibration_error(truth == guess, np.exp(log_probability.max(1)))
        return Scored(
            (
                metric("accuracy", float((truth == guess).mean()), "share of questions with the right choice"),
                metric("calibration_error", calibration, "15 bins", direction="lower"),
                metric("loss", float(loss), "mean negative log-likelihood", unit="nat", direction="lower"),
            ),
            predictions,
        )

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores."""
        return ("accuracy", "calibration_error", "loss")


def _place(cell: Any, choices: Sequence[str]) -> int | None:
    """Return the index of the choice that a cell names: by its number from 0, its letter, or its text."""
    text = as_text(cell)
    if text.isdecimal() and int(text) < len(choices):
        return int(text)
    if len(text) == 1 and 0 <= ord(text.upper()) - ord("A") < len(choices):
        return ord(text.upper()) - ord("A")
    return choices.index(text) if text in choices else None
