"""What is counted and what is stored: for every value of every option, what rebuilds the tuned model and no more."""

import pytest
import torch
from ftbench import NotApplicable
from ftbench.api.protocol import Training
from ftbench.testing.variants import variants
from ftbench.training.accounting.accounting import account
from ftbench.training.accounting.tuned import trained_parameters, tuned
from ftbench.training.bench import StageData

from tests.plugins.strategies.test_every_strategy import STRATEGIES, bench_for, encoded  # noqa: F401 - a fixture
from tests.support.tiny_models import TEXT

NEEDED = {
    "combine": {"parts": ["lora", "bitfit"]},
    "peft": {"method": "loha"},
    "adaptive_pretraining": {"epochs": 1},
    "replay": {"memory": 8},
}
"""Options without a default, or whose default would take long."""
MORE = {
    "adaptive_pretraining": [{"then": {"use": "lora"}}, {"then": {"use": "prefix", "projection": True}}],
    "combine": [{"parts": ["full", "lora"]}, {"parts": ["adalora", "prompt"]}, {"parts": ["prefix", "layernorm"]}],
    "peft": [{"method": "p_tuning", "arguments": {"num_virtual_tokens": 4}}, {"method": "vera"}, {"method": "oft"}],
    "adalora": [{"targets": ["query", "ffn_in"]}],
    "lora": [{"variant": "lora-fa", "targets": ["query", "ffn_in"]}],
}
STILL = ("embeddings", "wpe", "wte", "ftbench_prompts", "key.bias", "k_proj.bias", "lora_A", "masked_spec_embed")
"""Parts of names of tensors that may be unchanged though they train."""


def cases(catalog, use):
    cls, base = catalog.find("strategies", use), NEEDED.get(use, {})
    wanted = [base, *({**base, option: value} for option, value in variants(cls))]
    wanted += [{**base, **more} for more in MORE.get(use, [])]
    return [options for options in wanted if not catalog.mistakes(cls, options)]


def train(catalog, use, options, of, *, draw=0, fit=True):
    task, data, backbone = of
    stages = 2 if catalog.build("strategies", use, options).needs_sequence else 1
    bench, learner, watch = bench_for(catalog, task, data, backbone, stages=stages)
    strategy = catalog.build("strategies", use, options)
    strategy.check(backbone.card())
    if draw:
        torch.manual_seed(draw)
        for parameter in learner.head_parameters():
            torch.nn.init.normal_(parameter)
    strategy.prepare(learner, bench)
    for number in range(stages if fit else 0):
        bench.stage = number
        learner.activate(f"task-{number}", task)
        strategy.fit(learner, bench)
        if number + 1 < stages:
            strategy.end_stage(learner, bench)
    if not fit:
        learner.activate(f"task-{stages - 1}", task)
    return strategy, learner, watch


@torch.no_grad()
def answers(learner, of):
    learner.eval()
    return learner.forward(of[0].collate(of[1], range(8))).logits


def what_is_stored(strategy, learner, watch):
    chosen = {id(p) for p in (*trained_parameters(learner, watch.traces), *learner.adopted)}
    trained = {name: p for name, p in learner.named_parameters() if id(p) in chosen}
    return trained, {**strategy.stored(learner, trained), **learner.moving_statistics()}


def restored(learner, stored):
    """Copy stored tensors into a learner; return the names of those that it does not hold in this form."""
    own = {**dict(learner.named_parameters()), **dict(learner.named_buffers())}
    other = [name for name, tensor in stored.items() if name not in own or own[name].shape != tensor.shape]
    with torch.no_grad():
        for name, tensor in stored.items():
            if name not in other:
                own[name].copy_(tensor)
    return other


EVERY = (*STRATEGIES, "peft", "combine")
CASES = [*((use, "bert") for use in EVERY), *((use, "resnet") for use in ("full", "frozen", "layernorm", "combine"))]


def test_every_strategy_of_the_package_is_looked_at(catalog):
    own = {
        use
        for use, cls in catalog.offers["strategies"].items()
        if cls.__module__.startswith("ftbench_plugins.strategies")
    }
    assert set(EVERY) == own


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.parametrize(("use", "kind"), CASES)
def test_what_is_stored_rebuilds_the_model_is_all_that_is_counted_and_is_predicted(use, kind, catalog, encoded):  # noqa: F811
    of = encoded(kind)
    for options in cases(catalog, use):
        try:
            strategy, learner, watch = train(catalog, use, options, of)
        except NotApplicable:
            continue
        trained, stored = what_is_stored(strategy, learner, watch)
        found = tuned(learner, strategy, trained.values())
        if not trained:
            assert use == "none"
            assert (found.parameters, found.stored_bytes) == (0, 0)
            continue
        assert found.stored_bytes == sum(tensor.nbytes for tensor in stored.values()), options
        assert found.parameters == sum(p.numel() for p in trained.values()), options
        if not any(isinstance(value, tuple) for value in options.values()):  # another role counts in the same way
            assert_predicted(catalog, use, options, of, found)
        _, other, _ = train(catalog, use, options, of, draw=1, fit=False)
        before = {**dict(other.named_parameters()), **dict(other.named_buffers())}
        before = {name: tensor.detach().clone() for name, tensor in before.items()}
        changed_form = restored(other, stored)
        if changed_form:
            assert found.stored_bytes < sum(p.nbytes for p in trained.values()), options
            strategy.finish(learner)
            continue
        assert torch.equal(answers(learner, of), answers(other, of)), options
        idle = [name for name, tensor in stored.items() if torch.equal(tensor, before[name])]
        assert use == "gradual" or all(any(part in name for part in STILL) for name in idle), (options, idle)


def assert_predicted(catalog, use, options, of, found):
    """Compare the simulation's counts with those of a training, where it can be simulated."""
    task, data, backbone = of
    stages = 2 if catalog.build("strategies", use, options).needs_sequence else 1
    protocol = Training(steps=4, batch_size=8, lr=1e-2)
    grounds = [StageData(f"task-{number}", task, protocol, {"train": data}) for number in range(stages)]
    try:
        foreseen = account(backbone, catalog.build("strategies", use, options), grounds, catalog)
    except NotApplicable:
        assert use in ("adaptive_pretraining", "peft"), options
        return
    except NotImplementedError:
        assert use == "peft", options
        return
    assert foreseen.trainable_parameters == found.parameters, options
    if use != "adalora" or "targets" not in options:  # where matrices differ in size, ranks decide
        assert foreseen.stored_bytes == found.stored_bytes, options


def test_projected_prefixes_are_stored_as_prefixes(catalog, encoded):  # noqa: F811
    of = encoded("bert")
    strategy, learner, watch = train(catalog, "prefix", {"projection": True}, of)
    _, stored = what_is_stored(strategy, learner, watch)
    strategy.finish(learner)
    kept = torch.cat([torch.cat([one.keys, one.values], 1) for one in learner.model.ftbench_prefixes], 1)
    assert torch.equal(stored["ftbench_prefixes"], kept)
    head = sum(p.nbytes for p in learner.head_parameters())
    assert sum(tensor.nbytes for tensor in stored.values()) == kept.nbytes + head


def test_a_pretraining_counts_as_training_of_all_that_it_moves(catalog, encoded):  # noqa: F811
    of = encoded("bert")
    strategy, learner, watch = train(catalog, "adaptive_pretraining", {"epochs": 1, "then": "bitfit"}, of)
    trained, _ = what_is_stored(strategy, learner, watch)
    assert of[1].labels is not None
    assert "bert" in TEXT
    untouched = {name for name, _ in learner.named_parameters()} - set(trained)
    assert untouched == {"bert.pooler.dense.weight"}, (
        "the language model has no pooler, and BitFit trains its bias only"
    )
    found = tuned(learner, strategy, trained.values())
    assert found.parameters == 23_586 - 32 * 32
