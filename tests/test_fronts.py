"""What is worth its price."""

from ftbench.fronts import pareto


def test_the_front_is_what_nothing_beats_in_both():
    assert pareto([(1, 1), (2, 0), (0, 2), (0, 0), (1, 1)]) == [True, True, True, False, True]
