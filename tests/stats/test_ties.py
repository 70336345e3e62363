"""Tie groups and possible ranks."""

from itertools import combinations

from ftbench.stats.ties import possible_ranks, tie_groups
from hypothesis import given
from hypothesis import strategies as st

NAMES = ("a", "b", "c", "d", "e")
_apart = st.sets(st.sampled_from(list(combinations(NAMES, 2))))


def test_groups_overlap_where_neighbours_are_tied_and_the_ends_are_not():
    assert tie_groups(("a", "b", "c"), [("c", "a")]) == (("a", "b"), ("b", "c"))


def test_nobody_apart_is_one_group_and_everybody_apart_is_none():
    assert tie_groups(NAMES, []) == (NAMES,)
    assert tie_groups(NAMES, list(combinations(NAMES, 2))) == ()
    assert tie_groups(("a",), []) == tie_groups((), []) == ()


@given(_apart)
def test_every_tie_is_in_a_group_and_no_group_holds_two_that_are_apart(apart):
    groups = tie_groups(NAMES, apart)
    within = {pair for group in groups for pair in combinations(group, 2)}
    assert within == set(combinations(NAMES, 2)) - apart
    assert not any(set(one) < set(other) for one in groups for other in groups)


def test_a_place_is_after_all_that_are_better_and_before_all_that_are_worse():
    assert possible_ranks(("a", "b", "c"), [("b", "a"), ("c", "a"), ("c", "b")]) == {
        "a": (1, 1),
        "b": (2, 2),
        "c": (3, 3),
    }
    assert possible_ranks(("a", "b", "c"), [("c", "a")]) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}
    assert possible_ranks(("a", "b"), []) == {"a": (1, 2), "b": (1, 2)}
    assert possible_ranks(("a",), [("a", "elsewhere")]) == {"a": (1, 1)}
    assert possible_ranks((), []) == {}


@given(_apart)
def test_places_lie_among_the_others_and_hold_for_every_pair_that_is_apart(worse_first):
    found = possible_ranks(NAMES, worse_first)
    assert all(1 <= best <= worst <= len(NAMES) for best, worst in found.values())
    for worse, better in worse_first:
        assert found[better][1] < len(NAMES)
        assert found[worse][0] > 1
