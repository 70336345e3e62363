"""A run checked against a baseline: worse fails, missing never passes, equal passes."""

import json

import numpy as np
import pytest
from ftbench.analysis.together import EVERYONE
from ftbench.errors import ExitCode, NotComparable, RunError
from ftbench.gate.checks import Check, exit_code, most_severe_first
from ftbench.gate.gate import accept, hold
from ftbench.records.comparability import Difference
from ftbench.records.record_set import Place, read_record_set
from ftbench.suite.suite import Gate
from scipy import stats

from tests.support.made_runs import copied, of, record_paths, rewrite, set_value

FULL, LORA = Place("digits", "tiny-vit", "full"), Place("digits", "tiny-vit", "lora")


@pytest.fixture
def base(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "base")


@pytest.fixture
def head(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "head")


def run_checks(head, base, gate=None, allowed=()):
    return hold(read_record_set(head), read_record_set(base), gate or Gate(), allowed)


def found(checks, metric, place=FULL):
    return next(check for check in checks if (check.metric, check.place) == (metric, place))


def code(checks, *, strict=False):
    return exit_code(checks, strict=strict)


def set_score(values):
    return lambda record: set_value(record, "accuracy", values[record["trial"]["seed"]])


def on_items(count):
    """Return a change that lets a record's test sets have this many items."""

    def change(record):
        for task, rows in record["confusion"].items():
            shares = [count // len(rows) + (number < count % len(rows)) for number in range(len(rows))]
            record["confusion"][task] = [[share * (a == b) for a in range(len(rows))] for b, share in enumerate(shares)]

    return change


def scored(head, base, gains, *, strategy="full", level=0.5, items=1000):
    """Set the scores of a strategy, seed by seed, so that they differ by `gains`."""
    for run in (head, base):
        rewrite(run, on_items(items))
    rewrite(base, set_score([level] * len(gains)), where=of(strategy))
    rewrite(head, set_score([level + gain for gain in gains]), where=of(strategy))


def test_an_unchanged_head_is_ok_in_every_tier(head, base):
    checks = run_checks(head, base)
    assert {check.verdict for check in checks if check.gating} == {"ok"}
    assert {check.tier for check in checks if check.gating} == {"exact", "trace", "quality"}
    assert {check.metric for check in checks if check.tier == "exact"} >= {
        "trainable_parameters",
        "planned_steps",
        "data_order",
    }
    assert code(checks) == code(checks, strict=True) == ExitCode.OK
    assert found(checks, "throughput").gating is False


def test_a_count_that_differs_on_one_seed_is_a_regression_that_names_its_size(head, base):
    rewrite(
        head,
        lambda record: next(m for m in record["measurements"] if m["name"] == "inference_parameters").update(
            value=1080340.0
        ),
        where=of("lora", 1),
    )
    checks = run_checks(head, base)
    check = found(checks, "inference_parameters", LORA)
    assert (check.verdict, check.seeds) == ("regressed", (0, 1, 2))
    assert check.message == "must be equal: 540,170 parameters → 1,080,340 parameters (+100.0 %) on 1 of 3 seeds"
    assert code(checks) == ExitCode.REGRESSION


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        (lambda record: record["provenance"]["orders"].update(digits="another"), "data_order"),
        (lambda record: record["curves"][0].update(planned=11), "planned_steps"),
        (lambda record: set_value(record, "trainable_parameters", 3), "trainable_parameters"),
    ],
)
def test_everything_exact_must_be_equal(head, base, change, metric):
    rewrite(head, change)
    checks = run_checks(head, base)
    assert {check.metric for check in checks if check.verdict == "regressed"} == {metric}
    assert found(checks, metric, LORA).verdict == "regressed"


def test_accounted_figures_are_left_out_where_nobody_has_them_and_missing_where_one_has(head, base):
    assert found(run_checks(head, base), "flops_per_step").verdict == "ok"
    for run in (head, base):
        rewrite(run, lambda record: set_value(record, "flops_per_step", None))
    assert not any(check.metric == "flops_per_step" for check in run_checks(head, base))
    rewrite(base, lambda record: set_value(record, "flops_per_step", 100.0))
    checks = run_checks(head, base)
    assert found(checks, "flops_per_step").verdict == "missing"
    assert code(checks) == ExitCode.TRIALS_FAILED
    rewrite(head, lambda record: set_value(record, "flops_per_step", 101.0))
    checks = run_checks(head, base)
    assert found(checks, "flops_per_step").message == "must be equal: 100 FLOP → 101 FLOP (+1.0 %) on 3 of 3 seeds"
    rewrite(head, lambda record: record["provenance"]["software"].update(torch="1.0"))
    assert found(run_checks(head, base), "flops_per_step").verdict == "not comparable"


def test_a_loss_that_parts_is_changed_and_counts_where_strict(head, base):
    def change(record):
        record["curves"][0]["points"]["loss"][6] += 1e-6

    rewrite(head, change, where=of("lora", 2))
    checks = run_checks(head, base)
    check = found(checks, "loss_trace", LORA)
    assert check.verdict == "changed"
    assert check.message.startswith("seed 2, digits: the training loss diverges at point 7 of 12: ")
    assert (code(checks), code(checks, strict=True)) == (ExitCode.OK, ExitCode.INCONCLUSIVE)
    rewrite(head, lambda record: record["provenance"]["hardware"].update(cpu="Z80"))
    assert not any(check.metric == "loss_trace" for check in run_checks(head, base))


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ((-0.20, -0.22, -0.21), "regressed"),
        ((-0.004, -0.003, -0.0035), "ok"),
        ((0.2, 0.19, 0.21), "ok"),
        ((0.2, 0.1, 0.3), "inconclusive"),
        ((-0.10, 0.05, -0.02), "inconclusive"),
        ((-0.006, -0.007, -0.0065), "ok"),
        ((-0.012, -0.03, -0.02), "inconclusive"),
        ((-0.05, -0.05, -0.05), "regressed"),
        ((-0.006, -0.006, -0.006), "ok"),
    ],
)
def test_scores_are_held_by_their_bounds_and_the_margin(head, base, gains, verdict):
    scored(head, base, gains)
    check = found(run_checks(head, base), "accuracy")
    assert check.verdict == verdict
    array = np.array(gains)
    if array.std() > 1e-9:
        n, level = 3, 0.05 / 3
        half = stats.t.ppf(1 - level, n - 1) * array.std(ddof=1) / np.sqrt(n)
        # Two scores are judged together: the other strategy's p is 1, so this one's counts twice.
        p = min(1, 2 * stats.ttest_1samp(array, 0, alternative="less").pvalue)
        expected = (
            "regressed"
            if p < level and array.mean() < -0.01
            else "ok"
            if array.mean() - half > -0.01
            else "inconclusive"
        )
        assert verdict == expected


def test_a_regression_says_metric_task_strategy_and_size(head, base):
    scored(head, base, (-0.20, -0.22, -0.21), strategy="lora")
    check = found(run_checks(head, base), "accuracy", LORA)
    assert str(check).startswith(
        "regressed: accuracy of lora on digits (tiny-vit): 50.0 → 29.0 % "
        "(−21.0 points, allowed −1.0); 95 % interval [−23.5, −18.5] over 3 pairs, p "
    )


def test_where_less_is_better_a_rise_is_a_loss(head, base):
    def turned(record):
        next(m for m in record["measurements"] if m["name"] == "accuracy")["direction"] = "lower"

    scored(head, base, (0.20, 0.22, 0.21))
    assert found(run_checks(head, base), "accuracy").verdict == "ok"
    rewrite(rewrite(head, turned), lambda _: None)
    rewrite(base, turned)
    assert found(run_checks(head, base), "accuracy").verdict == "regressed"


def test_a_suite_may_set_other_margins_and_hold_more_scores(head, base):
    scored(head, base, (-0.02, -0.022, -0.021))
    assert found(run_checks(head, base), "accuracy").verdict == "regressed"
    assert found(run_checks(head, base, Gate(margin=0.03)), "accuracy").verdict == "ok"
    assert found(run_checks(head, base, Gate(margins={"accuracy": 0.03})), "accuracy").verdict == "ok"
    assert not any(check.metric == "macro_f1" for check in run_checks(head, base))
    assert found(run_checks(head, base, Gate(metrics=("macro_f1",))), "macro_f1").verdict == "ok"
    with pytest.raises(RunError, match=r"no trial of .* has a measurement called 'f2'"):
        run_checks(head, base, Gate(metrics=("f2",)))


def test_allocated_memory_may_grow_by_the_larger_of_a_share_and_a_few_bytes(head, base):
    for growth, verdict in ((0.05, "regressed"), (0.005, "ok"), (-0.3, "ok")):
        for run, factor in ((base, 1), (head, 1 + growth)):
            rewrite(
                run,
                lambda record, factor=factor: set_value(
                    record, "peak_allocated_memory", factor * (8e9 + 1e6 * record["trial"]["seed"])
                ),
            )
        assert found(run_checks(head, base), "peak_allocated_memory").verdict == verdict
    for run, factor in ((base, 1), (head, 1.05)):
        rewrite(
            run,
            lambda record, factor=factor: set_value(
                record, "peak_allocated_memory", factor * (5e8 + 1e3 * record["trial"]["seed"])
            ),
        )
    assert found(run_checks(head, base), "peak_allocated_memory").verdict == "ok"
    assert found(run_checks(head, base, Gate(memory_bytes=1)), "peak_allocated_memory").verdict == "regressed"


def test_a_baseline_of_another_processor_still_holds_counts_and_scores_but_no_speed(head, base):
    rewrite(base, lambda record: record["provenance"]["hardware"].update(cpu="Z80"))
    checks = run_checks(head, base)
    assert {check.tier for check in checks if check.gating} == {"exact", "quality"}
    assert code(checks, strict=True) == ExitCode.OK
    speed = found(checks, "throughput")
    assert (speed.verdict, speed.gating) == ("not comparable", False)
    assert 'hardware.cpu: "Z80" → ' in speed.message
    scored(head, base, (-0.2, -0.21, -0.22))
    assert code(run_checks(head, base)) == ExitCode.REGRESSION


def test_other_software_refuses_scores_unless_it_is_allowed(head, base):
    rewrite(base, lambda record: record["provenance"]["software"].update(torch="1.0"))
    checks = run_checks(head, base)
    assert found(checks, "accuracy").verdict == "not comparable"
    assert found(checks, "trainable_parameters").verdict == "ok"
    assert code(checks) == ExitCode.NOT_COMPARABLE
    assert code(run_checks(head, base, allowed=("software",))) == ExitCode.OK


def test_other_data_refuse_everything(head, base):
    rewrite(base, lambda record: record["provenance"]["splits"].update(digits="others"))
    checks = run_checks(head, base)
    assert {check.verdict for check in checks if check.gating} == {"not comparable"}
    assert code(checks) == ExitCode.NOT_COMPARABLE


def test_under_three_pairs_nothing_is_said_unless_the_records_are_identical(head, base):
    for path in record_paths(head):
        if json.loads(path.read_text())["trial"]["seed"]:
            path.unlink()
    plan = json.loads((head / "plan.json").read_text())
    kept = [n for n, place in enumerate(plan["places"]) if place[3] == 0]
    (head / "plan.json").write_text(
        json.dumps({**plan, **{key: [plan[key][n] for n in kept] for key in ("trials", "places")}})
    )
    checks = run_checks(head, base)
    assert found(checks, "accuracy").verdict == "ok"
    assert found(checks, "accuracy").message.endswith("allowed −1.0); over 1 pair; the trainings are identical")
    rewrite(head, lambda record: set_value(record, "accuracy", 0.0), where=of("lora"))
    checks = run_checks(head, base)
    assert found(checks, "accuracy", LORA).verdict == "inconclusive"
    assert found(checks, "accuracy", LORA).message.endswith("a verdict needs at least 3")
    assert (code(checks), code(checks, strict=True)) == (ExitCode.OK, ExitCode.INCONCLUSIVE)


def missing(checks):
    return [check.message for check in checks if check.verdict == "missing"]


def test_trials_that_are_missing_failed_or_of_no_common_seed_are_never_a_pass(head, base, tmp_path):
    path = next(p for p in record_paths(head) if of("lora", 1)(json.loads(p.read_text())))
    text = path.read_text()
    path.unlink()
    checks = run_checks(head, base)
    assert missing(checks) == [f"seed 1 has no record in {head}: the run is not finished"]
    assert missing(run_checks(base, head)) == [f"seed 1 has no record in the baseline {head}: it is not finished"]
    assert code(checks) == ExitCode.TRIALS_FAILED
    record = json.loads(text)
    path.write_text(
        json.dumps(
            {**record, "status": "oom", "failure": {"kind": "Oom", "message": "does not fit", "traceback": None}}
        )
    )
    assert missing(run_checks(head, base)) == [f"seed 1 of {head}: oom: does not fit"]
    assert missing(run_checks(base, head)) == [f"seed 1 of the baseline {head}: oom: does not fit"]
    path.write_text(text)
    rewrite(head, lambda record: record["trial"].update(seed=record["trial"]["seed"] + 7), where=of("lora"))
    assert missing(run_checks(head, base)) == [
        f"no seed in common: seeds 7, 8, 9 here, seeds 0, 1, 2 in the baseline {base}"
    ]


def test_a_strategy_that_only_one_side_has_is_missing(head, base):
    rewrite(head, lambda record: record["trial"]["strategy"].update(label="mine"), where=of("lora"))
    checks = run_checks(head, base)
    assert set(missing(checks)) == {
        f"is in the baseline {base} and not in {head}",
        f"is in {head} and not in the baseline {base}",
    }
    assert code(checks) == ExitCode.TRIALS_FAILED


def test_a_score_without_a_value_is_missing(head, base):
    def change(record):
        next(m for m in record["measurements"] if m["name"] == "accuracy").update(value=None, reason="undefined")

    rewrite(head, change, where=of("full", 2))
    check = found(run_checks(head, base), "accuracy")
    assert (check.verdict, check.message) == ("missing", f"has no value for seed 2 of {head}")


def test_cells_that_do_not_apply_on_either_side_are_no_matter(head, base):
    for run in (head, base):
        rewrite(run, lambda record: record.update(status="not-applicable", measurements=[]), where=of("lora"))
    checks = run_checks(head, base)
    assert {check.place for check in checks} == {FULL}
    rewrite(head, lambda record: record.update(status="error"), where=of("lora"))
    assert len(missing(run_checks(head, base))) == 3
    for run in (head, base):
        rewrite(run, lambda record: record.update(status="not-applicable", measurements=[]))
    with pytest.raises(RunError, match="there is nothing to compare"):
        run_checks(head, base)


def test_another_suite_mixed_and_empty_folders_are_one_line(head, base, tmp_path):
    rewrite(base, lambda record: record["trial"].update(suite="other"))
    with pytest.raises(RunError, match=r"is a run of the suite 'other', but .* is of 'tiny'"):
        run_checks(head, base)
    rewrite(base, lambda record: record["trial"].update(suite="tiny"), where=of("full"))
    with pytest.raises(RunError, match="has records of several suites: other, tiny"):
        run_checks(head, base)
    (tmp_path / "empty" / "trials").mkdir(parents=True)
    for folder, mistake in (
        (tmp_path / "empty", "no trial has finished"),
        (tmp_path, "not a run directory"),
        (tmp_path / "no", "no such"),
    ):
        with pytest.raises(RunError, match=mistake):
            run_checks(head, folder)


def test_records_of_two_environments_or_two_of_one_trial_are_not_comparable(head, base):
    (head / "plan.json").unlink()
    rewrite(head, lambda record: record.update(environment="elsewhere"), where=of("full", 0))
    with pytest.raises(NotComparable, match="has records of 2 environments"):
        run_checks(head, base)
    rewrite(head, lambda record: (record.update(environment="e"), record["trial"].update(seed=0)))
    with pytest.raises(NotComparable, match=r"two records are of (full|lora) on digits"):
        run_checks(head, base)
    assert NotComparable.exit_code == ExitCode.NOT_COMPARABLE


def test_numbers_that_are_no_numbers_are_refused(head, base):
    for text in ("NaN", "1e999"):
        path = record_paths(head)[0]
        before = path.read_text()
        path.write_text(before.replace('"value": 540170.0', f'"value": {text}'))
        with pytest.raises(RunError, match=r"not JSON: (expected value at line|a number is too large)"):
            run_checks(head, base)
        path.write_text(before)


def test_exit_codes_win_in_their_order():
    place = Place("t", "b", "s")
    checks = {
        v: Check(v, place, "m", "exact", "")
        for v in ("not comparable", "missing", "regressed", "inconclusive", "changed", "accepted", "ok")
    }
    order = [*checks.values()]
    assert [code(order[n:], strict=True) for n in range(7)] == [5, 1, 3, 4, 4, 0, 0]
    assert [code(order[n:]) for n in range(7)] == [5, 1, 3, 0, 0, 0, 0]
    assert code([]) == ExitCode.TRIALS_FAILED
    aside = Check("regressed", place, "m", "speed", "", gating=False)
    assert code([aside, checks["ok"]]) == ExitCode.OK
    assert most_severe_first([aside, *reversed(order)]) == [*order, aside]


def test_differences_are_worded_whole():
    assert str(Difference("software.torch", '"1"', '"2"')) == 'software.torch: "1" → "2"'


def test_losses_of_all_strategies_are_accepted_one_by_one(three_seeds, tmp_path):
    base, head = (copied(three_seeds / "runs" / "tiny", tmp_path / name) for name in ("base", "head"))
    places = list(read_record_set(base).records)
    check = Check("regressed", Place("digits", "tiny-vit", EVERYONE), "accuracy", "quality", "", members=tuple(places))
    for place in places:
        scored(head, base, (-0.03, -0.01, -0.02), strategy=place.strategy)
    own = [one for one in run_checks(head, base) if one.metric == "accuracy" and not one.members]
    accepted, steps = accept([*own, check], read_record_set(base), "a new version")
    assert accepted[-1].verdict == "accepted"
    assert {step.strategy for step in steps} == {place.strategy for place in places}
    assert all(step.before == (0.5, 0.5, 0.5) for step in steps)
    assert len(steps) == len(places), "each is accepted once, also if it regressed alone"


def test_a_small_test_set_that_loses_one_item_on_each_seed_is_no_regression(head, base):
    scored(head, base, (-0.02, -0.02, -0.02), items=50)
    assert found(run_checks(head, base), "accuracy").verdict == "inconclusive"
    scored(head, base, (-0.2, -0.2, -0.2), items=50)
    assert found(run_checks(head, base), "accuracy").verdict == "regressed"


def test_equal_scores_of_a_small_test_set_are_no_proof_unless_the_records_are_equal(head, base):
    assert found(run_checks(head, base), "accuracy").verdict == "ok"
    scored(head, base, (0.0, 0.0, 0.0), items=20)
    rewrite(head, lambda record: record["curves"][0]["points"]["loss"].__setitem__(6, 0.5), where=of("full"))
    assert found(run_checks(head, base), "accuracy").verdict == "inconclusive"
