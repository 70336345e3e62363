"""Language-model objectives on unlabelled text: predict masked tokens, or the next token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ftbench import Encoded, Task
    from torch import Tensor

IGNORED = -100


class MaskedLanguage:
    """Predict masked tokens: of the chosen ones 80 % are masked, 10 % random, 10 % unchanged (Devlin et al. 2019, 3.1).

    Args:
        task: batches its text.
        tokenizer: has the mask and the special tokens, which are never chosen.
        share: share of the other tokens that is chosen.
    """

    def __init__(self, task: Task, tokenizer: Any, share: float) -> None:
        from transformers import DataCollatorForLanguageModeling

        self.task, self.unit = task, task.unit
        self._masking = DataCollatorForLanguageModeling(tokenizer, mlm_probability=share)
        self._special = torch.tensor(tokenizer.all_special_ids)

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Build a batch with a new mask each time; `labels`, [batch, tokens], are the original tokens or -100."""
        batch = self.task.collate(encoded, indices)
        special = torch.isin(batch["input_ids"], self._special)
        ids, labels = self._masking.torch_mask_tokens(batch["input_ids"], special)
        return {**batch, "input_ids": ids, "labels": labels}

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy over the chosen tokens, in nats; 0 if none was chosen."""
        return _mean_over_known(outputs.logits, batch["labels"])

    def terms(self, batch: Mapping[str, Tensor]) -> int:
        """Count the chosen tokens."""
        return int((batch["labels"] != IGNORED).sum())


class CausalLanguage:
    """Predict the next token (Radford et al. 2019, section 2)."""

    def __init__(self, task: Task) -> None:
        self.task, self.unit = task, task.unit

    def collate(self, encoded: Encoded, indices: Sequence[int]) -> dict[str, Tensor]:
        """Build a batch; `labels`, [batch, tokens], are the next tokens, -100 if there is none."""
        batch = self.task.collate(encoded, indices)
        ids, real = batch["input_ids"], batch["attention_mask"].bool()
        following = torch.full_like(ids, IGNORED)
        following[:, :-1] = ids[:, 1:].masked_fill(~real[:, 1:], IGNORED)
        return {**batch, "labels": following}

    def loss(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cross-entropy over the positions that have a next token, in nats."""
        return _mean_over_known(outputs.logits, batch["labels"])

    def terms(self, batch: Mapping[str, Tensor]) -> int:
        """Count the positions that have a next token."""
        return int((batch["labels"] != IGNORED).sum())


def _mean_over_known(logits: Tensor, labels: Tensor) -> Tensor:
    known = labels != IGNORED
    total = cross_entropy(logits[known].float(), labels[known], reduction="sum")
    return total / known.sum().clamp(min=1)
