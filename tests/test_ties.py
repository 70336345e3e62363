"""Who cannot be told apart."""

from itertools import combinations

from ftbench.ties import tie_groups
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
