"""Comparison of two runs, or of the strategies of one: settings, results, or a refusal."""

import csv
import io
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from ftbench import NotComparable, RunError
from ftbench.analysis.comparison import Asked, compare_runs, compare_strategies
from ftbench.analysis.comparison_formats import COLUMNS, FORMATS, write
from ftbench.records.record_set import Place, read_record_set
from scipy import stats

from tests.support.made_runs import copied, of, rewrite, set_value, value


@pytest.fixture
def run(three_seeds):
    return three_seeds / "runs" / "tiny"


@pytest.fixture
def other(run, tmp_path):
    return copied(run, tmp_path / "other")


def compared(one, other, **asked):
    return compare_runs(read_record_set(one), read_record_set(other), Asked(**asked))


def row(found, strategy, metric):
    return next(r for r in found.rows if (r.place.strategy, r.metric) == (strategy, metric))


def lowered(by):
    def change(record):
        set_value(record, "accuracy", value(record, "accuracy") - by[record["trial"]["seed"]])

    return change


def test_a_run_compared_with_itself_differs_in_nothing(run, other):
    found = compared(run, other)
    assert (found.configuration, found.drift, found.alone) == ((), (), ())
    exact = ("trainable_parameters", "flops_per_step", "peak_tensor_bytes")
    expected = {(strategy, name): "equal" for strategy in ("full", "lora") for name in exact}
    expected |= {("full", "accuracy"): "equivalent", ("lora", "accuracy"): "equivalent"}
    assert {(r.place.strategy, r.metric): r.verdict for r in found.rows if r.metric != "throughput"} == expected
    assert row(found, "lora", "accuracy").seeds == (0, 1, 2)


def test_what_was_measured_while_clocks_were_held_down_decides_nothing(run, other, tmp_path):
    def at(rate):
        return lambda record: set_value(record, "throughput", rate + record["trial"]["seed"])

    run = rewrite(copied(run, tmp_path / "slow"), at(100))
    assert row(compared(run, rewrite(other, at(200))), "lora", "throughput").verdict == "better"

    def throttle(record):
        next(m for m in record["measurements"] if m["name"] == "throughput")["flags"] = ["disturbed: throttled"]

    found = row(compared(run, rewrite(other, throttle, where=of("lora", 1))), "lora", "throughput")
    assert (found.verdict, found.reason, found.difference) == (
        "undecided",
        "the device was disturbed: throttled",
        None,
    )
    assert row(compared(run, other), "full", "throughput").verdict == "better", "the others are not touched"
    assert "throughput is undecided: the device was disturbed: throttled" in write(compared(run, other), "markdown")


def test_scores_are_compared_by_the_paired_t_test_and_corrected_over_the_rows(run, other):
    falls = {"full": (0.10, 0.12, 0.11), "lora": (0.20, 0.05, 0.30)}
    for strategy, by in falls.items():
        rewrite(other, lowered(by), where=of(strategy))
    found = compared(run, other)
    raw = {}
    for strategy, by in falls.items():
        test = stats.ttest_1samp([-fall for fall in by], 0)
        interval = test.confidence_interval()
        r = row(found, strategy, "accuracy")
        assert r.difference.mean == pytest.approx(-np.mean(by))
        assert (r.difference.low, r.difference.high) == pytest.approx((interval.low, interval.high))
        assert r.effect.d_z == pytest.approx(-np.mean(by) / np.std(by, ddof=1))
        raw[strategy] = test.pvalue
    assert row(found, "full", "accuracy").p == pytest.approx(2 * raw["full"])
    assert row(found, "lora", "accuracy").p == pytest.approx(raw["lora"])
    assert row(found, "full", "accuracy").verdict == "worse"
    assert row(found, "lora", "accuracy").verdict == "undecided"


def test_a_claim_that_does_not_outlast_the_correction_is_taken_back(run, other):
    rewrite(other, lowered((0.10, 0.16, 0.05)), where=of("full"))
    rewrite(other, lowered((0.20, 0.05, 0.30)), where=of("lora"))
    test = stats.ttest_1samp([0.10, 0.16, 0.05], 0)
    assert 0.025 < test.pvalue < 0.1
    r = row(compared(run, other), "full", "accuracy")
    assert (r.verdict, r.p) == ("undecided", pytest.approx(2 * test.pvalue))


def test_costs_are_compared_by_their_ratios(run, other):
    rates = {0: 100.0, 1: 110.0, 2: 90.0}
    for target, factors in ((run, None), (other, (0.5, 0.52, 0.48))):
        folder = other if factors else copied(run, other.parent / "one")

        def change(record, factors=factors):
            seed = record["trial"]["seed"]
            set_value(record, "throughput", rates[seed] * (factors[seed] if factors else 1))

        rewrite(folder, change)
        del target
    r = row(compared(other.parent / "one", other, metrics=("throughput",)), "full", "throughput")
    logs = np.log([0.5, 0.52, 0.48])
    assert r.scale == "ratio"
    assert r.difference.mean == pytest.approx(math.exp(logs.mean()) - 1)
    interval = stats.ttest_1samp(logs, 0).confidence_interval()
    assert r.difference.high == pytest.approx(math.exp(interval.high) - 1)
    assert r.verdict == "worse"


def test_figures_without_noise_are_equal_or_not(run, other):
    rewrite(other, lambda record: set_value(record, "trainable_parameters", 1.0), where=of("lora"))
    found = compared(run, other)
    assert (row(found, "lora", "trainable_parameters").verdict, row(found, "lora", "trainable_parameters").p) == (
        "better",
        None,
    )
    assert row(found, "full", "trainable_parameters").verdict == "equal"


def test_unlike_data_are_refused_with_every_field_and_compared_where_that_is_allowed(run, other):
    def change(record):
        record["provenance"]["splits"]["digits"] = "another"
        record["trial"]["stages"][0]["training"]["batch_size"] = 4

    rewrite(other, change)
    with pytest.raises(NotComparable) as caught:
        compared(run, other)
    assert re.sub(r'"\w{16}"', '"…"', str(caught.value)) == (
        'not comparable: data.task.digits.splits: "…" → "another"\n'
        "not comparable: protocol.training.digits.batch_size: 8 → 4; use `--allow-drift FIELD` to compare anyway"
    )
    with pytest.raises(NotComparable):
        compared(run, other, allowed=("data",))
    found = compared(run, other, allowed=("data", "protocol.training.digits.batch_size"))
    assert row(found, "full", "accuracy").verdict == "equivalent"
    assert [one.field for one in found.drift] == ["data.task.digits.splits", "protocol.training.digits.batch_size"]


def test_other_hardware_leaves_scores_and_refuses_speed(run, other):
    rewrite(other, lambda record: record["provenance"]["hardware"].update(cpu="Z80"))
    found = compared(run, other)
    assert row(found, "full", "accuracy").verdict == "equivalent"
    speed = row(found, "full", "throughput")
    assert (speed.verdict, speed.difference) == ("not comparable", None)
    assert '→ "Z80"' in speed.reason
    with pytest.raises(NotComparable, match=r"hardware\.cpu"):
        compared(run, other, metrics=("throughput",))
    assert (
        row(compared(run, other, metrics=("throughput",), allowed=("hardware",)), "full", "throughput").difference
        is not None
    )


def test_other_software_leaves_counts_and_refuses_scores(run, other):
    rewrite(other, lambda record: record["provenance"]["software"].update(torch="1.0"))
    with pytest.raises(NotComparable, match=r"software\.torch"):
        compared(run, other)
    assert (
        row(compared(run, other, metrics=("trainable_parameters",)), "full", "trainable_parameters").verdict == "equal"
    )


def test_strategies_are_compared_with_the_one_that_is_named(run):
    found = compare_strategies(read_record_set(run), "full", Asked())
    assert {r.place for r in found.rows} == {Place("digits", "tiny-vit", "lora")}
    assert {r.against for r in found.rows} == {"full"}
    assert row(found, "lora", "trainable_parameters").verdict == "better"
    assert "configuration.strategy.options.rank" in {one.field for one in found.configuration}
    with pytest.raises(RunError, match=r"no strategy of .* has this label; did you mean 'lora'"):
        compare_strategies(read_record_set(run), "loro", Asked())


def test_what_only_one_has_is_told_and_failed_trials_are_not_compared(run, other):
    rewrite(other, lambda record: record["trial"]["strategy"].update(label="mine"), where=of("lora"))
    rewrite(other, lambda record: record.update(status="oom"), where=of("full", 1))
    found = compared(run, other)
    assert found.alone == (
        f"lora on digits (tiny-vit) is only in {run}",
        f"mine on digits (tiny-vit) is only in {other}",
    )
    assert row(found, "full", "accuracy").seeds == (0, 2)
    assert row(found, "full", "accuracy").verdict == "too few seeds"
    rewrite(other, lambda record: record.update(status="oom"))
    with pytest.raises(RunError, match="share no finished trial"):
        compared(run, other)
    with pytest.raises(RunError, match="--metric blue: no shared trial"):
        compared(run, run, metrics=("blue",))


def test_every_format_says_the_same(run, other):
    rewrite(other, lowered((0.10, 0.12, 0.11)), where=of("full"))
    rewrite(other, lambda record: record["trial"]["strategy"]["options"].update(rank=9), where=of("lora"))
    found = compared(run, other)
    texts = {form: write(found, form) for form in FORMATS}
    table = json.loads(texts["json"])
    assert table["configuration"] == [{"field": "configuration.strategy.options.rank", "first": "8", "second": "9"}]
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [r["metric"] for r in rows] == [r["metric"] for r in table["rows"]] == [r.metric for r in found.rows]
    assert float(rows[0]["difference"]) == table["rows"][0]["difference"]["mean"] == found.rows[0].difference.mean
    shown = [line for line in texts["markdown"].splitlines() if line.startswith("| digits")]
    lines = [line for line in texts["latex"].splitlines() if line.startswith("digits")]
    assert len(shown) == len(lines) == len(rows)
    assert all(line.count("|") == len(COLUMNS) + 1 for line in shown)
    assert all(len(re.findall(r"(?<!\\)&", line)) == len(COLUMNS) - 1 for line in lines)
    assert "| `configuration.strategy.options.rank` | 8 | 9 |" in texts["markdown"]
    assert "-11.0 points [-13.5, -8.5]" in shown[0]
    assert r"trainable\_parameters" in texts["latex"]


def test_names_cannot_break_out_of_a_table(run, other):
    for folder in (copied(run, other.parent / "one"), other):
        rewrite(folder, lambda record: record["trial"].update(target="a|b<script>$x_{1}%"))
    found = compared(other.parent / "one", other)
    text = write(found, "markdown")
    assert r"a\|b&lt;script>" in text
    assert "<script" not in text
    assert r"\$x\_\{1\}\%" in write(found, "latex")


def test_the_command_writes_or_refuses_with_exit_code_five(ftbench, run, other, tmp_path):
    assert ftbench("compare", run, other, check=0).stdout.startswith(f"# {other} against {run}")
    ftbench("compare", run, "--baseline", "full", "--format", "json", "-o", tmp_path / "c.json", check=0)
    assert json.loads((tmp_path / "c.json").read_text())["first"] == "full"
    ftbench("bundle", run, "-o", tmp_path / "b.zip", check=0)
    assert "equivalent" in ftbench("compare", tmp_path / "b.zip", other, check=0).stdout
    rewrite(other, lambda record: record["trial"].update(threads=4))
    done = ftbench("compare", run, other)
    assert (done.returncode, done.stderr) == (
        5,
        "error: not comparable: protocol.threads: 1 → 4; use `--allow-drift FIELD` to compare anyway\n",
    )
    ftbench("compare", run, other, "--allow-drift", "protocol.threads", check=0)
    for arguments in ((run,), (run, other, "--baseline", "full"), (run, tmp_path / "nowhere"), (tmp_path, run)):
        done = ftbench("compare", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def of_one_seed(name, scores):
    """Return a run of one seed with a strategy per score."""
    from ftbench.records.record_set import RecordSet

    from tests.support.made_records import record

    # Without a confusion matrix: twelve items would be too few for changes of a point.
    records = {
        Place("digits", "vit", f"s{number}"): {0: replace(record(f"s{number}", 0, score), confusion={})}
        for number, score in enumerate(scores)
    }
    return RecordSet(name, "s", records)


def test_a_change_of_all_strategies_together_has_a_row_of_its_own():
    rng = np.random.default_rng(3)
    before = rng.uniform(0.4, 0.6, 50)
    changes = rng.normal(0, 0.013, 50)
    changes += -0.0119 - changes.mean()
    found = compare_runs(of_one_seed("a", before), of_one_seed("b", before + changes), Asked(("accuracy",)))
    *rows, together = found.rows
    assert {one.verdict for one in rows} == {"too few seeds"}
    assert str(together.place) == "all strategies together on digits (vit)"
    assert (together.verdict, together.difference.mean, together.difference.n) == ("worse", pytest.approx(-0.0119), 50)
    assert together.p == pytest.approx(stats.ttest_1samp(changes, 0).pvalue)
    for form in FORMATS:
        assert "all strategies together" in write(found, form)


def test_strategies_that_did_not_change_are_not_among_those_that_did():
    before = [0.5] * 6
    assert len(compare_runs(of_one_seed("a", before), of_one_seed("b", before), Asked(("accuracy",))).rows) == 6
