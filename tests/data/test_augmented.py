"""Augmented training examples: equal for every strategy and batch size, different in every epoch, training only."""

import tomllib
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from ftbench import Encoded, FeatureAugmentation, InputAugmentation, Learner, Loader
from ftbench.api.protocol import Training
from ftbench.data.augmented import Augmented
from ftbench.data.chunked import ChunkedEncoded
from ftbench.data.encoding import prepare_data
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.tasks import Augmentable, DrawnClassificationTask, MultiLabelTask
from ftbench.training.messages import Spec
from ftbench.training.trial import Execution, carry_out

from tests.conftest import QUICK, TINY

AUGMENT = 'augment = [{ use = "random-crop", kind = "padded" }, "horizontal-flip", "mixup"]\n'


@pytest.fixture
def digits(catalog):
    """Return a task of digits, its processor, and its augmented training split."""

    def make(*augment, **sizes):
        sizes = {"train_size": 40, "validation_size": 20, "test_size": 60, **sizes}
        task = catalog.build("tasks", "digits", {**sizes, "augment": list(augment)})
        processor = catalog.build("backbones", "tiny-vit", {}).load(10).processor
        train = task.splits(0).train
        encoded = task.encode(train, processor)
        return task, encoded, Augmented(task, train, encoded, processor)

    return make


@pytest.fixture
def planned(catalog):
    def make(strategies=("full",), augment=AUGMENT, knobs="", extra=""):
        text = TINY.format(
            measure=QUICK,
            name="x",
            seeds="[0]",
            steps=7,
            limit="1m",
            strategies="".join(f'[[strategy]]\nuse = "{s}"\n' for s in strategies) + extra,
        )
        text = text.replace("train_size", f"{augment}train_size", 1).replace(
            "batch_size = 8", f"batch_size = 8\n{knobs}"
        )
        return plan(parse_suite(tomllib.loads(text), catalog), catalog)

    return make


@pytest.fixture
def seen(monkeypatch):
    """Record every batch that a learner reads in training and in evaluation."""
    found = {"training": [], "evaluation": []}
    original = Learner.forward

    def watched(self, batch):
        found["training" if self.model.training else "evaluation"].append(
            {name: tensor.clone() for name, tensor in batch.items()}
        )
        return original(self, batch)

    monkeypatch.setattr(Learner, "forward", watched)
    return found


def equal(one, other):
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def carried(trial, catalog, tmp_path):
    # Meters look at batches, too.
    trial = replace(trial, meters=())
    outcome = carry_out(Spec(trial, "cpu", str(tmp_path / "cache")), catalog, tmp_path, lambda event: None)
    assert outcome["status"] == "ok", outcome["failure"]
    return outcome


def test_two_strategies_see_the_same_batches_to_the_last_bit_and_every_epoch_others(planned, seen, catalog, tmp_path):
    batches = []
    for trial in planned(("full", "bitfit"), knobs="validations = 0"):
        carried(trial, catalog, tmp_path)
        batches.append(seen["training"][:])
        seen["training"].clear()
    assert len(batches[0]) == len(batches[1]) == 7
    assert all(equal(one, other) for one, other in zip(*batches, strict=True))
    # Five steps are an epoch of forty examples.
    first, second = (
        {int(row): b["pixel_values"][p] for b in part for p, row in enumerate(b["rows"])}
        for part in (batches[0][:5], batches[0][5:])
    )
    assert len(first) == 40
    same = [torch.equal(pixels, first[row]) for row, pixels in second.items()]
    assert sum(same) < len(same) / 4
    assert batches[0][0]["labels"].shape == (8, 10)


def test_validation_test_and_predictions_on_the_training_split_are_not_changed(planned, seen, catalog, tmp_path):
    (plain,), (changed,) = planned(augment=""), planned()
    carried(plain, catalog, tmp_path)
    clean, own = seen["evaluation"][:], seen["training"][:]
    seen["evaluation"].clear()
    seen["training"].clear()
    carried(changed, catalog, tmp_path)
    assert all(equal(one, other) for one, other in zip(clean, seen["evaluation"], strict=True))
    assert {len(batch["rows"]) if "rows" in batch else len(batch["labels"]) for batch in clean} == {20, 60}
    assert not any(
        torch.equal(one["pixel_values"], other["pixel_values"])
        for one, other in zip(own, seen["training"], strict=True)
    )
    seen["evaluation"].clear()
    for trial in (plain, changed):
        execution = Execution(Spec(trial, "cpu", str(tmp_path / "cache")), catalog, lambda event: None)
        loaded, bench = execution.load()
        assert bench.augmented == (trial is changed)
        bench.predict(loaded.learner)
    assert equal(*seen["evaluation"])


def test_the_options_are_part_of_the_trial_and_not_of_the_clean_examples(planned, catalog, tmp_path):
    (plain,), (changed,), (other,) = planned(augment=""), planned(), planned(augment=AUGMENT.replace("mixup", "cutmix"))
    assert len({plain.cell, changed.cell, other.cell}) == 3
    assert changed.stages[0].task.options["augment"][1] == {"use": "horizontal-flip", "probability": 0.5}
    assert len({plain.code, changed.code}) == 2, "the code of the augmentations counts"
    for trial in (plain, changed, other):
        carried(trial, catalog, tmp_path)
    assert len(list((tmp_path / "cache" / "entries" / "encoded").iterdir())) == 1


def test_equal_seeds_give_equal_losses_and_another_seed_others(planned, catalog, tmp_path):
    (trial,) = planned()
    losses = [
        [point["task_loss"] for point in carried(replace(trial, seed=seed), catalog, tmp_path)["curves"][0]["points"]]
        for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("knobs", [{"accumulation": 4}, {"batch_size": 5}, {"batch_size": 40}])
def test_an_example_is_the_same_in_whatever_batch_it_comes(knobs, digits):
    task, encoded, augmented = digits("horizontal-flip", "random-crop", "mixup", "cutmix")

    def examples(**training):
        protocol = Training(**{"epochs": 2, "batch_size": 8, **training})
        found = {}
        for step, portions in enumerate(loader := Loader(encoded, task, protocol, seed=3, augmented=augmented)):
            for portion in portions:
                for place, row in enumerate(portion.batch["rows"].tolist()):
                    found[step // loader.per_epoch, row] = {
                        name: tensor[place] for name, tensor in portion.batch.items()
                    }
        return found

    plain, other = examples(), examples(**knobs)
    assert len(plain) == 80
    assert set(plain) == set(other)
    assert all(equal(plain[key], other[key]) for key in plain)


def test_iterating_anew_gives_the_same_batches_and_the_order_is_that_without_augmentation(digits):
    task, encoded, augmented = digits("random-crop")
    loaders = [
        Loader(encoded, task, Training(epochs=2, batch_size=16), seed=3, augmented=one) for one in (augmented, None)
    ]
    again = [[portion.batch for portions in loaders[0] for portion in portions] for _ in range(2)]
    assert all(equal(one, other) for one, other in zip(*again, strict=True))
    assert loaders[0].order_hash() == loaders[1].order_hash()
    assert [b["rows"].tolist() for b in again[0]] == [
        portion.batch["rows"].tolist() for portions in loaders[1] for portion in portions
    ]


def test_no_draw_of_an_example_is_a_draw_of_the_order(digits):
    _, _, augmented = digits("random-crop", "mixup")
    order = np.random.default_rng([3, 0]).random(2)[1]
    drawn = [rng.random() for row in range(40) for _, rng in augmented._drawn(row, 3, 0)]
    assert len({*drawn, order}) == 81


def test_adding_an_augmentation_does_not_change_the_draws_of_the_others(digits):
    rows = range(40)
    flipped = digits("horizontal-flip")[2].take(rows, seed=1, epoch=0).columns["pixel_values"]
    mixed = digits("horizontal-flip", "mixup")[2]
    assert all(
        np.array_equal(item.features["pixel_values"], one)
        for item, one in zip(unmixed(mixed, rows), flipped, strict=True)
    )


def unmixed(augmented, rows):
    draws = {row: augmented._drawn(row, 1, 0) for row in rows}
    items = {
        row: augmented._item(part, place, draws[row])
        for part, own in augmented._encoded(draws)
        for place, row in enumerate(own)
    }
    return [items[row] for row in rows]


def test_the_share_of_examples_that_change_is_the_probability(digits):
    _, encoded, augmented = digits({"use": "horizontal-flip", "probability": 0.3})
    changed = 0
    for epoch in range(50):
        found = augmented.take(range(40), seed=5, epoch=epoch)
        plain, mirrored = encoded.columns["pixel_values"], encoded.columns["pixel_values"][..., ::-1]
        for row, pixels in enumerate(found.columns["pixel_values"]):
            assert np.allclose(pixels, plain[row]) or np.allclose(pixels, mirrored[row], atol=0.02)
            changed += not np.allclose(pixels, plain[row])
    assert abs(changed - 600) < 3 * np.sqrt(2000 * 0.3 * 0.7)


def test_what_is_mixed_in_is_a_training_example_as_it_is_in_that_epoch(digits):
    _, encoded, augmented = digits("horizontal-flip", {"use": "cutmix", "probability": 1.0})
    found = augmented.take(range(40), seed=2, epoch=1)
    assert found.labels.dtype == np.float32
    assert np.allclose(found.labels.sum(1), 1)
    alone = np.stack(
        [item.features["pixel_values"] for item in (unmixed_in(augmented, row, 2, 1) for row in range(40))]
    )
    several = 0
    for row, pixels in enumerate(found.columns["pixel_values"]):
        kept = (pixels == alone[row]).all(0)
        if not kept.all():
            others = [other for other in range(40) if (pixels == alone[other]).all(0)[~kept].all()]
            assert others
            several += 1
            assert any(found.labels[row][encoded.labels[other]] > 0 for other in others)
    assert several > 20


def unmixed_in(augmented, row, seed, epoch):
    draws = {row: augmented._drawn(row, seed, epoch)}
    ((part, _),) = augmented._encoded(draws)
    return augmented._item(part, 0, draws[row])


def test_only_what_changes_is_encoded_anew(digits, monkeypatch):
    task, _, augmented = digits({"use": "horizontal-flip", "probability": 0.3})
    counted = []
    original = type(task).encode_inputs
    monkeypatch.setattr(
        type(task), "encode_inputs", lambda self, inputs, *a: counted.append(len(inputs)) or original(self, inputs, *a)
    )
    augmented.take(range(40), seed=0, epoch=0)
    assert 0 < sum(counted) < 25
    counted.clear()
    digits("mixup")[2].take(range(40), seed=0, epoch=0)
    assert counted == [40], "the clean split alone was encoded"


def test_a_large_split_encoded_chunk_by_chunk_gives_the_same_batches(catalog, tmp_path, monkeypatch):
    options = {
        "train_size": 40,
        "validation_size": 20,
        "test_size": 60,
        "augment": ["random-crop", {"use": "mixup", "probability": 0.5}],
    }
    task, backbone = catalog.build("tasks", "digits", options), catalog.build("backbones", "tiny-vit", {})
    processor = backbone.load_processor()

    def batches(cache):
        data = prepare_data(task, backbone, processor, split_seed=0, cache=cache, options=catalog.options)
        augmented = Augmented(task, data.examples(), data.encoded["train"], processor)
        loader = Loader(data.encoded["train"], task, Training(epochs=2, batch_size=8), seed=3, augmented=augmented)
        return data, [portion.batch for portions in loader for portion in portions]

    _, whole = batches(tmp_path / "whole")
    monkeypatch.setattr("ftbench.data.encoding.LARGE", 100)
    monkeypatch.setattr("ftbench.data.chunked.CHUNK", 16)
    for _ in range(2):
        data, parts = batches(tmp_path / "parts")
        assert isinstance(data.encoded["train"], ChunkedEncoded)
        assert all(equal(one, other) for one, other in zip(whole, parts, strict=True))


def test_two_readers_of_one_example_read_the_same_words(catalog, model_folder, monkeypatch):
    from ftbench_plugins.text.words import WordSentiment

    task = catalog.build(
        "tasks", "word-sentiment", {"train_size": 16, "test_size": 16, "augment": [{"use": "typos", "share": 0.5}]}
    )
    read = []
    original = WordSentiment.encode_inputs
    monkeypatch.setattr(
        WordSentiment, "encode_inputs", lambda self, inputs, *a: read.append(list(inputs)) or original(self, inputs, *a)
    )
    train = task.splits(0).train
    found = []
    for processor in (
        catalog.build("backbones", "minilm", {}).load_processor(),
        catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor(),
    ):
        augmented = Augmented(task, train, task.encode(train, processor), processor)
        read.clear()
        found.append(augmented.take(range(16), seed=4, epoch=2))
        found.append(read[:])
    assert found[1] == found[3] != [[(example.value,) for example in train]]
    assert len(found[1][0]) == 16
    assert found[0].columns["input_ids"].values.tolist() != found[2].columns["input_ids"].values.tolist()
    assert found[0].units.tolist() == np.diff(found[0].columns["input_ids"].offsets).tolist(), (
        "units are those of the changed text"
    )


class Faded(FeatureAugmentation):
    """Fade one example."""

    modality = "vision"

    def change_features(self, features, rng):
        return {name: values * rng.uniform() for name, values in features.items()}


@dataclass
class Several(Augmentable, MultiLabelTask):
    """Two of three classes for each example."""

    modality, unit = "vision", "images"
    classes = ("a", "b", "c")

    def splits(self, seed): ...
    def raw_inputs(self, examples, processor): ...
    def encode_inputs(self, inputs, examples, processor): ...
    def fingerprint(self): ...
    def provenance(self): ...


def test_labels_that_are_shares_already_are_mixed_as_they_are_and_an_unmixed_split_keeps_its_own(catalog):
    labels = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 1]])
    encoded = Encoded(
        {"pixel_values": np.random.default_rng(0).normal(size=(4, 3, 4, 4))}, labels, tuple("abcd"), np.ones(4)
    )
    task = Several(augment=(catalog.build("augmentations", "mixup", {"alpha": 1.0}),))
    found = Augmented(task, list, encoded, None).take([2, 0], seed=0, epoch=0)
    assert found.ids == ("c", "a")
    assert found.labels.shape == (2, 3)
    assert np.allclose(found.labels.sum(1), 2)
    faded = Augmented(Several(augment=(Faded(),)), list, encoded, None).take([2, 0], seed=0, epoch=0)
    assert faded.labels.tolist() == labels[[2, 0]].tolist()
    ratio = faded.columns["pixel_values"] / encoded.columns["pixel_values"][[2, 0]]
    assert np.allclose(ratio, ratio[:, :1, :1, :1])
    assert abs(ratio[0, 0, 0, 0] - ratio[1, 0, 0, 0]) > 1e-3


class Slow(InputAugmentation):
    """Needs to see everything first."""

    modality = "vision"

    def prepare(self, values, sign):
        self.known = [value.size for value in values]

    def change(self, value, rng):
        return value


def test_what_is_slow_is_worked_out_before_training_and_nothing_is_read_for_the_others(catalog, digits, monkeypatch):
    from ftbench.api.augmentation import prepare_augmentations

    task, _, augmented = digits("horizontal-flip")
    read = []
    original = type(task).raw_inputs
    monkeypatch.setattr(
        type(task), "raw_inputs", lambda self, examples, p: read.append(len(examples)) or original(self, examples, p)
    )
    prepare_augmentations(task, augmented._examples, augmented.processor, lambda: None)
    assert not read
    task.augment = (slow := Slow(),)
    prepare_augmentations(task, augmented._examples, augmented.processor, lambda: None)
    assert slow.known == [(8, 8)] * 40


@pytest.mark.parametrize(
    ("task", "backbone", "augment"),
    [
        ("word-sentiment", "minilm", ["random-deletion", "random-swap", {"use": "typos", "share": 0.3}]),
        ("digits", "tiny-vit", ["rotation", "colour-jitter", "randaugment", "cutmix"]),
        ("spoken-commands", "tiny-wav2vec2", ["audio-noise", "audio-gain", "time-shift", "speed", "specaugment"]),
    ],
)
def test_every_modality_gives_whole_batches_of_changed_examples(task, backbone, augment, catalog):
    options = {"train_size": 20, "validation_size": 0, "test_size": 20}
    made = catalog.build("tasks", task, {**options, "augment": augment})
    processor = catalog.build("backbones", backbone, {}).load_processor()
    train = made.splits(0).train
    encoded = made.encode(train, processor)
    augmented = Augmented(made, train, encoded, processor)
    epochs = [augmented.take(range(20), seed=0, epoch=epoch) for epoch in (0, 1, 0)]
    name = next(iter(encoded.columns))
    batches = [made.collate(one, range(20)) for one in epochs]
    assert equal(batches[0], batches[2])
    assert not equal(batches[0], batches[1])
    assert set(batches[0]) == set(made.collate(encoded, range(20)))
    assert batches[0][name].dtype == made.collate(encoded, range(20))[name].dtype
    assert isinstance(made, DrawnClassificationTask)


SEQUENCE = """
[[sequence]]
label = "both"
tasks = ["one", "two"]
"""


@pytest.mark.parametrize("strategy", ["replay", "ewc", "distillation"])
def test_strategies_that_look_back_or_have_a_teacher_learn_from_mixed_labels(strategy, planned, catalog, tmp_path):
    two = f'[[task]]\nuse = "digits-5-9"\nlabel = "two"\nalone = false\n{AUGMENT}'
    two += "train_size = 20\nvalidation_size = 0\ntest_size = 20\n"
    sequence = strategy != "distillation"
    augment = AUGMENT + ('label = "one"\nalone = false\n' if sequence else "")
    knobs = 'label_smoothing = 0.1\nclass_weights = "balanced"' if not sequence else ""
    (trial,) = planned((strategy,), augment, knobs, extra=two + SEQUENCE if sequence else "")
    assert [stage.task.label for stage in trial.stages] == (["one", "two"] if sequence else ["digits"])
    outcome = carried(trial, catalog, tmp_path)
    assert len(outcome["curves"]) == len(trial.stages)
    assert all(np.isfinite(point["loss"]) for curve in outcome["curves"] for point in curve["points"])


def test_adaptive_pretraining_reads_the_texts_as_they_are(catalog, model_folder, seen, tmp_path):
    suite = f"""
name = "x"
seeds = [0]
profile = "smoke"
[training]
steps = 2
batch_size = 20
validations = 0
[machine]
threads = 1
[[backbone]]
use = "transformers"
path = "{model_folder("bert")}"
[[task]]
use = "word-sentiment"
train_size = 20
validation_size = 0
test_size = 20
augment = [{{ use = "typos", share = 1.0 }}]
[[strategy]]
use = "adaptive_pretraining"
epochs = 1
mask_share = 0.01
"""
    (trial,) = plan(parse_suite(tomllib.loads(suite), catalog), catalog)
    carried(trial, catalog, tmp_path)
    pretraining, *tuning = seen["training"]
    clean = catalog.build("tasks", "word-sentiment", {"train_size": 20, "validation_size": 0, "test_size": 20})
    processor = catalog.build("backbones", "transformers", {"path": str(model_folder("bert"))}).load_processor()
    words = {example.value for example in clean.splits(0).train}

    def read(batch):
        hidden = batch["labels"].ndim > 1
        ids = torch.where(batch["labels"] >= 0, batch["labels"], batch["input_ids"]) if hidden else batch["input_ids"]
        return {
            text.replace("#", "").replace(" ", "") for text in processor.batch_decode(ids, skip_special_tokens=True)
        }

    assert len(read(pretraining) & words) > 12, "but for those that are cut off"
    assert all(len(read(batch) & words) < 4 for batch in tuning)
