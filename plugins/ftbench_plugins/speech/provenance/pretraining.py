"""Pretrain `tiny-wav2vec2`: `python -m ftbench_plugins.speech.provenance.pretraining OUTPUT_DIRECTORY`.

Phoneme CTC on 1,200 synthesised English words (none of the commands), 67 voices, coloured noise at 10 to 30 dB. Takes
about 25 minutes on 2 cores. The weights are rounded to fp16; `card.json` records the figures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

from ..acoustics import coloured_noise
from .synthesiser import SAMPLE_RATE
from .words import Clips, speak_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SEED = 0
STEPS = 5040
BATCH = 64
HELD_OUT = 512
FRAME = 640


def architecture(phonemes: int) -> Wav2Vec2Config:
    """Return the configuration of the 1.5 M parameter encoder: 40 ms frames, four pre-norm layers of width 160."""
    return Wav2Vec2Config(
        vocab_size=phonemes + 1,
        hidden_size=160,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        conv_dim=(128, 128, 128, 128),
        conv_kernel=(160, 8, 4, 4),
        conv_stride=(40, 4, 2, 2),
        conv_bias=True,
        num_feat_extract_layers=4,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        classifier_proj_size=160,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
        ctc_loss_reduction="mean",
        ctc_zero_infinity=True,
    )


def gabor_filters(pairs: int = 64, width: int = 160) -> torch.Tensor:
    """Return quadrature pairs of windowed cosines and sines at mel-spaced 100 to 7,200 Hz.

    The shape is [2 * pairs, 1, width].
    """
    mel = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 7200 / 700), pairs)
    frequency = 700 * (10 ** (mel / 2595) - 1)
    phase = 2 * np.pi * frequency[:, None] * np.arange(width)[None] / SAMPLE_RATE
    filters = np.concatenate([np.cos(phase), np.sin(phase)]) * np.hanning(width)
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    return torch.tensor(filters[:, None], dtype=torch.float32)


class Batches:
    """Batches of clips at random positions in a common window, with new noise each time."""

    def __init__(self, clips: Clips, members: NDArray[np.int64], letters: str, rng: np.random.Generator) -> None:
        self.clips, self.members, self.rng = clips, members, rng
        self.codes = {letter: code + 1 for code, letter in enumerate(letters)}
        self.noises = np.stack([coloured_noise(rng, 4 * SAMPLE_RATE) for _ in range(200)])

    def endless(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches endlessly; clips of similar length share a batch, pools of 20 batches keep the order random."""
        while True:
            order = self.rng.permutation(self.members)
            for begin in range(0, len(order) - 20 * BATCH + 1, 20 * BATCH):
                pool = order[begin : begin + 20 * BATCH]
                pool = pool[np.argsort(self.clips.lengths[pool], kind="stable")]
                for number in self.rng.permutation(20):
                    yield self.batch(pool[number * BATCH : (number + 1) * BATCH])

    def batch(self, members: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sounds [clips, samples], zero mean, unit variance, and labels [clips, longest], padded with -100."""
        longest = int(self.clips.lengths[members].max())
        window = SAMPLE_RATE if self.rng.random() < 1 / 8 else longest + int(self.rng.uniform(0.05, 0.3) * SAMPLE_RATE)
        window = min(SAMPLE_RATE, -(-window // FRAME) * FRAME)
        sounds = np.zeros((len(members), window), np.float32)
        labels = np.full((len(members), max(len(self.clips.phonemes[m]) for m in members)), -100)
        for row, member in enumerate(members):
            length, start = self.clips.lengths[member], self.clips.starts[member]
            clip = self.clips.samples[start : start + length].astype(np.float32) / 32768
            place = int(self.rng.integers(0, window - length + 1))
            noise = self.noises[self.rng.integers(200)]
            shift = int(self.rng.integers(0, len(noise) - window))
            level = np.sqrt(np.mean(clip**2) / 10 ** (self.rng.uniform(10, 30) / 10))
            sounds[row] = noise[shift : shift + window] * level
            sounds[row, place : place + length] += clip
            codes = [self.codes[letter] for letter in self.clips.phonemes[member]]
            labels[row, : len(codes)] = codes
        sounds = (sounds - sounds.mean(1, keepdims=True)) / np.sqrt(sounds.var(1, keepdims=True) + 1e-7)
        return torch.from_numpy(sounds), torch.from_numpy(labels)


@torch.no_grad()
def phoneme_error_rate(network: Wav2Vec2ForCTC, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Decode greedily and return edits over reference phonemes."""
    network.eval()
    edits = total = 0
    for sounds, labels in batches:
        best = network(sounds).logits.argmax(-1)
        for guess, label in zip(best, labels, strict=True):
            merged = torch.unique_consecutive(guess)
            edits += _distance(merged[merged != 0].tolist(), label[label >= 0].tolist())
            total += int((label >= 0).sum())
    network.train()
    return edits / total


def _distance(one: list[int], other: list[int]) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row, before = [i], row
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b)))
    return row[-1]


def pretrain(output: Path) -> None:
    """Train, print the curve, and write weights, configuration, feature extractor and card to `output`."""
    started = time.perf_counter()
    clips = speak_words()
    letters = "".join(sorted(set("".join(clips.phonemes))))
    print(f"{len(clips.phonemes)} clips, {len(letters)} phonemes, {time.perf_counter() - started:.0f} s", flush=True)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    members = rng.permutation(len(clips.phonemes))
    held_out = Batches(clips, members[:HELD_OUT], letters, np.random.default_rng(SEED + 1))
    checks = [held_out.batch(part) for part in np.split(members[:HELD_OUT], HELD_OUT // BATCH)]
    network = Wav2Vec2ForCTC(architecture(len(letters)))
    with torch.no_grad():
        network.wav2vec2.feature_extractor.conv_layers[0].conv.weight.copy_(gabor_filters())
    curve = _train(network, Batches(clips, members[HELD_OUT:], letters, rng), checks)
    _save(network, output, {"curve": curve, "phonemes": letters, "clips": len(clips.phonemes), "steps": STEPS})


def _train(
    network: Wav2Vec2ForCTC, batches: Batches, checks: list[tuple[torch.Tensor, torch.Tensor]]
) -> list[dict[str, float]]:
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 200, 0.02 + 0.98 * (STEPS - step) / (STEPS - 200))
    )
    network.train()
    curve: list[dict[str, float]] = []
    recent, started = [], time.perf_counter()
    for step, (sounds, labels) in zip(range(1, STEPS + 1), batches.endless(), strict=False):
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(sounds, labels=labels).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rate.step()
        recent.append(loss.detach())
        if step % 360 == 0:
            rates = phoneme_error_rate(network, checks)
            mean = float(torch.stack(recent).mean())
            curve.append({"step": step, "loss": round(mean, 4), "held_out_phoneme_error_rate": round(rates, 4)})
            print(f"{time.perf_counter() - started:6.0f} s", curve[-1], flush=True)
            recent.clear()
    return curve


def _save(network: Wav2Vec2ForCTC, output: Path, card: dict[str, object]) -> None:
    network.half().save_pretrained(output)
    # Stored in half the bytes, but not to be trained in half precision: `from_pretrained` follows this field.
    network.config.dtype = "float32"
    network.config.save_pretrained(output)
    Wav2Vec2FeatureExtractor(sampling_rate=SAMPLE_RATE, return_attention_mask=False).save_pretrained(output)
    (output / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    pretrain(Path(sys.argv[1]))
