"""Token classification on user-provided sentences: named entities, parts of speech."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from ftbench import Encoded, Ragged, Scored, UserError
from ftbench.fingerprint import digest, remembered
from ftbench.stats import f1, macro_f1, pseudo_values
from ftbench.tasks import as_text, metric

from .conll import SUFFIXES, read_conll, sentence_lines
from .tag_schemes import OUTSIDE, fitting, has_prefix, violation
from .texts import OwnTexts, as_list, is_written_value, with_offsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ftbench import Example, InputSpec, Measurement, OutputType
    from ftbench.tasks import Severity, Table
    from numpy.typing import NDArray
    from torch import Tensor

IGNORED = -100
"""Label of a token that is not the first of its word."""
MAX_BROKEN = 0.05
"""Largest share of sentences that break the scheme with which a run starts, if no other scheme fits."""
UNEQUAL, UNKNOWN, BROKEN = "words and tags differ in number", "tag not among labels", "tags do not follow the scheme"
AS_TEXT = "list of words or tags written as text"


@dataclass
class TokenClassification(OwnTexts):
    """Classify each word of sentences of your own, from a CoNLL file or a table whose cells are lists."""

    primary: ClassVar[str] = "f1"
    answer: ClassVar[OutputType] = "tags"

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        **OwnTexts.advice,
        UNEQUAL: ("error", "each word needs one tag"),
        UNKNOWN: ("error", "correct it, or add it to `labels`"),
        AS_TEXT: ("error", "its brackets and quotes would be words: write lists as JSON lines, or words with spaces"),
    }

    target: str = "tags"
    """Column of the tags: a list, or a text with one tag per word."""
    tokens: str = "tokens"
    """Column of the words: a list, or a text separated by spaces."""
    labels: tuple[str, ...] = ()
    """Names of the tags, in order; by default all those in the data, sorted, `O` first."""
    scheme: Literal["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU", "words"] = "IOB2"
    """How tags mark the begin and end of an entity; `words` if they do not, so that each word is scored on its own."""

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Return options with this many tags, two by default: `O` and begin tags."""
        return {**super().without_data(), "labels": [OUTSIDE, *(f"B-{number}" for number in range(1, classes or 2))]}

    def inputs(self) -> tuple[str, ...]:
        """The column of the words."""
        return (self.tokens,)

    def texts(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the sentence."""
        return (" ".join(as_list(row[self.tokens])),)

    def text_columns(self) -> tuple[str, ...]:
        """Return no column: words may be lists."""
        return ()

    # -- data -----------------------------------------------------------------------------------------------

    def open_files(self, paths: Sequence[Path]) -> Table:
        """Open CoNLL files, or files of any other format, as one table."""
        return (
            read_conll(paths, self.tokens, self.target)
            if paths[0].suffix.lower() in SUFFIXES
            else super().open_files(paths)
        )

    def row_lines(self, path: Path) -> Iterator[int] | None:
        """Yield the line where each sentence begins; None if the format has no lines."""
        return sentence_lines(path) if path.suffix.lower() in SUFFIXES else super().row_lines(path)

    def file_columns(self, path: Path) -> tuple[str, ...]:
        """Return the column names of a file."""
        return (self.tokens, self.target) if path.suffix.lower() in SUFFIXES else super().file_columns(path)

    @property
    def classes(self) -> tuple[str, ...]:
        """The tags: those given, or all those in the data."""
        if self.labels:
            return self.labels
        key = digest(self.reading())
        found = tuple(remembered("classes", key, self._found_tags))
        self._check_scheme(found)
        return found

    def _found_tags(self) -> list[str]:
        known = {
            tag
            for table in self.tables.values()
            for cell in self.target_cells(table)
            for tag in self._tags(table, cell)
        }
        if len(known) < 2:
            raise UserError(
                f"data: {self.name}: column {self.target!r} holds {len(known)} tags; at least two are needed"
            )
        return sorted(known, key=lambda tag: (tag != OUTSIDE, tag.partition("-")[2], tag))

    def _check_scheme(self, tags: tuple[str, ...]) -> None:
        if self.scheme == "words":
            return
        strange = [tag for tag in tags if not has_prefix(tag, self.scheme)]
        if strange:
            raise UserError(f"scheme: {strange[0]!r} is no tag of {self.scheme}; {self._hint}")

    @cached_property
    def _fitting(self) -> list[str]:
        """The schemes that the tags of every sentence follow."""
        return fitting(self._tags(table, cell) for table in self.tables.values() for cell in self.target_cells(table))

    @property
    def _hint(self) -> str:
        """Which scheme to use instead of `scheme`."""
        if self._fitting:
            return f'the tags of every sentence follow {self._fitting[0]}: scheme = "{self._fitting[0]}"'
        return 'they follow no scheme in every sentence: correct the tags, or set scheme = "words" to score each word'

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a sentence's tags."""
        written = [cell for cell in (row[self.tokens], row[self.target]) if isinstance(cell, str)]
        if any(map(is_written_value, written)):
            yield AS_TEXT, next(filter(is_written_value, written))[:60]
            return
        words, tags = as_list(row[self.tokens]), self._tags(self.tables[key], row[self.target])
        if len(words) != len(tags):
            yield UNEQUAL, f"{len(words)} words, {len(tags)} tags"
        if lost := [tag for tag in tags if tag not in self._indices]:
            yield UNKNOWN, repr(lost[0])
        elif self.scheme != "words" and (broken := violation(tags, self.scheme)):
            yield BROKEN, broken

    def advice_on(self, problem: str, share: float) -> tuple[Severity, str]:
        """Name the scheme that fits; without one, a few broken sentences are a warning: their entities do not count."""
        if problem != BROKEN:
            return super().advice_on(problem, share)
        return ("error" if self._fitting or share > MAX_BROKEN else "warning"), self._hint

    @cached_property
    def _indices(self) -> dict[str, int]:
        """Tag → its index."""
        return {name: place for place, name in enumerate(self.classes)}

    def _tags(self, table: Table, cell: Any) -> list[str]:
        """Return the tags in a cell; a `datasets` class label stores numbers."""
        known = table.names(self.target)
        return [known[int(one)] for one in cell or ()] if known else as_list(cell)

    def _sentences(self, examples: Sequence[Example[tuple[str, int]]]) -> list[tuple[list[str], list[str]]]:
        """Return words and tags of some examples.

        Raises:
            UserError: a sentence has a different number of words and tags.
        """
        found = []
        for example, row in zip(examples, self.cells(examples, (self.target,)), strict=True):
            key, number = example.value
            words, tags = as_list(row[self.tokens]), self._tags(self.tables[key], row[self.target])
            if len(words) != len(tags):
                raise UserError(
                    f"{self.name}: {key} row {number + 1}: {len(words)} words and {len(tags)} tags; each word needs one"
                )
            found.append((words, tags))
        return found

    def outline(self, reads: InputSpec, count: int) -> Encoded:
        """Return sentences in which every token is a word of the first class."""
        return replace(
            super().outline(reads, count), labels=Ragged.of([np.zeros(reads.shape, np.int64)] * count, padding=IGNORED)
        )

    def encode(self, examples: Sequence[Example[tuple[str, int]]], processor: Any) -> Encoded:
        """Tokenize; a word's tag is learnt and predicted at its first token."""
        sentences = self._sentences(examples)
        strange = next((tag for _, tags in sentences for tag in tags if tag not in self._indices), None)
        if strange is not None:
            raise UserError(f"labels: the data hold {as_text(strange)!r}, which is not among {', '.join(self.classes)}")
        texts = [" ".join(words) for words, _ in sentences]
        made = with_offsets(
            processor, texts, truncation=True, max_length=self.longest(processor), return_attention_mask=False
        )
        labels = [
            _first_tokens(words, offsets, [self._indices[tag] for tag in tags])
            for (words, tags), offsets in zip(sentences, made["offset_mapping"], strict=True)
        ]
        return Encoded(
            columns={"input_ids": Ragged.of(made["input_ids"], padding=processor.pad_token_id)},
            labels=Ragged.of(labels, padding=IGNORED),
            ids=tuple(example.id for example in examples),
            units=np.array([len(row) for row in made["input_ids"]], float),
        )

    # -- learning and scoring -------------------------------------------------------------------------------

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy over words, in nats."""
        from torch.nn.functional import cross_entropy

        known = batch["labels"] != IGNORED
        total = cross_entropy(outputs.logits[known].float(), batch["labels"][known], reduction="sum")
        return total / known.sum().clamp(min=1)

    def terms(self, batch: Mapping[str, Tensor]) -> int:
        """Count the words."""
        return int((batch["labels"] != IGNORED).sum())

    def answers(self, outputs: Any, batch: Mapping[str, Tensor]) -> list[NDArray[np.float32]]:
        """Return the logits at the words, [words, tags] per example."""
        logits, known = outputs.logits.float().cpu().numpy(), (batch["labels"] != IGNORED).cpu().numpy()
        return [row[mask] for row, mask in zip(logits, known, strict=True)]

    def score(self, answers: Sequence[NDArray[np.float32]], examples: Encoded) -> Scored:
        """Score whole entities with seqeval in strict mode; words that were cut off count as `O`."""
        wanted, names = examples.wanted(), self.classes
        assert isinstance(wanted, Ragged)
        sentences = self._sentences(self.named(examples.ids))
        truth, said, predictions = [], [], []
        losses = [_mean_loss(logits, wanted[place]) for place, logits in enumerate(answers)]
        for place, (identity, logits, (_, true_tags)) in enumerate(zip(examples.ids, answers, sentences, strict=True)):
            guesses = [names[int(tag)] for tag in logits.argmax(1)] if len(logits) else []
            guesses += [OUTSIDE if OUTSIDE in names else names[0]] * (len(true_tags) - len(guesses))
            right = sum(a == b for a, b in zip(true_tags, guesses, strict=True))
            truth.append(true_tags)
            said.append(guesses)
            predictions.append(
                {
                    "id": identity,
                    "label": true_tags,
                    "prediction": guesses,
                    "right": right,
                    "loss": round(losses[place], 6),
                }
            )
        for one, value in zip(predictions, self._added(truth, said), strict=True):
            one["f1"] = value
        scores = _word_scores(truth, said) if self.scheme == "words" else _name_scores(truth, said, self.scheme)
        every = [a == b for tags, guesses in zip(truth, said, strict=True) for a, b in zip(tags, guesses, strict=True)]
        words = sum(len(logits) for logits in answers)
        loss = sum(mean * len(logits) for mean, logits in zip(losses, answers, strict=True)) / max(1, words)
        return Scored(
            (
                *scores,
                metric("token_accuracy", float(np.mean(every)), "share of words with the right tag"),
                metric("loss", loss, "mean negative log-likelihood of a word", unit="nat", direction="lower"),
            ),
            tuple(predictions),
        )

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores, which depend on the scheme."""
        own = ("f1", "weighted_f1") if self.scheme == "words" else ("f1", "macro_f1", "precision", "recall")
        return (*own, "token_accuracy", "loss")

    def _added(self, truth: list[list[str]], said: list[list[str]]) -> list[float | None]:
        """Return each sentence's contribution to the F1."""
        if self.scheme == "words":
            return pseudo_values(_counted_words(truth, said), macro_f1)
        one, other = _names(truth, self.scheme), _names(said, self.scheme)
        counts = [[len(a & b), len(b), len(a)] for a, b in zip(one, other, strict=True)]
        return pseudo_values(np.array(counts), f1)


def _first_tokens(words: Sequence[str], offsets: Sequence[tuple[int, int]], tags: Sequence[int]) -> list[int]:
    """Return the tag of its word for each word's first token, and `IGNORED` for the others."""
    ends = np.cumsum([len(word) + 1 for word in words])
    labels = []
    seen = -1
    for begin, end in offsets:
        # A token may begin with the space before its word, but its last character always belongs to the word.
        word = int(np.searchsorted(ends, end - 1, side="right")) if end > begin else -1
        labels.append(tags[word] if word > seen else IGNORED)
        seen = max(seen, word)
    return labels


def _mean_loss(logits: NDArray[np.float32], labels: NDArray[Any]) -> float:
    from scipy.special import log_softmax

    if not len(logits):
        return 0.0
    known = labels[labels != IGNORED]
    return float(-log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(known)), known].mean())


def _names(tags: list[list[str]], scheme: str) -> list[set[tuple[Any, ...]]]:
    """Return the entities of each sentence: kind, begin and end."""
    from seqeval import scheme as schemes

    found = schemes.Entities(tags, getattr(schemes, scheme)).entities
    return [{(name.tag, name.start, name.end) for name in sentence} for sentence in found]


def _counted_words(truth: list[list[str]], said: list[list[str]]) -> NDArray[np.float64]:
    """Count correct, predicted and true words per sentence and tag; shape [sentences, tags, 3]."""
    places = {tag: place for place, tag in enumerate(sorted({tag for tags in (*truth, *said) for tag in tags}))}
    counts = np.zeros((len(truth), len(places), 3))
    for row, (tags, guesses) in enumerate(zip(truth, said, strict=True)):
        for tag, guess in zip(tags, guesses, strict=True):
            counts[row, places[tag], 0] += tag == guess
            counts[row, places[guess], 1] += 1
            counts[row, places[tag], 2] += 1
    return counts


def _name_scores(truth: list[list[str]], said: list[list[str]], scheme: str) -> tuple[Measurement, ...]:
    """Score whole entities: correct if kind, begin and end match."""
    from seqeval import metrics
    from seqeval import scheme as schemes

    how = {"mode": "strict", "scheme": getattr(schemes, scheme)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {
            (name, kind): float(measure(truth, said, average=kind, zero_division=0, **how))
            for name, measure in (
                ("f1", metrics.f1_score),
                ("precision", metrics.precision_score),
                ("recall", metrics.recall_score),
            )
            for kind in ("micro", "macro")
        }
    method = f"seqeval, strict, {scheme}"
    return (
        metric("f1", found["f1", "micro"], f"{method}, over all names"),
        metric("macro_f1", found["f1", "macro"], f"{method}, mean over kinds of names"),
        metric("precision", found["precision", "micro"], f"{method}, over all names"),
        metric("recall", found["recall", "micro"], f"{method}, over all names"),
    )


def _word_scores(truth: list[list[str]], said: list[list[str]]) -> tuple[Measurement, ...]:
    """Score each word on its own."""
    from sklearn.metrics import f1_score

    flat_truth, flat_said = ([tag for tags in lists for tag in tags] for lists in (truth, said))
    names = sorted({*flat_truth, *flat_said})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macro, weighted = (
            f1_score(flat_truth, flat_said, labels=names, average=kind, zero_division=np.nan)
            for kind in ("macro", "weighted")
        )
    return metric("f1", macro, "scikit-learn f1_score of words, mean over tags"), metric(
        "weighted_f1", weighted, "scikit-learn f1_score of words, weighted"
    )
