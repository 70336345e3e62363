"""What holds for every strategy on every architecture: real steps on tiny models read back from disk."""

import copy
import hashlib

import pytest
import torch
from ftbench import Encoded, ModelCard, NotApplicable, Ragged
from ftbench.api.meter import Watch
from ftbench.api.protocol import Training
from ftbench.training.bench import StageData, TrialBench
from ftbench.training.phases import Phases
from ftbench.training.seeding import seed_all

from tests.support.tiny_models import KINDS, SPEECH, TEXT

STRATEGIES = (
    "none",
    "full",
    "frozen",
    "gradual",
    "layerwise",
    "lpft",
    "l2sp",
    "bitfit",
    "layernorm",
    "lora",
    "vera",
    "adalora",
    "ia3",
    "adapter",
    "prefix",
    "prompt",
    "distillation",
    "ewc",
    "replay",
    "adaptive_pretraining",
)
SECOND_TEXT = pytest.param("gpt2", marks=pytest.mark.thorough)
CONVOLUTIONAL = ("resnet", "convnext", "efficientnet")
NOT_APPLICABLE = {(use, kind) for use in ("prefix", "prompt", "vera", "adalora") for kind in CONVOLUTIONAL} | {
    ("prompt", "swin")
}
NOT_APPLICABLE |= {
    ("ia3", "resnet"),
    ("ia3", "efficientnet"),
    ("distillation", "efficientnet"),
    ("bitfit", "modernbert"),
    ("bitfit", "llama"),
    ("bitfit", "t5"),
    ("prefix", "t5"),
    ("prompt", "t5"),
    ("prompt", "bart"),
}
NOT_APPLICABLE |= {("adaptive_pretraining", kind) for kind in (*KINDS[len(TEXT) :], "t5", "bart")}
TASKS = {"text": "word-sentiment", "vision": "digits", "speech": "spoken-commands"}


@pytest.fixture(scope="module")
def encoded(catalog, model_folder):
    """Sixteen real examples for a kind of model, encoded by its own processor."""
    made = {}

    def get(kind):
        if kind not in made:
            modality = "text" if kind in TEXT else "speech" if kind in SPEECH else "vision"
            size = {"train_size": 16, "validation_size": 0, "test_size": 16}
            task = catalog.build("tasks", TASKS[modality], size)
            backbone = catalog.build("backbones", "transformers", {"path": str(model_folder(kind))})
            learner = backbone.load(len(task.classes))
            made[kind] = (task, task.encode(task.splits(0).train, learner.processor), backbone)
        return made[kind]

    return get


def strategy_of(catalog, use):
    """Return a strategy with its defaults, except for a hundred passes over all texts, which would be too slow."""
    return catalog.build("strategies", use, {"epochs": 4} if use == "adaptive_pretraining" else {})


LOADED = {}
"""Loaded learners and the state of torch's generator afterwards: copying them takes a sixth of the time."""


def fresh(backbone, task, labels):
    """Load a learner with a head for each label, from seed 0."""
    which = repr((backbone, task.outputs, task.answer, labels))
    seed_all(0)
    if which not in LOADED:
        learner = backbone.load(task.outputs, task.answer)
        for label in labels:
            learner.adopt_head(label, backbone.load(task.outputs, task.answer))
        LOADED[which] = learner, torch.get_rng_state()
    learner, drawn = LOADED[which]
    torch.set_rng_state(drawn)
    return copy.deepcopy(learner)


def bench_for(catalog, task, data, backbone, stages=1, examples=(), **training):
    protocol = Training(**{"steps": 4, "batch_size": 8, "lr": 1e-2, **training})

    def encode(backbone, processor):
        return {"train": task.encode(examples, processor)}

    grounds = [StageData(f"task-{n}", task, protocol, {"train": data}, encode) for n in range(stages)]
    watch = Watch("cpu", 0)
    bench = TrialBench(
        grounds,
        backbone,
        catalog,
        Phases(watch, [], lambda: None),
        watch,
        seed=0,
        device=torch.device("cpu"),
        after_step=lambda *_: None,
    )
    learner = fresh(backbone, task, [ground.label for ground in grounds])
    learner.activate(grounds[0].label, task)
    bench.adopt(learner)
    return bench, learner, watch


def fingerprints(learner):
    named = {**dict(learner.model.named_parameters()), **dict(learner.model.named_buffers())}
    return {name: hashlib.sha256(t.detach().contiguous().numpy().tobytes()).hexdigest() for name, t in named.items()}


def base_name(name):
    return name.replace(".base_layer", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use", STRATEGIES)
def test_what_trains_is_what_was_declared_and_nothing_else_moves(use, kind, catalog, encoded):
    task, data, backbone = encoded(kind)
    strategy = strategy_of(catalog, use)
    try:
        strategy.check(backbone.card())
    except NotApplicable as error:
        assert (use, kind) in NOT_APPLICABLE
        assert str(error).startswith(
            (f"{kind} has no ", f"{kind} is no language model", f"{kind} has blocks of different widths")
        )
        return
    bench, learner, watch = bench_for(catalog, task, data, backbone)
    strategy.prepare(learner, bench)
    declared = {name for name, _ in learner.trainable()}
    before = fingerprints(learner)
    strategy.fit(learner, bench)
    after = fingerprints(learner)
    changed = {name for name in before if before[name] != after[name]}
    given = set(watch.traces[0].trained) if watch.traces else set()

    buffers = {name for name, _ in learner.model.named_buffers()}
    if use == "none":
        assert not changed
        return
    assert given == declared
    moving_statistics = buffers if strategy.moves_statistics else set()
    assert changed - moving_statistics <= declared
    unmoved = declared - changed
    if use == "gradual":  # whose lower groups are not reached in four steps
        return
    # A key's bias shifts every score alike; an unseen embedding and a first-step LoRA A have no gradient.
    allowed = ("key.bias", "k_proj.bias", "k_lin.bias", "embeddings", "wpe", "wte", "masked_spec_embed", "prefix")
    assert all(any(word in name for word in allowed) for name in unmoved), unmoved


@pytest.mark.parametrize("kind", KINDS)
def test_finished_models_answer_as_before_merging(kind, catalog, encoded):
    task, data, backbone = encoded(kind)
    strategy = catalog.build("strategies", "lora", {"rank": 4})
    bench, learner, _ = bench_for(catalog, task, data, backbone)
    untouched = learner.model.state_dict().keys()
    names = list(untouched)
    batch = task.collate(data, range(8))
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    learner.eval()
    with torch.no_grad():
        before = learner.forward(batch).logits
        strategy.finish(learner)
        after = learner.forward(batch).logits
    assert list(learner.model.state_dict().keys()) == names
    assert torch.allclose(before, after, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("use", "options", "tolerance"), [("lora", {}, 0.0), ("adapter", {}, 1e-4), ("adapter", {"kind": "parallel"}, 0.0)]
)
def test_what_begins_at_the_identity_answers_as_the_backbone(use, options, tolerance, kind, catalog, encoded):
    task, data, backbone = encoded(kind)
    bench, learner, _ = bench_for(catalog, task, data, backbone)
    batch = task.collate(data, range(8))
    strategy = catalog.build("strategies", use, options)
    if kind in ("resnet", "efficientnet") and options:
        with pytest.raises(NotApplicable, match="no residual blocks"):
            strategy.check(backbone.card())
        return
    with torch.no_grad():
        before = learner.forward(batch).logits
        strategy.prepare(learner, bench)
        learner.eval()
        after = learner.forward(batch).logits
    assert (before - after).abs().max() <= tolerance


@pytest.mark.parametrize("kind", ["bert", SECOND_TEXT, "vit", "resnet", "wav2vec2", "audio-spectrogram-transformer"])
@pytest.mark.parametrize("use", [use for use in STRATEGIES if use != "none"])
def test_four_examples_are_learnt(use, kind, catalog, encoded):
    task, data, backbone = encoded(kind)
    if (use, kind) in NOT_APPLICABLE:
        return
    four = Encoded(
        {name: column[:4] if not isinstance(column, Ragged) else column for name, column in data.columns.items()},
        data.labels[:4],
        data.ids[:4],
        data.units[:4],
    )
    bench, learner, watch = bench_for(
        catalog, task, four, backbone, steps=20, batch_size=4, lr=1e-2, schedule="constant"
    )
    strategy = strategy_of(catalog, use)
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    losses = watch.traces[0].task_losses
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", ["bert", SECOND_TEXT, "vit", "wav2vec2"])
@pytest.mark.parametrize("use", STRATEGIES)
def test_two_runs_are_equal_to_the_last_bit(use, kind, catalog, encoded):
    if (use, kind) in NOT_APPLICABLE:
        return
    task, data, backbone = encoded(kind)
    ends = []
    for _ in range(2):
        bench, learner, _ = bench_for(catalog, task, data, backbone)
        strategy = strategy_of(catalog, use)
        strategy.prepare(learner, bench)
        strategy.fit(learner, bench)
        ends.append(fingerprints(learner))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("use", [use for use in STRATEGIES if use != "distillation"])
def test_in_a_sequence_each_task_keeps_its_own_head(use, catalog, encoded):
    task, data, backbone = encoded("bert")
    bench, learner, watch = bench_for(catalog, task, data, backbone, stages=2)
    strategy = strategy_of(catalog, use)
    strategy.prepare(learner, bench)
    strategy.fit(learner, bench)
    first = {k: v.clone() for k, v in learner.heads["task-0"]["classifier"].state_dict().items()}
    strategy.end_stage(learner, bench)
    bench.stage = 1
    learner.activate("task-1", task)
    strategy.fit(learner, bench)
    same = [torch.equal(first[k], v) for k, v in learner.heads["task-0"]["classifier"].state_dict().items()]
    assert all(same) == (use != "replay")
    assert learner.model.classifier is learner.heads["task-1"]["classifier"]
    assert len(watch.traces) == (0 if use == "none" else 2)


@pytest.mark.parametrize("kind", ["bert", "vit", "wav2vec2", "audio-spectrogram-transformer", "resnet"])
@pytest.mark.parametrize("use", STRATEGIES)
def test_what_trained_saved_and_read_back_gives_the_same_answers_head_included(use, kind, catalog, encoded, tmp_path):
    from safetensors.torch import load_file, save_file

    if (
        use,
        kind,
    ) in NOT_APPLICABLE or use == "adaptive_pretraining":  # which changes weights before anything is declared
        return
    task, data, backbone = encoded(kind)
    batch = task.collate(data, range(8))
    learners = []
    for train in (True, False):
        bench, learner, _ = bench_for(catalog, task, data, backbone)
        strategy = strategy_of(catalog, use)
        strategy.prepare(learner, bench)
        kept = {**{name: p.detach() for name, p in learner.trainable()}, **dict(learner.model.named_buffers())}
        if train:
            strategy.fit(learner, bench)
            save_file(
                {name: tensor.clone().contiguous() for name, tensor in kept.items()}, tmp_path / "kept.safetensors"
            )
        else:
            with torch.no_grad():
                for name, tensor in load_file(tmp_path / "kept.safetensors").items():
                    kept[name].copy_(tensor)
        learner.eval()
        learners.append(learner)
    with torch.no_grad():
        first, second = (learner.forward(batch).logits for learner in learners)
    assert torch.equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_whose_upper_map_is_zero_is_not_there_at_all(kind, catalog, encoded):
    task, data, backbone = encoded(kind)
    bench, learner, _ = bench_for(catalog, task, data, backbone)
    batch = task.collate(data, range(8))
    with torch.no_grad():
        before = learner.forward(batch).logits
        catalog.build("strategies", "adapter", {}).prepare(learner, bench)
        for adapter in learner.model.ftbench_adapters:
            adapter.up.weight.zero_()
        learner.eval()
        assert torch.equal(before, learner.forward(batch).logits)


@pytest.mark.parametrize("kind", KINDS)
def test_bitfit_trains_biases_and_the_head_and_nothing_else(kind, catalog, encoded):
    task, data, backbone = encoded(kind)
    bench, learner, _ = bench_for(catalog, task, data, backbone)
    if ("bitfit", kind) in NOT_APPLICABLE:
        return
    catalog.build("strategies", "bitfit", {}).prepare(learner, bench)
    head = {id(p) for p in learner.head_parameters()}
    names = {name for name, p in learner.trainable() if id(p) not in head}
    assert names
    assert all(name.endswith("bias") for name in names)


def test_a_test_split_cannot_be_asked_for(catalog, encoded):
    task, data, backbone = encoded("bert")
    bench, _, _ = bench_for(catalog, task, data, backbone)
    with pytest.raises(ValueError, match="a strategy sees train, not 'test'"):
        bench.loader("test")


def test_a_backbone_without_blocks_is_refused_with_a_reason(catalog):
    card = ModelCard("strange", "text", frozenset(), "", "", 1e-3)
    for use, reason in (("lora", "to adapt"), ("adapter", "no residual blocks"), ("prefix", "no attention")):
        with pytest.raises(NotApplicable, match=reason):
            strategy_of(catalog, use).check(card)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "vit", "wav2vec2", "audio-spectrogram-transformer"])
def test_a_parallel_adapter_adds_its_scaled_answer_to_the_feed_forward_part(kind, catalog, encoded):
    task, data, backbone = encoded(kind)
    bench, learner, _ = bench_for(catalog, task, data, backbone)
    catalog.build("strategies", "adapter", {"kind": "parallel", "bottleneck": 8, "scale": 3.0}).prepare(learner, bench)
    adapter = learner.model.ftbench_adapters[0]
    torch.nn.init.normal_(adapter.up.weight)
    seen = {}
    learner.modules("ffn_in")[0].register_forward_hook(lambda m, a, o: seen.update(entry=a[0]))
    leaving = learner.modules("ffn_exit")[0]
    learner.eval()
    plain = type(leaving).forward
    leaving.register_forward_hook(lambda m, a, o: seen.update(out=o, inner=plain(m, a[0])))
    with torch.no_grad():
        learner.forward(task.collate(data, range(4)))
        expected = 3.0 * adapter.up(torch.nn.functional.gelu(adapter.down(seen["entry"])))
    assert torch.allclose(seen["out"] - seen["inner"], expected, atol=1e-4)
