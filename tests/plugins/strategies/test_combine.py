"""Several strategies at once: each trains what it trains alone, at its own rate, and together they merge."""

import pytest
import torch
from ftbench import NotApplicable, PluginError

from tests.plugins.strategies.test_peft_family import answers, ready  # noqa: F401 - a fixture

PAIRS = [
    ("lora", "bitfit"),
    ("bitfit", "lora"),
    ("adapter", "prompt"),
    ({"use": "adapter", "kind": "parallel"}, "lora"),
    ("prefix", "layernorm"),
    ("lora", "prefix"),
    ("ia3", "adapter"),
    ("lora", "l2sp"),
]


def own(learner):
    head = {id(p) for p in learner.head_parameters()}
    return {name.replace(".base_layer", "") for name, p in learner.trainable() if id(p) not in head}


@pytest.mark.parametrize("kind", ["bert", "vit", "wav2vec2"])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_what_trains_is_what_the_parts_train_and_merging_changes_no_answer(pair, kind, ready):  # noqa: F811
    alone = set()
    for part in pair:
        table = {"use": part} if isinstance(part, str) else dict(part)
        _, learner, *_ = ready(kind, table.pop("use"), **table)
        alone |= own(learner)
    strategy, learner, bench, batch, watch = ready(kind, "combine", parts=list(pair))
    assert own(learner) == alone
    before = {name: p.detach().clone() for name, p in learner.trainable()}
    strategy.fit(learner, bench)
    assert {name.replace(".base_layer", "") for name in watch.traces[0].trained} >= alone
    still = {name for name, p in learner.trainable() if torch.equal(before[name], p)}
    assert all("key" in name or "k_proj" in name or "embeddings" in name or "masked_spec" in name for name in still), (
        still
    )
    given = answers(learner, batch)
    strategy.finish(learner)
    assert torch.allclose(given, answers(learner, batch), atol=1e-5)


def test_an_adapter_behind_an_adapted_matrix_sees_its_update_in_any_order(ready):  # noqa: F811
    lora = {"use": "lora", "targets": ["attention_output"]}
    for parts in ([lora, "adapter"], ["adapter", lora]):
        strategy, learner, bench, batch, _ = ready("vit", "combine", parts=parts)
        strategy.fit(learner, bench)
        before = answers(learner, batch)
        strategy.finish(learner)
        assert torch.allclose(before, answers(learner, batch), atol=1e-5)
        assert not [name for name, _ in learner.model.named_parameters() if "lora" in name]


def test_each_part_learns_at_its_own_rate(ready):  # noqa: F811
    """Full fine-tuning's rate is the backbone's, LoRA's ten times that, a prefix's fifty."""
    strategy, learner, *_ = ready("bert", "combine", parts=["lora", "prefix"])
    scales = {}
    for group in strategy.param_groups(learner):
        for parameter in group["params"]:
            scales[id(parameter)] = group["lr_scale"]
    named = dict(learner.model.named_parameters())
    assert {scales[id(p)] for name, p in named.items() if "lora_" in name} == {1.0}
    assert {scales[id(p)] for name, p in named.items() if "prefix" in name} == {5.0}
    assert {scales[id(p)] for p in learner.head_parameters()} == {1.0}
    assert set(scales) == {id(p) for _, p in learner.trainable()}


def test_parts_that_collide_are_refused_each_with_its_reason(catalog):
    for parts, reason in (
        (["lora", "lora"], "parts[2]: a second part of the same kind"),
        (["lora", "ia3"], "parts[2]: it and an earlier part would both put layers of peft"),
        (["lora", "gradual"], "parts[2]: it freezes and opens as it goes"),
        (["distillation", "lora"], "parts[1]: it trains in its own way"),
    ):
        with pytest.raises(PluginError) as caught:
            catalog.build("strategies", "combine", {"parts": parts})
        assert caught.value.mistakes[0].startswith(reason)


def test_a_part_with_its_own_optimizer_is_not_applicable(ready):  # noqa: F811
    strategy, learner, bench, *_ = ready("bert", "combine", parts=[{"use": "lora", "variant": "lora-fa"}, "bitfit"])
    with pytest.raises(NotApplicable, match="LoRA brings its own optimizer"):
        strategy.fit(learner, bench)


def test_what_one_part_refuses_the_combination_refuses(catalog, model_folder):
    card = catalog.build("backbones", "transformers", {"path": str(model_folder("resnet"))}).card()
    with pytest.raises(NotApplicable, match="resnet has no attention modules"):
        catalog.build("strategies", "combine", {"parts": ["lora", "prefix"]}).check(card)


def test_a_part_that_needs_a_sequence_makes_the_combination_need_one(catalog):
    assert catalog.build("strategies", "combine", {"parts": ["lora", "ewc"]}).needs_sequence
    assert not catalog.build("strategies", "combine", {"parts": ["lora", "bitfit"]}).needs_sequence
    assert catalog.build("strategies", "combine", {"parts": ["lora", "bitfit"]}).starts_within == 0.0
    assert catalog.build("strategies", "combine", {"parts": ["lora", "prompt"]}).starts_within is None
