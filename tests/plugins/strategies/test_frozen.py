"""Feature extraction: from the last layer, from one within, from a learnt mix of all."""

import pytest
import torch
from ftbench import NotApplicable, UserError

from tests.plugins.strategies.test_peft_family import answers, ready  # noqa: F401 - a fixture
from tests.support.tiny_models import build


def test_features_of_a_layer_are_those_of_the_network_cut_there(ready):  # noqa: F811
    _, learner, _, batch, _ = ready("vit", "frozen", layers=1)
    _, whole, *_ = ready("vit", "none")
    with torch.no_grad():
        hidden = whole.model.vit.layers[0](whole.model.vit.embeddings(batch["pixel_values"]))
        expected = whole.model.classifier(whole.model.vit.layernorm(hidden)[:, 0])
    assert torch.allclose(answers(learner, batch), expected, atol=1e-6)
    assert len(learner.blocks()) == len(learner.modules("query")) == 1


def test_the_last_layer_of_all_is_the_default(ready):  # noqa: F811
    _, learner, _, batch, _ = ready("bert", "frozen", layers=2)
    _, plain, *_ = ready("bert", "frozen")
    assert torch.equal(answers(learner, batch), answers(plain, batch))


def test_a_mix_of_layers_is_transformers_weighted_layer_sum(ready):  # noqa: F811
    strategy, learner, bench, batch, _ = ready("wav2vec2", "frozen", layers="mix")
    theirs = build("wav2vec2", labels=10).eval()
    theirs.config.use_weighted_layer_sum = True
    theirs.layer_weights = torch.nn.Parameter(torch.ones(3) / 3)
    theirs.load_state_dict({k: v for k, v in learner.model.state_dict().items() if "ftbench" not in k}, strict=False)
    with torch.no_grad():
        assert torch.allclose(answers(learner, batch), theirs(batch["input_values"]).logits, atol=1e-6)
        learner.model.ftbench_layer_mix.weights.copy_(torch.tensor([0.3, -1.0, 2.0]))
        theirs.layer_weights.copy_(learner.model.ftbench_layer_mix.weights)
        assert torch.allclose(answers(learner, batch), theirs(batch["input_values"]).logits, atol=1e-6)
    strategy.fit(learner, bench)
    assert not torch.equal(learner.model.ftbench_layer_mix.weights.detach(), theirs.layer_weights.detach())


@pytest.mark.parametrize("kind", ["bert", "gpt2", "vit", "wav2vec2", "whisper", "audio-spectrogram-transformer"])
def test_a_mix_adds_one_weight_a_layer_and_one_for_the_input(kind, ready):  # noqa: F811
    _, learner, *_ = ready(kind, "frozen", layers="mix")
    head = {id(p) for p in learner.head_parameters()}
    assert sum(p.numel() for _, p in learner.trainable() if id(p) not in head) == 3


def test_the_backbone_stays_and_a_block_cut_off_is_never_run(ready):  # noqa: F811
    strategy, learner, bench, _, watch = ready("bert", "frozen", layers=1)
    before = {name: p.detach().clone() for name, p in learner.model.bert.named_parameters()}
    strategy.fit(learner, bench)
    assert all(torch.equal(before[name], p) for name, p in learner.model.bert.named_parameters())
    assert set(watch.traces[0].trained) == {"classifier.weight", "classifier.bias"}


def test_what_the_backbone_does_not_have_is_refused_before_anything_is_loaded(catalog, model_folder):
    def card(kind):
        return catalog.build("backbones", "transformers", {"path": str(model_folder(kind))}).card()

    for options, message in (
        ({"layers": 3}, "layers: 3 is beyond the 2 blocks"),
        ({"last_k": 3}, "last_k: 3 is beyond the 2 blocks"),
    ):
        with pytest.raises(UserError, match=message):
            catalog.build("strategies", "frozen", options).check(card("bert"))
    for kind in ("resnet", "swin"):
        with pytest.raises(NotApplicable, match="layers of different shapes"):
            catalog.build("strategies", "frozen", {"layers": "mix"}).check(card(kind))
