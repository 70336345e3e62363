"""Compare a model directory's network with its tokenizer and its weights, from small files and headers alone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ftbench import UserError
from ftbench.fingerprint import file_sha256, remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ftbench import ModelCard

_WITHOUT_DEFAULTS = ("PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer")
"""Tokenizer classes that have no special tokens of their own."""
_LAYER = re.compile(r"(.*?(?:^|\.)(?:layer|layers|h|block|blocks))\.(\d+)\.")
_NEEDED = re.compile(r"\.\d+\.|(?<!spec_)embed")
"""Names of tensors of numbered blocks and embeddings, without which a network is not pretrained."""
_SHARED = frozenset({"albert"})
"""Architectures whose layers share weights."""


def check_tokenizer(folder: Path, config: Mapping[str, Any]) -> None:
    """Check that a tokenizer can pad texts, and has no id beyond the embedding.

    Raises:
        UserError: it cannot, or has one.
    """
    mistakes = []
    given = _table(folder / "tokenizer_config.json")
    named = {**_table(folder / "special_tokens_map.json"), **given}
    if given.get("tokenizer_class") in _WITHOUT_DEFAULTS and not (named.get("pad_token") or named.get("eos_token")):
        mistakes.append(f"{folder}: {cannot_pad()}")
    rows = config.get("vocab_size")
    path = folder / "tokenizer.json"
    if isinstance(rows, int) and path.exists():
        largest = remembered("largest-token", file_sha256(path), lambda: _largest_id(_table(path)))
        if largest >= rows:
            mistakes.append(
                f"{folder}: its tokenizer has ids up to {largest:,}, and the embedding has {rows:,} rows (vocab_size): "
                "use the tokenizer of these weights, or resize the embedding and save the model again"
            )
    if mistakes:
        raise UserError(*mistakes)


def cannot_pad() -> str:
    """Return the message for a tokenizer that cannot pad."""
    return (
        "its tokenizer has neither a padding nor an end token, so texts of different lengths cannot share a batch; "
        "set pad_token in tokenizer_config.json"
    )


def check_layers(folder: Path, config: Mapping[str, Any], card: ModelCard, names: Iterable[str]) -> None:
    """Check that weights have all layers of the configuration, if these are one stack of numbered layers.

    Raises:
        UserError: the last layers are missing.
    """
    stacks: dict[str, set[int]] = {}
    for name in names:
        if found := _LAYER.match(name):
            stacks.setdefault(found[1], set()).add(int(found[2]))
    if card.blocks is None or card.architecture in _SHARED or len(stacks) != 1 or "depths" in config:
        return
    ((stack, numbers),) = stacks.items()
    if 1 < len(numbers) < card.blocks:
        lost = sorted(set(range(card.blocks)) - numbers)
        raise UserError(
            f"{folder}: its config.json has {card.blocks} layers, and the weights have {len(numbers)}: "
            f"{', '.join(f'{stack}.{number}' for number in lost[:3])} would be random"
        )


def check_filled(folder: Path, model: Any, fresh: tuple[str, ...], told: Mapping[str, Any]) -> None:
    """Check that the weights filled the model: transformers keeps random values where names or shapes do not match.

    Poolers, masks and heads may be missing, as they are from weights saved for another purpose.

    Raises:
        UserError: a tensor of an embedding or of a numbered block was not filled, or more than half of all outside the
            head.
    """
    names = [name for name, _ in model.named_parameters() if not any(name.startswith(f"{module}.") for module in fresh)]
    unfilled = {*told["missing_keys"], *(name for name, *_ in told["mismatched_keys"])}
    lost = [name for name in names if name in unfilled]
    needed = [name for name in lost if _NEEDED.search(name)]
    if needed or 2 * len(lost) > len(names):
        raise UserError(
            f"{folder}: its weights are not those of its config.json: "
            f"{len(lost)} of {len(names)} tensors are not there, such as {', '.join((needed or lost)[:3])}"
        )


def _table(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _largest_id(tokenizer: Mapping[str, Any]) -> int:
    """Return the largest id of a `tokenizer.json`; -1 if it has none."""
    vocabulary = (tokenizer.get("model") or {}).get("vocab") or {}
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else [len(vocabulary) - 1]
    ids += [one.get("id", -1) for one in tokenizer.get("added_tokens") or ()]
    return max((number for number in ids if isinstance(number, int)), default=-1)
