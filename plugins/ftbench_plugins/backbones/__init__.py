"""Backbones: any transformers model by directory or Hub id, and three that work offline."""

from collections.abc import Mapping

from ftbench import Backbone, hookimpl

from .embedded import MiniLM, TinyViT, TinyWav2Vec2
from .hub import Transformers


@hookimpl
def ftbench_backbones() -> Mapping[str, type[Backbone]]:
    """Offer the backbones of this package."""
    return {"minilm": MiniLM, "tiny-vit": TinyViT, "tiny-wav2vec2": TinyWav2Vec2, "transformers": Transformers}
