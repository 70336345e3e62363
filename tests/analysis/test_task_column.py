"""Contenders of a task column, compared with the baseline, with each other, and with their costs."""

from dataclasses import replace

import numpy as np
import pytest
from ftbench import Measurement
from ftbench.analysis.recommendation import Limit, recommend
from ftbench.reporting import summarise
from ftbench.stats import detectable
from ftbench.stats.item_scores import Items
from ftbench.suite.suite import Statistics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftbench_plugins.reports.markdown import MarkdownReport
from ftbench_plugins.reports.page import render
from tests.support.made_records import record


def run(seed=0, seeds=5, noise=0.01, **leads):
    rng = np.random.default_rng(seed)
    return [
        replace(
            found,
            measurements=(*found.measurements, Measurement("throughput", 100.0 + rng.normal(), "images/s", "higher")),
        )
        for name, lead in leads.items()
        for number in range(seeds)
        for found in (record(name, number, 0.8 + lead + rng.normal(0, noise), params=1000.0 + 1000 * (lead > 0)),)
    ]


def only(records, **options):
    (target,) = summarise(records, **options).targets
    return target


def test_words_against_the_baseline_are_what_is_left_after_holm():
    records = run(seed=11, full=0.0, good=0.1, **{f"same{number}": 0.0 for number in range(8)})
    found = {c.label: c for c in only(records).contenders}
    assert found["good"].against_baseline.verdict == "better"
    assert found["good"].p_adjusted == pytest.approx(9 * found["good"].against_baseline.p)
    for contender in found.values():
        if contender.against_baseline is not None:
            assert (contender.against_baseline.verdict in ("better", "worse")) <= (contender.p_adjusted < 0.05)
    # Without the correction, one of nine equal strategies looks different at 5 %.
    alone = [name for name, c in found.items() if name.startswith("same") and c.against_baseline.p < 0.05]
    assert alone
    assert all(found[name].against_baseline.verdict == "undecided" for name in alone)


def test_all_pairs_are_compared_and_ties_are_what_is_not_told_apart():
    target = only(run(full=0.0, good=0.1, same=0.0, bad=-0.2, noise=0.003))
    assert len(target.comparisons) == 6
    assert all(c.difference.estimate.mean >= 0 for c in target.comparisons)
    assert len(target.ties) == 1
    assert set(target.ties[0]) == {"full", "same"}
    assert only(run(seeds=2, full=0.0, good=0.1)).ties == ()


def test_the_suite_says_what_does_not_matter():
    records = run(full=0.0, near=0.01, noise=0.002)
    assert only(records).contenders[1 - 0].label
    words = {
        margin: {c.label: c for c in only(records, statistics=Statistics(margin)).contenders}[
            "near"
        ].against_baseline.verdict
        for margin in (0.005, 0.02)
    }
    assert words == {0.005: "better", 0.02: "equivalent"}
    of_the_task = Statistics(0.005, {"digits/accuracy": 0.02, "digits": 0.001})
    assert only(records, statistics=of_the_task).margin == 0.02


def test_a_margin_for_nothing_that_is_measured_is_told():
    remarks = summarise(
        run(full=0.0, good=0.1), statistics=Statistics(margins={"acuracy": 0.01, "accuracy": 0.02})
    ).remarks
    assert remarks == ("statistics.margins: 'acuracy': no measurement or task has this name",)


def test_everything_else_is_explored_with_its_own_correction():
    found = {c.label: c for c in only(run(full=0.0, good=0.1, same=0.0)).contenders}
    assert found["full"].explored == {}
    assert set(found["good"].explored) == {"macro_f1", "trainable_parameters", "throughput"}
    for contender in (found["good"], found["same"]):
        for explored in contender.explored.values():
            assert explored.q is None or explored.q >= explored.difference.p
    # Counts have no noise: a difference of a thousand parameters is exact.
    assert found["good"].explored["trainable_parameters"].difference.verdict == "worse"
    assert found["good"].explored["trainable_parameters"].difference.margin == 0


def test_a_place_on_the_front_has_its_probability():
    found = {c.label: c for c in only(run(full=0.0, good=0.1, same=0.0)).contenders}
    assert found["good"].front_chances["trainable_parameters"] == 1.0
    assert 0 < found["same"].front_chances["trainable_parameters"] < 1
    chances = [found[name].front_chances["trainable_parameters"] for name in ("full", "same")]
    assert sum(chances) == pytest.approx(1.0), "of two of one price, one is on the front"
    assert only(run(seeds=2, full=0.0, good=0.1)).contenders[0].front_chances == {}


def test_noise_is_that_of_a_typical_comparison():
    target = only(run(seeds=40, noise=0.01, full=0.0, a=0.1, b=0.0, c=0.0))
    assert target.noise.s_d == pytest.approx(0.01 * 2**0.5, rel=0.15)
    assert target.noise.detectable(5) == pytest.approx(detectable(5, df=target.noise.df(5)) * target.noise.s_d)
    assert 4 < target.noise.df(5) <= 12
    assert only(run(seeds=1, full=0.0, a=0.1)).noise is None


def with_items(records, answers):
    """Return the task column of records whose trials have these per-item scores."""

    def read(one):
        right = answers[one.trial["strategy"]["label"]]
        return Items("accuracy", "the same", right + (one.measurement("accuracy").value - right.mean()))

    return only(records, read=read)


def test_sentences_tell_what_holds_on_new_items():
    rng = np.random.default_rng(0)
    records = run(full=0.0, good=0.1, bad=-0.2, noise=0.003)
    few = with_items(records, {name: rng.integers(0, 2, 20).astype(float) for name in ("full", "good", "bad")})
    assert any("full and bad are worse; full is the closest to good, by " in sentence for sentence in few.verdict)
    assert "On new test items this is shown for none of 2." in few.verdict
    same = rng.integers(0, 2, 2000).astype(float)
    many = with_items(records, dict.fromkeys(("full", "good", "bad"), same))
    assert "This also holds on new test items." in many.verdict
    assert not any("new test items" in sentence for sentence in only(records).verdict)
    (leader, *_) = many.contenders
    assert leader.quantities["accuracy"].new_items.low < leader.quantities["accuracy"].estimate.low
    assert leader.quantities["throughput"].new_items is None


_outcome = st.one_of(
    st.none(), st.sampled_from(["oom", "error", "not-applicable"]), st.sampled_from([0.0, 0.5, 0.9, 1.0])
)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.integers(0, 3)), _outcome, min_size=1
    )
)
def test_whatever_is_missing_a_run_is_summed_up_and_shown(tmp_path, outcomes):
    records = []
    for (name, target, seed), outcome in outcomes.items():
        status = outcome if isinstance(outcome, str) else "ok"
        one = record(name, seed, outcome if isinstance(outcome, float) else 0.0, target=target, status=status)
        if outcome is None:
            kept = [replace(m, value=None, reason="undefined") if m.name == "accuracy" else m for m in one.measurements]
            one = replace(one, measurements=tuple(kept))
        records.append(one)
    summary = summarise(records)
    assert render(summary)
    assert MarkdownReport().write(summary, tmp_path).read_text()
    assert recommend(summary, [Limit(("accuracy",), 0.5, at_least=True)])
    few = [c for t in summary.targets for c in t.comparisons if not c.difference.estimate.claimable]
    assert not any(c.apart for c in few)
    for target in summary.targets:
        found = {c.label: c.quantities.get("accuracy") for c in target.contenders}
        scored = {label for label, quantity in found.items() if quantity and quantity.estimate}
        assert not scored or target.answer.pick in scored


def test_equivalence_is_said_with_its_margin():
    target = only(run(full=0.0, same=0.0, noise=0.0005))
    assert any("is equivalent to" in sentence and "± 0.5 points" in sentence for sentence in target.verdict)
