"""Back-translation into another language and back, by two local models (Sennrich et al. 2016; Xie et al. 2020)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le
from ftbench import UserError
from ftbench.fingerprint import file_sha256, remembered

from .rewriting import TextAugmentation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np

    from .translation import Translator

_WEIGHTS = (".safetensors", ".bin")
_READ = (*_WEIGHTS, ".json", ".model", ".spm", ".txt")


@dataclass(kw_only=True)
class BackTranslation(TextAugmentation):
    """Translate into another language and back by two local models (Xie et al. 2020, arXiv:1904.12848, section 3).

    `paraphrases` are sampled of each training text, once, on the CPU, before training begins. They are stored in the
    cache folder for all trials and runs; that takes two translations per text and paraphrase. Each epoch draws one of
    them per text.
    """

    forward: str
    """Directory of the model that translates into the other language: an encoder-decoder saved with its tokenizer."""
    back: str
    """Directory of the model that translates back."""
    probability: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of the examples to paraphrase, drawn again for each example and epoch; the others are not changed."""
    paraphrases: Annotated[int, Ge(1)] = 3
    """Number of paraphrases per training text."""
    temperature: Annotated[float, Gt(0)] = 0.9
    """Sampling temperature of the translations: low is faithful, high is diverse."""
    longest: Annotated[int, Ge(1)] = 128
    """Maximum tokens of a text that is read, and of a translation."""
    prefixes: tuple[str, str] = ("", "")
    """Prefix of the text for each of the two models, such as `translate English to German: ` for T5."""

    _kept: dict[tuple[str, int], str] = field(init=False, repr=False, compare=False, default_factory=dict)
    _translators: dict[str, Translator] = field(init=False, repr=False, compare=False, default_factory=dict)

    def fingerprint(self) -> Mapping[str, Any]:
        """Return the hashes of the models' files.

        Raises:
            UserError: a directory is missing or has no model.
        """
        mistakes = [
            line
            for option in ("forward", "back")
            for line in _mistakes(option, Path(getattr(self, option)).expanduser())
        ]
        if mistakes:
            raise UserError(*mistakes)
        return {option: _hashes(Path(getattr(self, option)).expanduser()) for option in ("forward", "back")}

    @cached_property
    def _identity(self) -> list[Any]:
        software = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
        return [dict(self.fingerprint()), self.temperature, self.longest, list(self.prefixes), software]

    def prepare(self, values: Iterable[tuple[str, ...]], sign: Callable[[], None]) -> None:
        """Paraphrase every text, then release the models."""
        for value in values:
            for text in value:
                for number in range(self.paraphrases):
                    self._paraphrase(text, number)
                    sign()
        self._translators.clear()

    def rewrite(self, text: str, rng: np.random.Generator) -> str:
        """Return one of the paraphrases, or the text itself if the models returned nothing."""
        return self._paraphrase(text, int(rng.integers(self.paraphrases))) or text

    def _paraphrase(self, text: str, number: int) -> str:
        if (text, number) not in self._kept:
            key = json.dumps([self._identity, text, number], sort_keys=True)
            self._kept[text, number] = remembered("paraphrases", key, lambda: self._translated(text, number))
        return self._kept[text, number]

    def _translated(self, text: str, number: int) -> str:
        seed = int.from_bytes(hashlib.sha256(f"{number}\0{text}".encode()).digest()[:4])
        for folder, prefix in ((self.forward, self.prefixes[0]), (self.back, self.prefixes[1])):
            if text.strip():
                text = self._translator(folder).sample(
                    prefix + text, seed=seed, temperature=self.temperature, longest=self.longest
                )
        return text

    def _translator(self, folder: str) -> Translator:
        from .translation import Translator

        if folder not in self._translators:
            self._translators[folder] = Translator(Path(folder).expanduser())
        return self._translators[folder]


def _mistakes(option: str, folder: Path) -> list[str]:
    if not folder.is_dir():
        return [f"{option}: {folder}: no such folder"]
    if not (folder / "config.json").is_file():
        return [f"{option}: {folder}: has no config.json; it must be a directory written by save_pretrained"]
    if not any(path.suffix in _WEIGHTS for path in folder.iterdir()):
        return [f"{option}: {folder}: has no weights (.safetensors or .bin)"]
    return []


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.suffix in _READ}
