"""Speech recognition on user-provided sounds by connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt
from ftbench import Encoded, Ragged, Scored, UserError
from ftbench.fingerprint import digest, remembered
from ftbench.stats import pseudo_values, ratio
from ftbench.tasks import as_text, metric

from .sounds import OwnSounds
from .transcripts import BLANK, beam_search, errors, greedy, needed_frames, normalised, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ftbench import Backbone, Example, InputSpec, Learner, OutputType
    from ftbench.tasks import Severity, Sound
    from numpy.typing import NDArray
    from torch import Tensor

TOO_SHORT = "sound too short for its transcript"
UNKNOWN, NOTHING = "character not among characters", "transcript without a character"
NO_GRADIENT = "are too short for their transcripts and gave no gradient"
MOST_SHORT = 0.5
"""Share of sounds that are too short from which that is an error."""
IGNORED = -100
SPACE = "|"
"""Class name of the space between words."""
ENGLISH = "abcdefghijklmnopqrstuvwxyz' "
UNIFIED = 0x4E00
"""First of the Chinese characters in Unicode: enough letters without capitals to represent any alphabet."""


@dataclass
class SpeechRecognition(OwnSounds):
    """Transcribe sounds of your own, from a table with their transcripts; one output per character."""

    advice: ClassVar[Mapping[str, tuple[Severity, str]]] = {
        **OwnSounds.advice,
        TOO_SHORT: ("warning", "they give no gradient: cut transcripts with their sounds, or raise max_seconds"),
        UNKNOWN: ("error", "correct it, or add it to `characters`"),
        NOTHING: ("warning", "there is nothing to learn from: remove these rows"),
    }
    _short = 0.0

    primary: ClassVar[str] = "word_error_rate"
    answer: ClassVar[OutputType] = "transcript"

    target: str = "text"
    """Column of the transcripts."""
    case: bool = False
    """Whether case counts; otherwise all letters are lower case."""
    language: Literal["", "az", "tr"] = ""
    """Language whose rules of case apply: Azerbaijani and Turkish have two letters i, most others one."""
    punctuation: bool = False
    """Whether punctuation counts; otherwise it is removed, except apostrophes."""
    characters: str = ""
    """All characters to distinguish, in order, including the space; by default all characters of the transcripts."""
    max_seconds: Annotated[float, Gt(0)] = 20.0
    """Longest sound in seconds; longer ones are cut at the end, so their last words cannot be right."""
    beams: Annotated[int, Ge(1)] = 1
    """Beam width of decoding; 1 takes the likeliest output of each frame. Wider beams need flashlight-text."""

    def __post_init__(self) -> None:
        """Check the options that need no data.

        Raises:
            UserError: `UserData` rejects an option, or `characters` has some that occur in no transcript.
        """
        super().__post_init__()
        twice = [sign for place, sign in enumerate(self.characters) if sign in self.characters[:place]]
        if twice:
            raise UserError(f"characters: {twice[0]!r} stands there twice")
        strange = [sign for sign in self.characters if sign != " " and self._plain(sign) != sign]
        if strange:
            raise UserError(
                f"characters: {strange[0]!r} is in no transcript as it is read; "
                "leave it out, or set case or punctuation, which keep it"
            )

    @classmethod
    def without_data(cls, classes: int | None = None) -> Mapping[str, Any]:
        """Return options with this many characters, by default those of English: 26 letters, apostrophe and space."""
        signs = ENGLISH if classes is None else "".join(chr(UNIFIED + number) for number in range(classes))
        return {**super().without_data(), "characters": signs}

    def longest(self) -> float:
        """Return the length of the longest sound in seconds."""
        return self.max_seconds

    def _plain(self, cell: Any) -> str:
        return normalised(as_text(cell), case=self.case, punctuation=self.punctuation, language=self.language)

    @property
    def classes(self) -> tuple[str, ...]:
        """The blank, and the characters: those given, or those of all transcripts."""
        if self.characters:
            return self._outputs(self.characters)
        key = digest([self.reading(), self.case, self.punctuation, self.language])
        return tuple(remembered("classes", key, self._found_characters))

    def _found_characters(self) -> list[str]:
        known: set[str] = set()
        for table in self.tables.values():
            for cell in self.target_cells(table):
                known.update(self._plain(cell))
        if not known - {" "}:
            raise UserError(f"data: {self.name}: column {self.target!r} holds no character that is kept")
        return [*self._outputs(sorted(known))]

    @staticmethod
    def _outputs(signs: Iterable[str]) -> tuple[str, ...]:
        return ("<blank>", *(SPACE if sign == " " else sign for sign in signs))

    def _characters(self) -> list[str]:
        return ["", *(" " if name == SPACE else name for name in self.classes[1:])]

    def outline(self, reads: InputSpec, count: int) -> Encoded:
        """Return sounds with ten spoken characters per second."""
        sounds = Ragged.of([np.zeros(reads.shape, np.float32)] * count, np.float32)
        spoken = Ragged.of([[1] * max(1, round(10 * reads.length))] * count, padding=IGNORED)
        return replace(super().outline(reads, count), columns={reads.name: sounds}, labels=spoken)

    def encode_inputs(
        self, inputs: Iterable[Sound], examples: Sequence[Example[tuple[str, int]]], processor: Any
    ) -> Encoded:
        """Normalise sounds of unequal length; labels are the outputs of the transcript's characters.

        Raises:
            UserError: a transcript has a character that is not among `characters`.
        """
        rate = int(processor.sampling_rate)
        longest = round(self.max_seconds * rate)
        places = {sign: place for place, sign in enumerate(self._characters())}
        clips, labels = [], []
        for whole, example, row in zip(inputs, examples, self.cells(examples, (self.target,)), strict=True):
            clips.append(
                np.asarray(processor(whole.samples[:longest], sampling_rate=rate)["input_values"][0], np.float32)
            )
            said = self._plain(row[self.target])
            lost = next((sign for sign in said if sign not in places), None)
            if lost is not None:
                key, number = example.value
                raise UserError(
                    f"{self.name}: {key} row {number + 1}: "
                    f"holds {lost!r}, which is not among the characters {self.characters!r}"
                )
            labels.append([places[sign] for sign in said])
        return Encoded(
            columns={"input_values": Ragged.of(clips, np.float32)},
            labels=Ragged.of(labels, padding=IGNORED),
            ids=tuple(example.id for example in examples),
            units=np.array([len(clip) / rate for clip in clips]),
        )

    # -- checks ---------------------------------------------------------------------------------------------

    def prepare_inspection(self, backbone: Backbone) -> None:
        """Take how many outputs the network has for a sound."""
        self._frames_of = backbone.frames

    def length_problems(self, row: Mapping[str, Any], samples: int) -> list[str]:
        """Compare the transcript with the outputs of its sound."""
        frames = self._frames_of(samples)
        return [TOO_SHORT] if frames is not None and frames < needed_frames(self._plain(row[self.target])) else []

    def row_problems(self, key: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a transcript."""
        del key
        said = self._plain(row[self.target])
        lost = [sign for sign in said if self.characters and sign not in self.characters]
        if lost:
            yield UNKNOWN, ", ".join(map(repr, dict.fromkeys(lost)))
        elif not said.strip():
            yield NOTHING, repr(as_text(row[self.target])[:40])

    def advice_on(self, problem: str, share: float) -> tuple[Severity, str]:
        """Make sounds that are too short an error if they are most."""
        severity, advice = self.advice[problem]
        return ("error" if problem == TOO_SHORT and share > MOST_SHORT else severity), advice

    def examine_training(self, training: Encoded, learner: Learner) -> None:
        """Compute the share of training sounds that are too short for their transcripts and so give no gradient."""
        import torch

        column, labels = training.columns.get("input_values"), training.labels
        if learner.frames is None or not isinstance(column, Ragged) or not isinstance(labels, Ragged):
            return
        frames = learner.frames(torch.from_numpy(np.diff(column.offsets))).tolist()
        short = [real < needed_frames(labels[row].tolist()) for row, real in enumerate(frames)]
        self._short = sum(short) / max(1, len(short))

    # -- learning and scoring -------------------------------------------------------------------------------

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean over sounds of the transcript's negative log-likelihood over its length, in nats.

        A sound too short for its transcript has no likelihood, and counts as 0.
        """
        from torch.nn.functional import ctc_loss, log_softmax

        log_probability = log_softmax(outputs.logits.float(), -1).transpose(0, 1)
        known = batch["labels"] != IGNORED
        return ctc_loss(
            log_probability, batch["labels"][known], outputs.frames, known.sum(1), blank=BLANK, zero_infinity=True
        )

    def answers(self, outputs: Any, batch: Mapping[str, Tensor]) -> list[NDArray[Any]]:
        """Return the likeliest output of each real frame, [frames] per example.

        For a beam search, return all log-probabilities instead, [frames, outputs].
        """
        del batch
        frames = outputs.frames.tolist()
        found = outputs.logits.argmax(-1) if self.beams == 1 else outputs.logits.float().log_softmax(-1)
        return [row[:real] for row, real in zip(found.cpu().numpy(), frames, strict=True)]

    def score(self, answers: Sequence[NDArray[Any]], examples: Encoded) -> Scored:
        """Score transcripts by word and character errors, computed with jiwer."""
        characters = self._characters()
        rows = self.cells(self.named(examples.ids), (self.target,))
        predictions = []
        for identity, frames, row in zip(examples.ids, answers, rows, strict=True):
            said = (
                greedy(frames.tolist(), characters).strip()
                if self.beams == 1
                else beam_search(frames, characters, self.beams)
            )
            said, right = " ".join(said.split()), self._plain(row[self.target])
            predictions.append({"id": identity, "label": right, "prediction": said, **errors(right, said)})
        kept = [name for name, counts in (("case", self.case), ("punctuation", self.punctuation)) if counts]
        method = (
            f"jiwer, over all words; {' and '.join(kept)} kept"
            if kept
            else "jiwer, over all words; without case and punctuation"
        )
        for of in ("word", "character"):
            counts = np.array([[one[f"{of}_errors"], one[f"{of}s"]] for one in predictions])
            for one, value in zip(predictions, pseudo_values(counts, ratio), strict=True):
                one[f"{of}_error_rate"] = value
        flags = (f"{100 * self._short:.1f} % of the training sounds {NO_GRADIENT}",) if self._short else ()
        whole = float(np.mean([not one["word_errors"] for one in predictions]))
        return Scored(
            (
                replace(metric("word_error_rate", share(predictions, "word"), method, direction="lower"), flags=flags),
                metric(
                    "character_error_rate",
                    share(predictions, "character"),
                    method.replace("words", "characters", 1),
                    direction="lower",
                ),
                metric("exact_match", whole, "share of transcripts without an error"),
            ),
            tuple(predictions),
        )

    def metric_names(self) -> tuple[str, ...]:
        """Return the names of the scores."""
        return ("word_error_rate", "character_error_rate", "exact_match")

    def write_processor(self, learner: Learner, folder: Path) -> None:
        """Write the feature extractor and a tokenizer of the characters, in the format transformers reads."""
        import json

        from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2Processor

        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = folder / "vocab.json"
        vocabulary.write_text(
            json.dumps({name: place for place, name in enumerate(self.classes)}, ensure_ascii=False), encoding="utf-8"
        )
        tokenizer = Wav2Vec2CTCTokenizer(
            str(vocabulary),
            unk_token=SPACE,
            pad_token=self.classes[BLANK],
            word_delimiter_token=SPACE,
            bos_token=None,
            eos_token=None,
        )
        Wav2Vec2Processor(feature_extractor=learner.processor, tokenizer=tokenizer).save_pretrained(folder)
