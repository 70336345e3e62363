"""The order of the examples: drawn from the seed, and grouped by length where that is asked for."""

import itertools

import numpy as np
import pytest
from ftbench import Encoded, Loader, Ragged, Training
from ftbench.api.loader import POOL, grouped
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers(1, 60), min_size=1, max_size=400), st.integers(1, 16), st.integers(0, 2**31))
def test_grouping_is_an_order_of_all_examples_whose_batches_are_of_like_length(lengths, batch_size, seed):
    lengths = np.array(lengths)
    drawn = np.random.default_rng(seed).permutation(len(lengths))
    found = grouped(drawn, lengths, batch_size, np.random.default_rng(seed))
    assert sorted(found) == list(range(len(lengths)))
    whole = len(lengths) // batch_size * batch_size
    assert found[whole:].tolist() == drawn[whole:].tolist()
    if len(lengths) <= POOL * batch_size:
        spans = sorted((lengths[batch].min(), lengths[batch].max()) for batch in found[:whole].reshape(-1, batch_size))
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


@pytest.fixture
def texts():
    rows = [np.arange(1 + 7 * n % 40) for n in range(100)]
    return Encoded({"input_ids": Ragged.of(rows)}, np.zeros(100, np.int64), tuple(map(str, range(100))), np.ones(100))


def padded(order, encoded, batch_size):
    lengths = encoded.lengths()
    return sum(
        len(batch) * lengths[batch].max() for batch in np.split(order, range(batch_size, len(order), batch_size))
    )


def test_less_is_padded_and_each_epoch_has_an_order_of_its_own(texts):
    drawn = Loader(texts, None, Training(epochs=2, batch_size=8), seed=3)
    like = Loader(texts, None, Training(epochs=2, batch_size=8, group_by_length=True), seed=3)
    assert padded(like.order(0), texts, 8) < 0.7 * padded(drawn.order(0), texts, 8)
    assert like.order(0).tolist() != like.order(1).tolist()
    assert like.order(1).tolist() == Loader(texts, None, like.training, seed=3).order(1).tolist()
    assert like.order_hash() != drawn.order_hash()


def test_inputs_of_one_length_keep_the_order_that_was_drawn():
    images = Encoded(
        {"pixel_values": np.zeros((20, 2))}, np.zeros(20, np.int64), tuple(map(str, range(20))), np.ones(20)
    )
    orders = [
        Loader(images, None, Training(epochs=1, group_by_length=group), seed=3).order_hash() for group in (False, True)
    ]
    assert orders[0] == orders[1]


def test_a_protocol_that_does_not_ask_for_it_leaves_trials_what_they_were(catalog):
    import tomllib

    from ftbench.suite.parser import parse_suite
    from ftbench.suite.planning import plan

    from tests.conftest import QUICK, TINY

    text = TINY.format(
        measure=QUICK, name="x", seeds="[0]", steps=3, limit="1m", strategies='[[strategy]]\nuse = "full"\n'
    )

    def cell(text):
        return plan(parse_suite(tomllib.loads(text), catalog), catalog)[0]

    plain = cell(text)
    assert "group_by_length" not in plain.content["stages"][0]["training"]
    asked = cell(text.replace("batch_size = 8", "batch_size = 8\ngroup_by_length = true"))
    assert asked.content["stages"][0]["training"]["group_by_length"] is True
    assert asked.cell != plain.cell
