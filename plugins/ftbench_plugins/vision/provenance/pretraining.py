"""Pretrain `tiny-vit` on Fashion-MNIST: `python -m ftbench_plugins.vision.provenance.pretraining OUTPUT_DIRECTORY`.

Reads the four files of Debian's package `dataset-fashion-mnist` (MIT licence). Takes about 5 minutes on 2 cores. The
weights are rounded to fp16; `card.json` records the figures.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import affine_grid, cross_entropy, grid_sample
from transformers import ViTConfig, ViTForImageClassification

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
SEED = 0
STEPS = 3500
BATCH = 128
MEAN, DEVIATION = 0.3, 0.35
CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def architecture() -> ViTConfig:
    """Return the configuration of the 0.54 M parameter ViT: 28 px, 16 patches of 7 px, four layers of width 128."""
    return ViTConfig(
        image_size=28,
        patch_size=7,
        num_channels=1,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: i for i, name in enumerate(CLASSES)},
    )


def read(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return normalised images [items, 1, 28, 28] and labels [items] of `train` or `t10k`."""
    images = gzip.decompress((FASHION_MNIST / f"{split}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((FASHION_MNIST / f"{split}-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = torch.from_numpy(np.frombuffer(images, np.uint8).reshape(-1, 1, 28, 28).astype(np.float32))
    return (pixels / 255 - MEAN) / DEVIATION, torch.from_numpy(np.frombuffer(labels, np.uint8).astype(np.int64))


def jiggled(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Rotate by up to 8.6 degrees, scale by up to 10 %, shift by up to 2 px; no flips."""
    draws = torch.rand(4, len(images), generator=generator) * 2 - 1
    angle, scale = draws[0] * 0.15, 1 + draws[1] * 0.1
    across, down = draws[2] * 2 / 14, draws[3] * 2 / 14
    rows = [
        torch.stack([angle.cos() * scale, -angle.sin() * scale, across], 1),
        torch.stack([angle.sin() * scale, angle.cos() * scale, down], 1),
    ]
    grid = affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    background = -MEAN / DEVIATION
    return grid_sample(images - background, grid, align_corners=False) + background


def pretrain(output: Path) -> None:
    """Train, print the curve, and write weights, configuration, image processor and card to `output`."""
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    (images, labels), test = read("train"), read("t10k")
    network = ViTForImageClassification(architecture())
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 200, 0.02 + 0.98 * (STEPS - step) / (STEPS - 200))
    )
    curve, recent, started = [], [], time.perf_counter()
    order = torch.randperm(len(images), generator=generator)
    for step in range(1, STEPS + 1):
        if len(order) < BATCH:
            order = torch.randperm(len(images), generator=generator)
        batch, order = order[:BATCH], order[BATCH:]
        loss = cross_entropy(network(jiggled(images[batch], generator)).logits, labels[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rate.step()
        recent.append(loss.detach())
        if step % 500 == 0:
            point = {"step": step, "loss": float(torch.stack(recent).mean()), "test_accuracy": accuracy(network, *test)}
            curve.append({key: round(value, 4) for key, value in point.items()})
            print(f"{time.perf_counter() - started:6.0f} s", curve[-1], flush=True)
            recent.clear()
    save(network, output, {"curve": curve, "steps": STEPS, "data": "Fashion-MNIST, 60,000 training images"})


@torch.no_grad()
def accuracy(network: ViTForImageClassification, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of correctly classified images."""
    network.eval()
    guesses = torch.cat([network(part).logits.argmax(-1) for part in torch.split(images, 1000)])
    network.train()
    return float((guesses == labels).float().mean())


def save(network: ViTForImageClassification, output: Path, card: dict[str, object]) -> None:
    """Write fp16 weights, `config.json`, `preprocessor_config.json` and `card.json`."""
    network.half().save_pretrained(output)
    # Stored in half the bytes, but not to be trained in half precision: `from_pretrained` follows this field.
    network.config.dtype = "float32"
    network.config.save_pretrained(output)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": 28, "width": 28},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN],
        "image_std": [DEVIATION],
    }
    (output / "preprocessor_config.json").write_text(json.dumps(processor, indent=1) + "\n", encoding="utf-8")
    (output / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    pretrain(Path(sys.argv[1]))
