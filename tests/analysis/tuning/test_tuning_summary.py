"""Results and costs of tuning, and which contenders are comparable after it."""

import pytest
from ftbench.analysis.recommendation import recommend
from ftbench.reporting import tuning_cost, tuning_verdict

from tests.support.made_tuning import finals, summed, tries

COMPARED = [*finals("full", (0.90, 0.91, 0.92)), *finals("lora", (0.80, 0.82, 0.81), 1e-2)]
UNTUNED = finals("lora", (0.60, 0.61, 0.59), 1e-3, role="default")
TUNING = [*tries("full", (0.5, 0.9, 0.7)), *tries("lora", (0.4, 0.6, 0.8)), *UNTUNED]


def tuned(compared=COMPARED, tuning=TUNING):
    return {one.contender: one for one in summed(compared, tuning).tuning}


def test_the_chosen_values_are_those_of_the_best_try_and_the_default_stands_beside_them():
    found = tuned()
    assert found["full"].chosen == {"lr": 1e-3}
    assert found["lora"].chosen == {"lr": 1e-2}
    assert (found["lora"].best, found["lora"].untuned_score) == (0.8, 0.6)
    assert found["lora"].untuned_test.mean == pytest.approx(0.6)
    assert found["lora"].tuned_test.mean == pytest.approx(0.81)


def test_what_tuning_changed_is_paired_over_seeds_and_only_where_it_changed_something():
    found = tuned()
    assert found["lora"].change.estimate.mean == pytest.approx(0.21)
    assert found["lora"].change.verdict == "better"
    assert found["full"].change is None
    assert found["full"].untuned_test == found["full"].tuned_test


def test_the_median_try_and_the_expected_best_say_how_lucky_the_best_is():
    lora = tuned()["lora"]
    assert lora.median == pytest.approx(0.6)
    assert lora.sensitivity == pytest.approx(0.2)
    assert lora.expected == pytest.approx(
        ((0.4 + 0.6 + 0.8) / 3, (0.4 + 3 * 0.6 + 5 * 0.8) / 9, (0.4 + 7 * 0.6 + 19 * 0.8) / 27)
    )


def test_a_failed_try_is_the_worst_of_the_median_and_counted_and_told():
    lora = tuned(tuning=[*tries("lora", (None, 0.6, None))])["lora"]
    assert lora.chosen == {"lr": 1e-3}
    assert lora.median is None
    assert lora.sensitivity is None
    assert [one.status for one in lora.tries] == ["error", "ok", "error"]
    assert "2 of 3 tuning trials failed" in lora.flags
    nothing = tuned(tuning=[*tries("lora", (None, None, None))])["lora"]
    assert nothing.chosen is None
    assert nothing.flags[0] == "no tuning trial has a score: the untuned values are used"


def test_what_was_spent_is_the_sum_over_tries_or_a_reason():
    lora = tuned()["lora"]
    assert (lora.seconds.value, lora.training, lora.money.value, lora.money.unit) == (12.0, 6.0, 1.5, "USD")
    assert (lora.energy.value, lora.energy.reason) == (None, "no NVIDIA driver")


def test_a_choice_at_an_end_is_flagged():
    assert tuned()["lora"].edge == "high"
    assert tuned()["lora"].flags == ("the chosen learning rate is at the high end of its range",)
    assert tuned()["full"].edge == ""


def test_the_sentences_say_what_changed_for_whom_and_at_what_cost():
    found = summed(COMPARED, TUNING).tuning
    assert tuning_verdict(found) == (
        "Tuning improved lora by +21.0 points [+19.0, +23.0] on this test set.",
        "full kept its untuned values.",
        "The best learning rate is at the end of its range, so a better one may be outside: lora (high).",
        "full has the best mean, untuned and tuned.",
    )
    assert tuning_cost(found) == "Tuning took 6 tuning trials, 12.0 s of training, 24.0 s of wall time and 3 USD."


def test_tries_and_untuned_values_are_in_no_table_of_what_is_compared():
    summary = summed(COMPARED, TUNING)
    (target,) = summary.targets
    assert [(c.label, c.statuses) for c in target.contenders] == [("full", {"ok": 3}), ("lora", {"ok": 3})]
    assert summary.seeds == (0, 1, 2)


def test_strategies_tuned_with_unequal_budgets_are_compared_with_nobody():
    compared = [
        *finals("full", (0.80, 0.81, 0.82)),
        *finals("adapter", (0.70, 0.71, 0.72)),
        *finals("lora", (0.95, 0.96, 0.97)),
        *finals("none", (0.1, 0.11, 0.12)),
    ]
    tuning = [
        *tries("full", (0.5, 0.9, 0.7)),
        *tries("adapter", (0.5, 0.9, 0.7)),
        *tries("lora", (0.5, 0.9, 0.7), budget="30 tries"),
    ]
    (target,) = summed(compared, tuning).targets
    assert [c.label for c in target.contenders] == ["full", "adapter", "none", "lora"]
    lora = target.contenders[-1]
    assert lora.apart == "tuned with 30 tries, the others with 3 tries"
    assert lora.against_baseline is None
    assert not lora.explored
    assert not lora.fronts
    assert target.baseline == "full"
    assert {frozenset((c.first, c.second)) for c in target.comparisons if "lora" in (c.first, c.second)} == {
        frozenset(("lora", "none"))
    }
    assert not any("lora" in group for group in target.ties)
    assert target.answer.pick == "full"
    (advice,) = recommend(summed(compared, tuning), [])
    assert "lora" not in advice.recommended
    assert advice.why[-1] == target.verdict[-1]
    assert target.verdict[-1] == "Not comparable: lora, tuned with 30 tries, the others with 3 tries."


def test_over_tasks_who_was_tuned_otherwise_is_not_ranked():
    compared, tuning = [], []
    for target in ("digits", "words"):
        for name, lead in (("full", 0.1), ("adapter", 0.0), ("lora", 0.2)):
            compared += finals(name, (0.7 + lead, 0.71 + lead, 0.72 + lead), target=target)
            tuning += tries(name, (0.5, 0.9, 0.7), budget="9 tries" if name == "lora" else "3 tries", target=target)
    ranking = summed(compared, tuning).ranking
    assert [entry.strategy for entry in ranking.entries] == ["full", "adapter"]
    assert "Not ranked, because they were tuned with another budget: lora." in ranking.remarks
