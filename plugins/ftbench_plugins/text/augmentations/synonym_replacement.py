"""Synonym replacement (Zhang et al. 2015; Wei and Zou 2019)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt, Le
from ftbench import UserError
from ftbench.fingerprint import file_sha256

from .rewriting import TextAugmentation
from .thesaurus import read_thesaurus

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

_SIGNS = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)


@dataclass
class SynonymReplacement(TextAugmentation):
    """Replace words by synonyms from a file of your own (Wei and Zou 2019, arXiv:1901.11196)."""

    file: str
    """File of synonyms, UTF-8: TSV or CSV with a word and its synonyms per line, or JSON that maps words to lists."""
    share: Annotated[float, Gt(0), Le(1)] = 0.1
    """Share of the words to replace, at least one word; the paper's α."""

    @cached_property
    def _synonyms(self) -> Mapping[str, tuple[str, ...]]:
        return read_thesaurus(self._path)

    @property
    def _path(self) -> Path:
        return Path(self.file).expanduser()

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hash of the file.

        Raises:
            UserError: the file is missing or has no synonyms.
        """
        try:
            _ = self._synonyms
        except UserError as error:
            raise UserError(*(f"file: {mistake}" for mistake in error.mistakes)) from None
        return {"synonyms": file_sha256(self._path)}

    def rewrite(self, text: str, rng: np.random.Generator) -> str:
        """Replace max(1, share · words) of the words that have synonyms; keep punctuation and initial capitals."""
        words = text.split()
        parts = [_SIGNS.fullmatch(word) for word in words]
        known = [place for place, match in enumerate(parts) if match and match[2].lower() in self._synonyms]
        if not known:
            return text
        count = min(len(known), max(1, int(self.share * len(words))))
        for place in rng.choice(known, count, replace=False).tolist():
            match = parts[place]
            assert match is not None
            synonyms = self._synonyms[match[2].lower()]
            chosen = synonyms[int(rng.integers(len(synonyms)))]
            chosen = chosen[0].upper() + chosen[1:] if match[2][0].isupper() else chosen
            words[place] = match[1] + chosen + match[3]
        return " ".join(words)
