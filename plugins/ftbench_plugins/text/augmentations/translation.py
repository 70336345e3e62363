"""Translate with a local sequence-to-sequence model by sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftbench import UserError

if TYPE_CHECKING:
    from pathlib import Path


class Translator:
    """Any encoder-decoder of transformers in a directory, on the CPU; the global random generator is not affected."""

    def __init__(self, folder: Path) -> None:
        """Load model and tokenizer.

        Raises:
            UserError: they cannot be loaded.
        """
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        try:
            with torch.random.fork_rng(devices=[]):
                self._tokenizer: Any = AutoTokenizer.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
                model: Any = AutoModelForSeq2SeqLM.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
                )
            self._model = model.eval()
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"{folder}: cannot be loaded as a translator: {reason}") from None

    def sample(self, text: str, *, seed: int, temperature: float, longest: int) -> str:
        """Translate one text on its own, so that the result does not depend on other texts.

        Args:
            text: the text; cut off after `longest` tokens.
            seed: the same seed gives the same translation.
            temperature: sampling temperature.
            longest: maximum tokens of the translation.
        """
        import torch

        encoded = self._tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
        inputs = {name: tensor for name, tensor in encoded.items() if name in ("input_ids", "attention_mask")}
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            made = self._model.generate(
                **inputs,
                do_sample=True,
                temperature=temperature,
                top_k=0,
                num_beams=1,
                max_length=None,
                max_new_tokens=longest,
            )
        return str(self._tokenizer.decode(made[0], skip_special_tokens=True)).strip()
