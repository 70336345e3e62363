"""The committed example: what its records answer, and that every place says the same."""

import re

import pytest
from ftbench.analysis.answer_rows import answer_on
from ftbench.analysis.recommendation import recommend
from ftbench.analysis.run_summary import summarise_runs

from tests.conftest import ROOT

EXAMPLE = ROOT / "reports" / "example"
PICKS = {"word-sentiment": "parallel-adapter", "digits": "lora-and-bitfit", "spoken-commands": "lora"}
APART = {"word-sentiment": 80, "digits": 130, "spoken-commands": 95}
"""Pairs that differ significantly, at least."""
POSSIBLE = {"word-sentiment": 10, "digits": 5, "spoken-commands": 11}
"""Strategies that could be the best, at most."""


@pytest.fixture(scope="module")
def summary():
    return summarise_runs([EXAMPLE / "example.zip"])


def test_its_records_tell_many_pairs_apart_and_leave_few_that_could_be_the_best(summary):
    targets = {target.label: target for target in summary.targets}
    for label, least in APART.items():
        target = targets[label]
        assert sum(one.apart for one in target.comparisons) >= least
        assert 1 <= len(target.answer.possible) <= POSSIBLE[label]
        assert target.answer.pick == PICKS[label]


def test_the_untrained_model_is_nowhere_a_choice(summary):
    for target in summary.targets:
        assert "none" not in {c.label for c in target.contenders}
        assert "none" not in (*target.answer.possible, *target.answer.worse, *(n for tie in target.ties for n in tie))
        if not target.is_sequence:
            assert [c.label for c in target.references] == ["none"]
            assert any("beat the untrained model" in sentence for sentence in target.verdict)
    assert "none" not in {entry.strategy for entry in summary.ranking.entries}


def test_recommend_gives_the_pages_pick_and_the_readme_says_it(summary):
    found = {one.target: one.recommended for one in recommend(summary, [])}
    assert found == {target.label: (target.answer.pick,) for target in summary.targets}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (EXAMPLE / "report.html").read_text(encoding="utf-8")
    for target in summary.targets:
        if target.label in PICKS:
            assert answer_on(target) in readme
            assert f"{target.answer.pick} on " in re.sub(r"<[^>]*>", "", page)


def test_no_interval_of_a_share_leaves_0_to_100_percent(summary):
    for target in summary.targets:
        for contender in (*target.contenders, *target.references):
            for quantity in contender.quantities.values():
                if quantity.unit == "1" and quantity.estimate and 0 <= quantity.estimate.mean <= 1:
                    ends = [quantity.estimate.low, quantity.estimate.high]
                    ends += [quantity.new_items.low, quantity.new_items.high] if quantity.new_items else []
                    signed = quantity.name in ("mcc", "forgetting", "backward_transfer", "spearman", "pearson")
                    assert all(end is None or (-1 if signed else 0) <= end <= 1 for end in ends), quantity
