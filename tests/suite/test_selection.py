"""Selection of trials by name and by shard."""

import tomllib

import pytest
from ftbench import UserError
from ftbench.suite.parser import parse_suite
from ftbench.suite.planning import plan
from ftbench.suite.selection import Chosen, Shard
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import QUICK, TINY


@pytest.fixture(scope="module")
def trials(catalog):
    strategies = "".join(f'[[strategy]]\nuse = "{s}"\n' for s in ("full", "frozen", "lora", "bitfit"))
    strategies += '[[strategy]]\nuse = "lora"\nrank = 16\nlabel = "LoRA-16"\n'
    text = TINY.format(measure=QUICK, name="x", seeds="[0, 1, 10]", steps=2, limit="1m", strategies=strategies)
    return plan(parse_suite(tomllib.loads(text), catalog), catalog)


def labels(found):
    return {(trial.strategy.label, trial.seed) for trial in found}


def test_by_default_all_are_meant(trials):
    assert Chosen().among(trials) == trials


def test_a_pattern_is_found_anywhere_in_a_name(trials):
    assert labels(Chosen(("lora",)).among(trials)) == {(s, seed) for s in ("lora", "LoRA-16") for seed in (0, 1, 10)}
    assert labels(Chosen(("· lora ·",)).among(trials)) == {("lora", seed) for seed in (0, 1, 10)}
    assert labels(Chosen(("lora*seed 1",)).among(trials)) == {
        (s, seed) for s in ("lora", "LoRA-16") for seed in (1, 10)
    }
    assert labels(Chosen(("full", "bitfit"), ("seed 0",)).among(trials)) == {
        (s, seed) for s in ("full", "bitfit") for seed in (1, 10)
    }
    assert Chosen((trials[3].id[:6],)).among(trials) == [trials[3]]


@pytest.mark.parametrize("choice", [Chosen(("lora", "lroa")), Chosen((), ("seed 7",))])
def test_a_pattern_that_is_found_nowhere_is_one_line(trials, choice):
    with pytest.raises(
        UserError, match="matches no trial; trial names are such as 'digits · tiny-vit · full · seed 0'"
    ):
        choice.among(trials)


@given(st.integers(1, 20))
def test_shares_are_disjoint_whole_and_as_equal_as_can_be(trials, of):
    shares = [Chosen(shard=Shard(number, of)).among(trials) for number in range(1, of + 1)]
    assert sorted(trial.id for share in shares for trial in share) == sorted(trial.id for trial in trials)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_does_not_go_by_the_order_of_the_plan(trials):
    choice = Chosen(shard=Shard(2, 3))
    assert {trial.id for trial in choice.among(trials)} == {trial.id for trial in choice.among(trials[::-1])}


def test_names_are_chosen_within_a_share(trials):
    choice = Chosen(("lora",), shard=Shard(1, 2))
    assert {t.id for t in choice.among(trials)} == {t.id for t in Chosen(shard=Shard(1, 2)).among(trials)} & {
        t.id for t in Chosen(("lora",)).among(trials)
    }


@pytest.mark.parametrize("text", ["", "1", "/", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "1 / 2"])
def test_what_is_no_share_is_one_line(text):
    with pytest.raises(UserError, match="must be i/n with 1 ≤ i ≤ n, such as 2/4"):
        Shard.parse(text)


def test_a_share_is_read():
    assert Shard.parse("2/4") == Shard(2, 4)
