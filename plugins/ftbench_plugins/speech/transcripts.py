"""Normalise transcripts, decode a network's frames into transcripts, and count errors."""

from __future__ import annotations

import unicodedata
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from ftbench import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BLANK = 0
"""Output for no character."""


SMALL = {"": str.maketrans("İ", "i"), "az": str.maketrans("İI", "iı"), "tr": str.maketrans("İI", "iı")}
"""Language → letters whose small form is not the one of most languages; a dotted İ has no small form of its own."""


def normalised(text: str, *, case: bool, punctuation: bool, language: str = "") -> str:
    """Return a transcript in NFC form with single spaces; remove case and punctuation if they do not count.

    Args:
        text: the transcript.
        case: whether case counts.
        punctuation: whether punctuation counts.
        language: a language of `SMALL` whose rules of case apply.
    """
    text = unicodedata.normalize("NFC", text)
    if not case:
        # Small letters with accents may have a composed form that their capitals lack.
        text = unicodedata.normalize("NFC", text.translate(SMALL[language]).lower())
    if not punctuation:
        # Apostrophes are part of words.
        text = "".join(
            sign if sign == "'" or unicodedata.category(sign)[0] not in "PS" else " " for sign in text.replace("’", "'")
        )
    return " ".join(text.split())


def needed_frames(transcript: Sequence[Any]) -> int:
    """Return the fewest outputs that can be a transcript: one a character, and a blank between two equal ones."""
    return len(transcript) + sum(bool(one == other) for one, other in pairwise(transcript))


def greedy(frames: Iterable[int], characters: Sequence[str]) -> str:
    """Decode the likeliest output of each frame: merge repeats, then drop blanks (Graves et al. 2006, section 3.1)."""
    return "".join(characters[output] for output, _ in groupby(frames) if output != BLANK)


def beam_search(log_probability: NDArray[np.float32], characters: Sequence[str], beams: int) -> str:
    """Find the likeliest transcript over all alignments, by a beam search without a language model.

    Args:
        log_probability: log-probability of each output, [frames, outputs].
        characters: the character of each output; the first is the blank.
        beams: beam width.

    Raises:
        UserError: flashlight-text is not installed.
    """
    try:
        from flashlight.lib.text import decoder
    except ImportError:
        raise UserError("beams: more than 1 needs flashlight-text: pip install 'ftbench[beam]'") from None
    options = decoder.LexiconFreeDecoderOptions(
        beam_size=beams,
        beam_size_token=len(characters),
        beam_threshold=50.0,
        lm_weight=0.0,
        sil_score=0.0,
        log_add=True,
        criterion_type=decoder.CriterionType.CTC,
    )
    search = decoder.LexiconFreeDecoder(options, decoder.ZeroLM(), -1, BLANK, [])
    emissions = np.ascontiguousarray(log_probability, np.float32)
    best = search.decode(emissions.ctypes.data, *emissions.shape)[0]
    return greedy([output for output in best.tokens if output >= 0], characters).strip()


def errors(right: str, said: str) -> dict[str, int]:
    """Count the words and characters of a transcript, and the errors in both by the shortest edit."""
    import jiwer

    words, characters = jiwer.process_words(right, said), jiwer.process_characters(right, said)
    return {
        "words": len(right.split()),
        "word_errors": words.substitutions + words.deletions + words.insertions,
        "characters": len(right),
        "character_errors": characters.substitutions + characters.deletions + characters.insertions,
    }


def share(counts: Sequence[dict[str, Any]], of: str) -> float:
    """Return the errors of all transcripts over their total length; long transcripts weigh more."""
    return float(sum(one[f"{of}_errors"] for one in counts) / max(1, sum(one[f"{of}s"] for one in counts)))
