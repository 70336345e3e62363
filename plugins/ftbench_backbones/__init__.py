"""Backbones: any transformers model by directory or hub id, and the three that need no network."""

from collections.abc import Mapping

from ftbench import Backbone, hookimpl

from .embedded import MiniLM, TinyViT, TinyWav2Vec2
from .hub import Transformers


@hookimpl
def ftbench_backbones() -> Mapping[str, type[Backbone]]:
    """Offer what this package has."""
    return {"minilm": MiniLM, "tiny-vit": TinyViT, "tiny-wav2vec2": TinyWav2Vec2, "transformers": Transformers}
