"""Trials: what determines their ids."""

from dataclasses import replace

from ftbench import Trial
from ftbench.suite.trial import Part, Stage
from hypothesis import given
from hypothesis import strategies as st


def test_the_code_changes_the_id_and_not_the_cell():
    part = Part("x", "x")
    first = Trial("s", "t", "text", part, (Stage(part, {}),), part, 0, 0, "cpu", 1, "smoke", (), "code")
    fixed = replace(first, code="another")
    assert fixed.cell == first.cell
    assert fixed.id != first.id


_options = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=3)


@given(_options, _options, st.integers(0, 5))
def test_equal_cells_mean_equal_contents(one, other, seed):
    def trial(options):
        part = Part("x", "x", options)
        stage = Stage(part, {"epochs": 1})
        return Trial("s", "t", "text", part, (stage,), part, seed, 0, "cpu", 1, "smoke", (), "code")

    def content(options):
        return sorted((key, type(value).__name__, value) for key, value in options.items())

    assert (trial(one).cell == trial(other).cell) == (content(one) == content(other))


def test_the_id_depends_on_no_field_that_is_unset_so_that_old_ids_stay_valid():
    part = Part("x", "x")
    trial = Trial("s", "t", "text", part, (Stage(part, {}),), part, 0, 0, "cpu", 1, "smoke", (), "code")
    assert {*trial.content} == {"backbone", "stages", "strategy", "split_seed", "device", "threads"}
    assert {*replace(trial, twin="other").content} - {*trial.content} == {"twin"}
