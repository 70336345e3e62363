"""Accounting: hand-derived figures, torch's own counter, and fake tensors against real ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ftbench import NotApplicable, Training
from ftbench.api.encoded import Encoded, Ragged
from ftbench.meters import StageData, account
from ftbench.training.accounting.cuda_kernels import efficient_attention
from ftbench.training.accounting.memory_tracker import LiveMemory, _formulas
from ftbench.training.accounting.simulated_training import SimulatedTraining

from tests.support.tiny_models import SPEECH, TEXT

EIGHT = ("full", "frozen", "lora", "adapter", "prefix", "bitfit", "distillation", "ewc")


def built(catalog, path, labels=("a", "b"), **options):
    """Return a backbone and a task of its modality, whose data are never read."""
    backbone = catalog.build("backbones", "transformers", {"path": str(path), **options})
    kind = {"text": "text-classification", "vision": "image-classification", "speech": "audio-classification"}
    return backbone, catalog.build(
        "tasks", kind[backbone.outline_card().modality], {"data": "nowhere", "labels": list(labels)}
    )


def grounds(backbone, task, strategy, *, examples=None, length=None, **training):
    protocol = Training(**{"batch_size": 4, "lr": 1e-3, **training})
    examples = examples or task.outline(backbone.reads(length), 8)
    one = StageData("task", task, protocol, {"train": examples})
    return [one, replace(one, label="other")] if strategy.needs_sequence else [one]


def accounted(catalog, path, use, *, length=None, examples=None, training=None, options=None, **how):
    backbone, task = built(catalog, path)
    strategy = catalog.build("strategies", use, options or {})
    stages = grounds(backbone, task, strategy, length=length, examples=examples, **(training or {}))
    return account(backbone, strategy, stages, catalog, **how)


# -- the tracker -------------------------------------------------------------------------------------------------------


def test_a_linear_layer_takes_what_is_counted_by_hand():
    """Forward 2·b·d·k, backward twice that without the input's gradient; optimizer 8 B a parameter, 4 B a tensor."""
    b, d, k = 8, 16, 32
    with LiveMemory() as memory:
        layer = torch.nn.Linear(d, k)
        optimizer = torch.optim.AdamW(layer.parameters(), fused=True)
        memory.mark(layer.parameters(), "parameters")
        inputs = torch.randn(b, d)
        before = memory.flops
        layer(inputs).sum().backward()
        assert memory.flops - before == 2 * b * d * k + 2 * b * d * k
        memory.mark((p.grad for p in layer.parameters()), "gradients")
        optimizer.step()
        memory.mark([t for state in optimizer.state.values() for t in state.values()], "optimizer")
    parameters = d * k + k
    assert memory.live["parameters"] == 4 * parameters
    assert memory.live["gradients"] == 4 * parameters
    assert memory.live["optimizer"] == 8 * parameters + 4 * 2
    assert memory.live["activations"] == 4 * b * d


def test_adamw_keeps_two_numbers_a_parameter_and_the_peak_is_in_its_update():
    """Loshchilov & Hutter 2019, algorithm 2: m, v and a step count a tensor, live with parameters and gradients."""
    b, d, k, e = 4, 64, 48, 32
    with LiveMemory() as memory:
        layers = torch.nn.Sequential(torch.nn.Linear(d, k), torch.nn.ReLU(), torch.nn.Linear(k, e))
        optimizer = torch.optim.AdamW(layers.parameters(), fused=True)
        memory.mark(layers.parameters(), "parameters")
        inputs = torch.randn(b, d)
        layers(inputs).sum().backward()
        memory.mark((p.grad for p in layers.parameters()), "gradients")
        optimizer.step()
        memory.mark([t for state in optimizer.state.values() for t in state.values()], "optimizer")
    parameters, tensors = d * k + k + k * e + e, 4
    found = memory.footprint()
    assert (found.parameters, found.gradients) == (4 * parameters, 4 * parameters)
    assert found.optimizer == 2 * 4 * parameters + 4 * tensors
    assert found.activations == 4 * b * d
    assert found.total == 16 * parameters + 4 * tensors + 4 * b * d


@pytest.mark.parametrize(
    ("cls", "options", "numbers"), [("SGD", {}, 0), ("SGD", {"momentum": 0.9}, 1), ("AdamW", {"amsgrad": True}, 3)]
)
def test_other_optimizers_keep_what_their_rules_say(cls, options, numbers):
    with LiveMemory() as memory:
        layer = torch.nn.Linear(20, 10, bias=False)
        optimizer = getattr(torch.optim, cls)(layer.parameters(), lr=0.1, **options)
        layer(torch.randn(3, 20)).sum().backward()
        optimizer.step()
        memory.mark([t for state in optimizer.state.values() for t in state.values()], "optimizer")
    assert memory.live["optimizer"] == numbers * 4 * 200 + 4 * (cls == "AdamW")


def test_lora_takes_what_its_two_thin_matrices_take():
    """Hu et al. 2022, equation 3: h = W·x + (α/r)·B·A·x. W has no gradient, and below it nothing asks for one."""
    from peft import LoraConfig
    from peft.tuners.lora import Linear

    b, d, k, r = 8, 32, 24, 4
    with LiveMemory() as memory:
        whole = torch.nn.Linear(d, k)
        layer = Linear(whole, "default", LoraConfig(r=r, lora_alpha=8, lora_dropout=0.0), r=r, lora_alpha=8)
        whole.requires_grad_(requires_grad=False)
        trained = [p for p in layer.parameters() if p.requires_grad]
        memory.mark(layer.parameters(), "parameters")
        optimizer = torch.optim.AdamW(trained, fused=True)
        before = memory.flops
        out = layer(torch.randn(b, d))
        forward = memory.flops - before
        out.sum().backward()
        backward = memory.flops - before - forward
        memory.mark((p.grad for p in trained), "gradients")
        optimizer.step()
        memory.mark([t for state in optimizer.state.values() for t in state.values()], "optimizer")
    assert forward == 2 * b * d * k + 2 * b * d * r + 2 * b * r * k
    # Of B, of what A gave, and of A.
    assert backward == 2 * b * r * k + 2 * b * r * k + 2 * b * d * r
    thin = r * (d + k)
    assert memory.live["parameters"] == 4 * (d * k + k + thin)
    assert memory.live["gradients"] == 4 * thin
    assert memory.live["optimizer"] == 8 * thin + 4 * 2


def test_the_peak_is_told_apart_by_what_tensors_turn_out_to_be():
    with LiveMemory() as memory:
        kept, lost = torch.empty(100), torch.empty(50)
        del lost
        memory.mark([kept], "gradients")
        torch.empty(10)
    assert memory.footprint().gradients == 400
    assert memory.footprint().activations == 200
    assert memory.footprint().total == 600
    assert memory.live == {"parameters": 0, "gradients": 400, "optimizer": 0, "activations": 0, "extra": 0}


def test_views_and_changes_in_place_take_nothing():
    with LiveMemory() as memory:
        whole = torch.zeros(4, 4)
        held = [whole[0], whole.T, whole.view(16), whole.add_(1)]
    assert memory.footprint().total == 64
    assert len(held) == 4


@pytest.mark.parametrize("fake", [True, False])
def test_gradients_of_a_tensor_used_twice_are_added_in_place_as_autograd_does_where_nobody_looks_on(fake):
    from ftbench.training.accounting.fake_cache import CachedFakeMode

    memory, numbers = LiveMemory(), 10_000
    mode = CachedFakeMode() if fake else memory
    if fake:
        mode.observer = memory.observe
    with mode:
        weight = torch.zeros(numbers, requires_grad=True)
        held = (weight * 2).sum() + (weight * 3).sum() + (weight * 5).sum()
        held.backward()
        # A sum that nobody but the caller asked for has a place of its own.
        plain = weight.grad + weight.grad
        memory.mark([weight.grad], "gradients")
    # The weight, the sum so far and what is added to it; at the end the sum and the caller's.
    assert memory.footprint().total == pytest.approx(3 * 4 * numbers, abs=100)
    assert memory.live["gradients"] == 4 * numbers
    assert len(plain) == numbers


def test_what_is_given_back_is_no_longer_live_and_what_stays_is_extra():
    with LiveMemory() as memory:
        kept = torch.zeros(5)
        torch.zeros(7)
        memory.settle()
    assert memory.live["extra"] == 4 * len(kept)
    assert sum(memory.live.values()) == 20


def test_an_attention_block_takes_what_is_counted_by_hand():
    """Vaswani et al. 2017, section 3.2.2: four projections, between them scores and sums, whose matrix is not kept."""
    batch, length, heads, width = 2, 16, 4, 8
    size = heads * width
    with LiveMemory() as memory:
        projections = [torch.nn.Linear(size, size, bias=False) for _ in range(4)]
        inputs = torch.randn(batch, length, size, requires_grad=True)
        made = sum(memory.live.values())
        query, key, value = (
            layer(inputs).view(batch, length, heads, width).transpose(1, 2) for layer in projections[:3]
        )
        attended = (
            torch.nn.functional.scaled_dot_product_attention(query, key, value)
            .transpose(1, 2)
            .reshape(batch, length, size)
        )
        out = projections[3](attended)
        forward, kept = memory.flops, sum(memory.live.values()) - made
        out.sum().backward()
    products = 4 * 2 * batch * length * size * size
    scores = 2 * batch * heads * length * length * width
    assert forward == products + 2 * scores
    assert memory.flops - forward == 2 * products + 5 * scores
    # Queries, keys, values, what attention gives, the output; and for each row of scores the logarithm of its sum.
    assert kept == 4 * (5 * batch * length * size + batch * heads * length)


def test_attention_alone_takes_the_flops_of_its_products():
    batch, heads, length, width = 2, 4, 16, 8
    tensors = [torch.randn(batch, heads, length, width, requires_grad=True) for _ in range(3)]
    with LiveMemory() as memory:
        attended = torch.nn.functional.scaled_dot_product_attention(*tensors)
        forward = memory.flops
        attended.sum().backward()
    assert forward == 2 * (2 * batch * heads * length * length * width)
    # The kernel computes the scores again: five products.
    assert memory.flops - forward == 5 * (2 * batch * heads * length * length * width)


# -- strategies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", EIGHT)
@pytest.mark.parametrize("kind", ["bert", "vit", "wav2vec2"])
def test_fake_tensors_come_to_what_real_ones_do(kind, use, catalog, model_folder):
    found = {}
    for fake in (True, False):
        examples = padded() if kind == "bert" else None
        found[fake] = accounted(catalog, model_folder(kind), use, examples=examples, fake=fake)
    fake, real = found[True], found[False]
    assert (fake.flops, fake.trainable_parameters, fake.parameters) == (
        real.flops,
        real.trainable_parameters,
        real.parameters,
    )
    assert fake.peak.total == pytest.approx(real.peak.total, rel=0.005)
    assert (fake.peak.parameters, fake.peak.optimizer) == (real.peak.parameters, real.peak.optimizer)
    assert fake.peak.extra == pytest.approx(real.peak.extra, abs=64)


def test_transcripts_take_what_real_ones_do_though_a_kernel_asks_how_long_they_are(catalog, model_folder):
    backbone = catalog.build("backbones", "transformers", {"path": str(model_folder("wav2vec2"))})
    task = catalog.build("tasks", "speech-recognition", {"data": "nowhere", "characters": "abc "})
    strategy = catalog.build("strategies", "full", {})
    fake, real = (
        account(backbone, strategy, grounds(backbone, task, strategy, length=1.0), catalog, fake=fake)
        for fake in (True, False)
    )
    assert fake.peak.total == pytest.approx(real.peak.total, rel=0.005)
    assert (fake.flops, fake.trainable_parameters, fake.peak.optimizer) == (
        real.flops,
        real.trainable_parameters,
        real.peak.optimizer,
    )


def padded(count=8, length=24):
    """Texts of which one is shorter: where none is, a real mask is left out, and a fake one cannot be looked at."""
    rows = [np.arange(5, 5 + length - (row == 1)) % 50 for row in range(count)]
    return Encoded(
        {"input_ids": Ragged.of(rows)},
        np.arange(count) % 2,
        tuple(map(str, range(count))),
        np.full(count, float(length)),
    )


def test_the_flops_are_those_of_torchs_own_counter(catalog, model_folder):
    from torch.utils.flop_counter import FlopCounterMode

    for use in ("full", "lora", "prefix"):
        found = accounted(catalog, model_folder("bert"), use, examples=padded())
        backbone, task = built(catalog, model_folder("bert"))
        strategy = catalog.build("strategies", use, {})
        learner = backbone.load(2)
        learner.adopt_head("task", learner)
        learner.activate("task", task)
        simulation = SimulatedTraining(
            grounds(backbone, task, strategy, examples=padded()),
            backbone,
            catalog,
            fake=False,
            target="cpu",
            sizes=None,
            seed=0,
            device="cpu",
        )
        strategy.prepare(learner, simulation)
        learner.train()
        batch = {**task.collate(padded(), range(4)), "rows": torch.arange(4)}
        own = {kernel: count for kernel, count in _formulas().items() if "for_cpu" in str(kernel)}
        with FlopCounterMode(
            display=False, custom_mapping={kernel: _raw(count) for kernel, count in own.items()}
        ) as counter:
            task.loss(learner.forward(batch), batch).backward()
        assert found.flops == counter.get_total_flops()


def _raw(count):
    count._get_raw = True
    return count


def test_full_training_takes_about_six_flops_a_weight_and_token_and_other_strategies_fewer(catalog, tmp_path):
    """Kaplan et al. 2020, section 2.1: 6·N·tokens, N weights in matrix products; frozen ones have no backward pass."""
    from transformers import BertConfig

    BertConfig(
        vocab_size=50, hidden_size=128, num_hidden_layers=4, num_attention_heads=2, intermediate_size=512
    ).save_pretrained(tmp_path)
    length, batch = 16, 4
    flops = {
        use: accounted(catalog, tmp_path, use, length=length).flops for use in ("full", "lora", "bitfit", "frozen")
    }
    matrices = 4 * 12 * 128**2
    scores = 4 * 12 * length**2 * 128
    heads = 6 * (128 * 128 + 128 * 2)
    full = batch * (6 * matrices * length + scores + heads)
    # The first layer's input, a lookup, needs a gradient too: only that of the classifier's input is omitted.
    assert flops["full"] == pytest.approx(full, rel=0.01)
    assert flops["frozen"] == pytest.approx(full / 3, rel=0.01)
    assert all(flops["frozen"] < flops[use] < 0.75 * flops["full"] for use in ("lora", "bitfit"))


def test_the_optimizer_keeps_eight_bytes_of_each_parameter_that_trains(catalog, model_folder):
    for use in ("full", "lora", "bitfit", "frozen", "adapter", "prefix"):
        found = accounted(catalog, model_folder("vit"), use)
        rest = found.peak.optimizer - 8 * found.trainable_parameters
        assert 0 < rest < 4 * 200, use
        assert rest % 4 == 0
        assert found.stored_bytes == 4 * found.trainable_parameters
    plain = accounted(catalog, model_folder("vit"), "full", training={"optimizer": "sgd"})
    assert plain.peak.optimizer == 0


def test_parameters_are_the_known_counts(catalog, model_folder):
    """Those of `tests/plugins/strategies/test_counts.py`, with the head's 66."""
    path = model_folder("bert")
    assert accounted(catalog, path, "full").trainable_parameters == 23_586
    assert accounted(catalog, path, "frozen").trainable_parameters == 66
    assert accounted(catalog, path, "lora").trainable_parameters == 2048 + 66
    assert accounted(catalog, path, "prefix").trainable_parameters == 2560 + 66
    assert accounted(catalog, path, "bitfit").trainable_parameters == 640 + 66
    assert accounted(catalog, path, "lora").peak.parameters == 4 * (23_586 + 2048) + 2 * 8 * 64


def test_a_teacher_and_anchors_are_extra(catalog, model_folder):
    whole = accounted(catalog, model_folder("bert"), "full")
    anchored = accounted(catalog, model_folder("bert"), "ewc")
    assert anchored.peak.extra == pytest.approx(2 * 4 * (23_586 - 66), rel=0.01)
    taught = accounted(catalog, model_folder("bert"), "distillation", training={"batch_size": 2})
    assert taught.peak.extra >= 4 * 23_586
    assert taught.peak.parameters < whole.peak.parameters


def test_two_runs_come_to_the_same_integers(catalog, model_folder):
    for use in ("lora", "distillation"):
        one, other = (accounted(catalog, model_folder("bert"), use, growth=True) for _ in range(2))
        assert one == other
    real = [accounted(catalog, model_folder("vit"), "full", fake=False) for _ in range(2)]
    assert real[0] == real[1]


@pytest.mark.parametrize("use", EIGHT)
def test_how_memory_grows_foretells_the_peak_at_any_batch(use, catalog, model_folder):
    found = accounted(catalog, model_folder("bert"), use, growth=True)
    assert found.peak_at(4) == found.peak.total
    for batch in (3, 40):
        assert (
            found.peak_at(batch)
            == accounted(catalog, model_folder("bert"), use, training={"batch_size": batch}).peak.total
        )
    largest = found.largest_batch(20 * 2**20)
    assert found.peak_at(largest) <= 20 * 2**20 < found.peak_at(largest + 1)
    assert found.largest_batch(1000) == 0


def test_accumulation_takes_the_memory_of_its_micro_batches(catalog, model_folder):
    whole = accounted(catalog, model_folder("bert"), "full", training={"batch_size": 16})
    parts = accounted(
        catalog, model_folder("bert"), "full", training={"batch_size": 16, "accumulation": 4}, growth=True
    )
    assert parts.peak.total < whole.peak.total
    assert parts.flops == whole.flops
    assert parts.largest_batch(2**24) % 4 == 0


def test_computing_blocks_again_keeps_less_and_computes_more(catalog, model_folder):
    plain = accounted(catalog, model_folder("bert"), "full", training={"batch_size": 32})
    again = accounted(
        catalog, model_folder("bert"), "full", training={"batch_size": 32, "gradient_checkpointing": True}
    )
    assert again.peak.activations < plain.peak.activations
    assert again.flops > plain.flops


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_accounted_for(precision, catalog, model_folder):
    plain = accounted(catalog, model_folder("vit"), "full", training={"batch_size": 32})
    half = accounted(catalog, model_folder("vit"), "full", training={"batch_size": 32, "precision": precision})
    assert half.peak.activations < plain.peak.activations
    assert half.peak.optimizer == plain.peak.optimizer


def test_a_cards_kernels_keep_no_matrix_of_scores(catalog, model_folder):
    """With dropout on its weights attention keeps the scores on a CPU: L² numbers for each head."""
    here = accounted(catalog, model_folder("bert"), "full", length=64)
    there = accounted(catalog, model_folder("bert"), "full", length=64, target="cuda")
    scores = 2 * 4 * 4 * 64 * 64 * 4
    assert here.peak.activations - there.peak.activations > scores
    assert here.trainable_parameters == there.trainable_parameters


def test_the_kernel_of_a_card_gives_what_torchs_own_attention_gives():
    """Its shape, that is: only a card could run it."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        query, key = torch.empty(2, 4, 7, 8, requires_grad=True), torch.empty(2, 2, 9, 8)
        for mask in (None, torch.ones(2, 1, 7, 9, dtype=torch.bool), torch.zeros(2, 1, 7, 9)):
            found = efficient_attention(query, key, key, mask, enable_gqa=True)
            assert found.shape == query.shape
            assert torch.autograd.grad(found.sum(), query)[0].shape == query.shape


@pytest.mark.parametrize("kind", [*TEXT, "resnet", "swin", "convnext", "efficientnet", "deit", *SPEECH])
def test_every_architecture_is_accounted_for_by_its_configuration_alone(kind, catalog, model_folder, tmp_path):
    (tmp_path / "config.json").write_text((model_folder(kind) / "config.json").read_text())
    length = {"vision": 32, "text": 16}.get(built(catalog, tmp_path)[0].outline_card().modality)
    for use in ("full", "lora", "prefix", "distillation"):
        try:
            found = accounted(
                catalog, tmp_path, use, length=length, target="cuda" if use in ("lora", "prefix") else "cpu"
            )
        except NotApplicable as error:
            assert "values" not in str(error), (use, error)
            continue
        assert found.flops > 0
        assert found.peak.total > found.peak.parameters > 0


def test_the_files_between_autograd_and_the_tracker_are_where_it_looks_for_them():
    from ftbench.training.accounting import fake_cache, memory_tracker

    assert {fake_cache.__file__, memory_tracker.__file__} <= set(memory_tracker._BETWEEN)
