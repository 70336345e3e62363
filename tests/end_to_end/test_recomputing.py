"""Blocks that are computed again in the backward pass give the gradients they would have given."""

import pytest
import torch
from ftbench import NotApplicable, Training
from ftbench.training.compute import compute_as

from tests.plugins.strategies.test_every_strategy import NOT_APPLICABLE, STRATEGIES, bench_for, encoded  # noqa: F401 - a fixture
from tests.support.tiny_models import KINDS

CPU = torch.device("cpu")
WITHOUT = ("resnet", "convnext", "efficientnet")


def gradients(catalog, encoded, kind, use, *, again, calls=None, precision="fp32", **options):  # noqa: F811
    """Give the gradient of the loss of one batch, by parameter, in training mode with the same draws."""
    task, data, backbone = encoded(kind)
    bench, learner, _ = bench_for(catalog, task, data, backbone, gradient_checkpointing=again, precision=precision)
    compute_as(bench.training, learner, CPU)
    strategy = catalog.build("strategies", use, options)
    strategy.prepare(learner, bench)
    inner = learner.modules("ffn_in")[0]
    if calls is not None:
        inner.register_forward_hook(lambda module, arguments, output: calls.append(output.requires_grad))
    learner.train()
    torch.manual_seed(0)
    batch = {**task.collate(data, range(8)), "rows": torch.arange(8)}
    outputs = learner.forward(batch)
    strategy.loss(learner, batch, outputs, task.loss(outputs, batch)).backward()
    return {name: parameter.grad for name, parameter in learner.model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WITHOUT])
@pytest.mark.parametrize(("use", "options"), [("full", {}), ("lora", {"dropout": 0.1}), ("prefix", {})])
def test_the_gradients_are_the_same(use, options, kind, catalog, encoded):  # noqa: F811
    if (use, kind) in NOT_APPLICABLE:
        return
    calls, again = [], []
    plain = gradients(catalog, encoded, kind, use, again=False, calls=calls, **options)
    found = gradients(catalog, encoded, kind, use, again=True, calls=again, **options)
    assert plain.keys() == found.keys()
    assert any(".0." in name for name in found), "the lowest block has none"
    worst = max(float((plain[name] - found[name]).abs().max()) for name in plain)
    assert worst <= 1e-6
    assert len(calls) == 1
    assert len(again) == 2, "the block was not computed again"


def test_what_was_computed_in_bf16_is_computed_in_bf16_again(catalog, encoded):  # noqa: F811
    plain, found = (
        gradients(catalog, encoded, "vit", "full", again=again, precision="bf16") for again in (False, True)
    )
    assert all(torch.equal(plain[name], found[name]) for name in plain)


@pytest.mark.parametrize("kind", ["bert", "vit"])
@pytest.mark.parametrize("use", [*(use for use in STRATEGIES if use not in ("none", "adaptive_pretraining"))])
def test_every_strategy_ends_where_it_would_have_ended(use, kind, catalog, encoded):  # noqa: F811
    if (use, kind) in NOT_APPLICABLE:
        return
    task, data, backbone = encoded(kind)
    ends = []
    options = {"hidden": 1.0} if use == "distillation" else {"layers": "mix"} if use == "frozen" else {}
    for again in (False, True):
        bench, learner, watch = bench_for(catalog, task, data, backbone, lr=1e-3, gradient_checkpointing=again)
        compute_as(bench.training, learner, CPU)
        strategy = catalog.build("strategies", use, options)
        strategy.prepare(learner, bench)
        strategy.fit(learner, bench)
        ends.append(watch.traces[0].losses)
    assert ends[1] == pytest.approx(ends[0], abs=1e-5)


def test_a_blocks_statistics_move_once_a_step(catalog, encoded):  # noqa: F811
    """No architecture with batch normalisation inside a block is served: they would move twice."""
    for kind in KINDS:
        task, data, backbone = encoded(kind)
        _, learner, _ = bench_for(catalog, task, data, backbone)
        if kind in WITHOUT:
            with pytest.raises(NotApplicable, match=f"{kind} cannot recompute its blocks"):
                compute_as(Training(steps=1, gradient_checkpointing=True), learner, CPU)
        else:
            assert not [m for block in learner.blocks() for m in block.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_what_peft_refuses_is_not_applicable_in_its_own_words(catalog, encoded):  # noqa: F811
    task, data, backbone = encoded("gpt2")
    for again in (False, True):
        bench, learner, _ = bench_for(catalog, task, data, backbone, gradient_checkpointing=again)
        compute_as(bench.training, learner, CPU)
        strategy = catalog.build(
            "strategies", "peft", {"method": "PrefixTuningConfig", "arguments": {"num_virtual_tokens": 4}}
        )
        if not again:
            strategy.prepare(learner, bench)
            continue
        with pytest.raises(
            NotApplicable, match="peft: ValueError: PREFIX_TUNING does not work with gradient checkpointing"
        ):
            strategy.prepare(learner, bench)


def test_with_it_less_is_kept_for_the_backward_pass(catalog, encoded):  # noqa: F811
    kept = []
    for again in (False, True):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, sizes=sizes: (sizes.append(tensor.numel()), tensor)[1], lambda t: t
        ):
            gradients(catalog, encoded, "bert", "full", again=again)
        kept.append(sum(sizes))
    assert kept[1] < 0.7 * kept[0]
