"""Networks of base size with uninitialised weights, for counting parameters."""

from __future__ import annotations

import torch
from ftbench import Learner

from ftbench_plugins.backbones.architectures import ARCHITECTURES
from ftbench_plugins.backbones.loading import make_card


class Countable:
    """Minimal bench for `Strategy.prepare`; nothing is trained."""

    device, seed, steps, per_epoch = torch.device("cpu"), 0, 100, 10
    training = type("Protocol", (), {"lr": 1e-3, "weight_decay": 0.0, "batch_size": 16})

    def loader(self) -> Countable:
        """Return an object with the loader's length; nothing else of it is used."""
        return self

    def generator(self, purpose: str) -> None:
        """Return no generator: nothing is drawn."""


def base_config(kind: str):
    """Return the configuration of a base-size network with two classes."""
    import transformers as t

    made = {
        "bert": t.BertConfig,
        "roberta": lambda: t.RobertaConfig(vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1),
        "gpt2": t.GPT2Config,
        "vit": t.ViTConfig,
        "wav2vec2": t.Wav2Vec2Config,
        "audio-spectrogram-transformer": t.ASTConfig,
        "resnet": t.ResNetConfig,
    }[kind]()
    made.num_labels = 2
    return made


def base_model(config):
    """Return the classifier of a configuration, on the meta device."""
    import transformers as t

    auto = {"text": t.AutoModelForSequenceClassification, "vision": t.AutoModelForImageClassification}
    with torch.device("meta"):
        return auto.get(ARCHITECTURES[config.model_type].modality, t.AutoModelForAudioClassification).from_config(
            config
        )


def learner_of(kind: str, model, config=None) -> Learner:
    """Return a learner for a model, without a processor; its card follows from the configuration, if that is given."""
    card = make_card({**(config or {}), "model_type": kind}, licence="", source="", full_lr=1e-3)
    return Learner(model, ARCHITECTURES[kind].resolve(model), None, card)


def base_size_learner(kind: str, **changes) -> Learner:
    """Return a learner of base size; `changes` are fields of its configuration."""
    config = base_config(kind)
    for name, value in changes.items():
        setattr(config, name, value)
    return learner_of(kind, base_model(config).to_empty(device="cpu").eval())


def trained_outside_the_head(learner: Learner) -> int:
    """Return the number of trained parameters outside the head."""
    head = {id(parameter) for parameter in learner.head_parameters()}
    return sum(parameter.numel() for _, parameter in learner.trainable() if id(parameter) not in head)
