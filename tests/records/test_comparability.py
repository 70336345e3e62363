"""What must be equal before two records are compared, and how what differs is named."""

import dataclasses

import pytest
from ftbench.analysis.metric_tiers import needed, tier_of
from ftbench.api.measurement import Measurement
from ftbench.fingerprint import digest
from ftbench.records.comparability import (
    PARTS,
    Difference,
    configuration_differences,
    differences,
    digests,
    parts,
    without,
)
from ftbench.records.record_set import Place, read_record_set
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def trials(three_seeds):
    return read_record_set(three_seeds / "runs" / "tiny").records


@pytest.fixture
def full(trials):
    return trials[Place("digits", "tiny-vit", "full")]


@pytest.fixture
def lora(trials):
    return trials[Place("digits", "tiny-vit", "lora")]


def changed(record, path, value):
    """Copy a record with one field of its trial or provenance set."""
    import copy

    table = {"trial": copy.deepcopy(record.trial), "provenance": copy.deepcopy(record.provenance)}
    *steps, last = path
    place = table
    for step in steps:
        place = place[step]
    place[last] = value
    return dataclasses.replace(record, **table)


def test_a_record_has_four_parts_each_with_a_hash(full):
    found = parts(full[0])
    assert tuple(found) == PARTS
    assert found["data"]["task"]["digits"]["splits"] == full[0].provenance["splits"]["digits"]
    assert found["data"]["backbone"]["fingerprint"]["weights"]
    assert found["protocol"]["training"]["digits"]["batch_size"] == 8
    assert found["software"]["torch"]
    assert found["hardware"]["cpu"]
    assert digests(full[0]) == {name: digest(part) for name, part in found.items()}


def test_strategies_and_seeds_of_one_run_have_equal_parts(full, lora):
    assert digests(full[0]) == digests(full[1]) == digests(lora[2])
    assert differences([(full[seed], lora[seed]) for seed in full]) == []


def test_what_is_compared_differs_by_name_and_the_rest_is_not_told(full, lora):
    found = {one.field: (one.first, one.second) for one in configuration_differences([(full[0], lora[0])])}
    assert found["configuration.strategy.options.rank"] == ("absent", "8")
    assert found["configuration.strategy.use"] == ('"full"', '"lora"')
    assert "configuration.lr.digits" in found
    assert configuration_differences([(full[0], full[0])]) == []


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("trial", "split_seed"), 7, "data.split_seed"),
        (("trial", "stages", 0, "task", "options", "train_size"), 41, "data.task.digits.options.train_size"),
        (("trial", "backbone", "fingerprint", "weights"), "other", "data.backbone.fingerprint.weights"),
        (("provenance", "splits", "digits"), "other", "data.task.digits.splits"),
        (("trial", "stages", 0, "training", "batch_size"), 4, "protocol.training.digits.batch_size"),
        (("trial", "threads"), 8, "protocol.threads"),
        (("provenance", "software", "torch"), "1.0", "software.torch"),
        (("provenance", "hardware", "cpu"), "Z80", "hardware.cpu"),
    ],
)
def test_a_field_that_differs_is_named_alone_with_both_values(full, path, value, field):
    other = changed(full[0], path, value)
    (found,) = differences([(full[0], other), (full[1], full[1])])
    assert found.field == field
    assert found.part == field.partition(".")[0]
    assert found.second.strip('"') == str(value)
    assert str(found) == f"{field}: {found.first} → {found.second}"
    assert digests(other)[found.part] != digests(full[0])[found.part]
    assert {p for p in PARTS if digests(other)[p] != digests(full[0])[p]} == {found.part}


def test_the_learning_rate_is_the_strategys_own_and_no_protocol(full):
    other = changed(full[0], ("trial", "stages", 0, "training", "lr"), 9.0)
    assert differences([(full[0], other)]) == []
    assert [one.field for one in configuration_differences([(full[0], other)])] == ["configuration.lr.digits"]


def test_an_environment_nobody_knows_is_equal_to_nothing(full):
    unknown = changed(full[0], ("provenance", "software"), {})
    assert [str(one) for one in differences([(unknown, unknown)])] == ["software: absent → absent"]


def test_only_the_parts_that_are_needed_are_looked_at_and_allowed_fields_left_out(full):
    other = changed(
        changed(full[0], ("provenance", "software", "torch"), "1.0"), ("provenance", "hardware", "cpu"), "Z80"
    )
    pair = [(full[0], other)]
    assert differences(pair, needed("trainable_parameters")) == []
    assert [one.field for one in differences(pair, needed("accuracy"))] == ["software.torch"]
    assert [one.field for one in differences(pair, needed("throughput"))] == ["software.torch", "hardware.cpu"]
    found = differences(pair)
    assert without(found, ["software.torch"]) == without(found, ["software"]) == [found[1]]
    assert without(found, ["soft", "software.tor"]) == found


def test_what_must_be_equal_depends_on_the_metric():
    assert needed("data_order") == needed("planned_steps") == ("data", "protocol")
    assert (
        needed("flops_per_step")
        == needed("peak_tensor_bytes")
        == needed("accuracy")
        == ("data", "protocol", "software")
    )
    assert needed("throughput") == needed("peak_allocated_memory") == needed("loss_trace") == PARTS
    assert needed("stored_bytes") == ("data", "protocol")
    assert [tier_of(name) for name in ("data_order", "macro_f1", "throughput", "peak_allocated_memory")] == [
        "exact",
        "quality",
        "speed",
        "memory",
    ]
    for name, unit, scope, tier in (
        ("macro_f1", "1", "test", "quality"),
        ("perplexity", "1", "", "quality"),
        ("waiting_share", "1", "train", "speed"),
        ("latency_batch_1_p50", "s", "inference, batch 1", "speed"),
        ("speed_of_words", "words/s", "test", "speed"),
        ("peak_host_memory", "B", "train", "speed"),
        ("peak_gradient_bytes", "B", "train", "exact"),
    ):
        assert tier_of(name, Measurement(name, 1.0, unit, scope=scope)) == tier
        assert (needed(name, Measurement(name, 1.0, unit, scope=scope)) == PARTS) == (tier == "speed")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3),
)


@given(values, values)
def test_two_values_differ_in_some_field_exactly_where_their_hashes_differ(one, other):
    from ftbench.records.comparability import _leaves

    leaves = list(_leaves("x", one, other))
    assert bool(leaves) == (digest(one) != digest(other))
    assert all(isinstance(leaf[0], str) for leaf in leaves)


def test_a_difference_shows_every_value_there_is(full):
    pairs = [(full[seed], changed(full[seed], ("trial", "threads"), 2 + seed)) for seed in (0, 1)]
    assert differences(pairs) == [Difference("protocol.threads", "1", "2, 3")]
