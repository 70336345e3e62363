"""Entries: what a bundle needs to be published, and reading it without trusting it."""

import json
import shutil
import zipfile

import pytest
from ftbench import RunError, __version__
from ftbench.api.measurement import MEASURING_VERSION
from ftbench.fingerprint import read_sha256
from ftbench.leaderboard.entry import read_entry
from ftbench.records.bundle import pack
from ftbench.suite.trial import TRAINING_VERSION
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.made_runs import (
    bundled,
    copied,
    elsewhere,
    identify,
    of,
    record_paths,
    rewrite,
    set_value,
    value,
    without_trials,
)


@pytest.fixture
def run(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "tiny")


def entry(run, folder):
    return read_entry(bundled(run, folder / "run.zip"))


def faults(run, folder):
    with pytest.raises(RunError) as caught:
        entry(run, folder)
    bundle = str(folder / "run.zip")
    assert all(line.startswith((f"{bundle}: ", f"{bundle}/")) for line in caught.value.mistakes)
    return [line.removeprefix(f"{bundle}: ") for line in caught.value.mistakes]


def test_an_entry_is_named_by_suite_day_and_hash(run, tmp_path):
    found = entry(run, tmp_path)
    assert found.sha256 == read_sha256(tmp_path / "run.zip")
    assert found.name == f"tiny-{found.name[5:15]}-{found.sha256[:12]}"
    assert len(found.records) == 6
    assert found.harness == {"version": __version__, "training": TRAINING_VERSION, "measuring": MEASURING_VERSION}
    assert found.device == found.hardware["cpu"]


def test_a_name_of_a_suite_is_no_path(run, tmp_path):
    rewrite(run, lambda record: record["trial"].update(suite="../../etc/<b>ü"))
    assert entry(run, tmp_path).name.startswith("etc--b-")


def test_the_suite_is_told_by_what_everyone_is_held_to_and_not_by_who_takes_part(run, tmp_path):
    whole = entry(run, tmp_path).suite
    rewrite(run, lambda record: record["trial"].update(suite="other"))
    assert entry(run, tmp_path).suite == whole
    lock = (run / "suite.lock.toml").read_text()
    (run / "suite.lock.toml").write_text(lock.replace("margin = 0.005", "margin = 0.5"))
    assert entry(run, tmp_path).suite != whole


def test_a_missing_trial_is_named(run, tmp_path):
    (line,) = faults(without_trials(run, strategy="lora", seed=1), tmp_path)
    assert line.startswith("seed 1 of lora on digits (tiny-vit) is missing: planned as trial ")


def test_a_trial_that_the_plan_lost_too_is_missing(run, tmp_path):
    without_trials(run, strategy="lora", seed=2)
    plan = json.loads((run / "plan.json").read_text())
    gone = next(n for n, place in enumerate(plan["places"]) if place[2:] == ["lora", 2])
    del plan["trials"][gone], plan["places"][gone]
    (run / "plan.json").write_text(json.dumps(plan))
    (line,) = faults(run, tmp_path)
    assert line == "seed 2 of lora on digits (tiny-vit) is missing: the suite has that seed, but the plan does not"
    without_trials(run, strategy="lora")
    keep = [n for n, place in enumerate(plan["places"]) if place[2] != "lora"]
    plan.update(trials=[plan["trials"][n] for n in keep], places=[plan["places"][n] for n in keep])
    (run / "plan.json").write_text(json.dumps(plan))
    assert faults(run, tmp_path) == ["strategy lora is missing: the suite has it, but the plan does not"]


def test_without_a_plan_nothing_can_be_told(run, tmp_path):
    (run / "plan.json").unlink()
    assert faults(run, tmp_path) == ["has no plan.json or no suite.lock.toml, so missing trials cannot be detected"]


def test_a_repeated_seed_is_named(run, tmp_path):
    """Seed 0 once more in the place of seed 1, ids and plan made to fit."""
    plan = json.loads((run / "plan.json").read_text())

    def change(record):
        old = record["id"]
        record["trial"]["seed"] = 0
        record["trial"]["code"] = "another"
        identify(record)
        plan["trials"][plan["trials"].index(old)] = record["id"]

    rewrite(run, change, where=of("lora", 1))
    for path in record_paths(run):
        path.parent.parent.rename(run / "trials" / json.loads(path.read_text())["id"])
    (run / "plan.json").write_text(json.dumps(plan))
    assert any(
        line.startswith("seed 0 of lora on digits (tiny-vit) has two records: trials ")
        for line in faults(run, tmp_path)
    )


def test_a_trial_that_was_given_another_seed_is_not_the_one_of_its_id(run, tmp_path):
    rewrite(run, lambda record: record["trial"].update(seed=7), where=of("full", 1))
    assert any(
        line.startswith("seed 7 of full on digits (tiny-vit): its trial was changed") for line in faults(run, tmp_path)
    )


def test_a_trial_that_goes_by_another_name_is_not_the_one_that_was_planned(run, tmp_path):
    rewrite(run, lambda record: record["trial"]["strategy"].update(label="wonder"), where=of("lora", 1))
    (line,) = faults(run, tmp_path)
    assert r"seed 1 of wonder on digits (tiny-vit) was planned as ('digits', 'tiny-vit', 'lora', 1)" in line


def test_records_of_another_machine_or_split_are_mixed_fingerprints(run, tmp_path):
    rewrite(run, lambda record: record["provenance"]["hardware"].update(cpu="Faster"), where=of("full", 1))
    assert faults(run, tmp_path)[0].startswith(
        "seed 1 of full on digits (tiny-vit): mixed fingerprints: its software and hardware"
    )
    rewrite(run, lambda record: record["provenance"]["splits"].update(digits="0123"), where=of("lora", 2))
    assert any("splits of digits are" in line for line in faults(run, tmp_path))


def test_strategies_held_to_different_protocols_are_mixed_fingerprints(run, tmp_path):
    def change(record):
        record["trial"]["stages"][0]["training"]["batch_size"] = 99

    rewrite(run, change, where=of("lora"))
    assert any(
        "seed" in line and "mixed fingerprints: differs from" in line and "protocol.training.digits.batch_size" in line
        for line in faults(run, tmp_path)
    )


def test_a_score_that_its_predictions_do_not_give_is_named(run, tmp_path):
    rewrite(run, lambda record: set_value(record, "accuracy", 0.999), where=of("full", 2))
    expected = (
        "seed 2 of full on digits (tiny-vit): what each example contributes to accuracy does not add up to the score"
    )
    assert faults(run, tmp_path) == [expected]


def test_a_stray_record_or_another_environment_is_named(run, tmp_path):
    pack(run, tmp_path / "run.zip")
    other = elsewhere(copied(run, tmp_path / "other"))
    stray = record_paths(other)[0]
    place = run / stray.parent.relative_to(other)
    shutil.copytree(stray.parent, place)
    (run / "plan.json").rename(tmp_path / "plan.json")
    pack(run, tmp_path / "mixed.zip")
    with zipfile.ZipFile(tmp_path / "mixed.zip") as archive:
        assert len([name for name in archive.namelist() if name.endswith("record.json")]) == 7
    found = faults(run, tmp_path)
    assert found == ["has no plan.json or no suite.lock.toml, so missing trials cannot be detected"]


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(trial={}),
        lambda record: record["trial"].update(stages=3),
        lambda record: record["trial"].update(strategy=None),
        lambda record: record["provenance"].update(harness="x"),
        lambda record: record["provenance"].update(finished="soon"),
        lambda record: record["provenance"].update(finished=1e300),
        lambda record: record["trial"].update(seed=[]),
    ],
)
def test_a_record_of_another_shape_is_a_line_and_no_traceback(run, tmp_path, change):
    rewrite(run, change, where=of("full", 0))
    assert faults(run, tmp_path)


@pytest.mark.parametrize("text", ["", "seeds = 3", "seeds = [0, 1, 2]\nstrategies = [3]", "\x00", "strategies = []"])
def test_a_suite_of_another_shape_is_a_line_and_no_traceback(run, tmp_path, text):
    (run / "suite.lock.toml").write_text(text)
    assert faults(run, tmp_path)


def test_a_score_that_is_no_number_is_refused(run, tmp_path):
    path = record_paths(run)[0]
    record = json.loads(path.read_text())
    path.write_text(path.read_text().replace(str(value(record, "accuracy")), "NaN"))
    assert faults(run, tmp_path)


ODD = [
    None,
    True,
    -1,
    0,
    1e308,
    1e-320,
    2**70,
    "",
    "x" * 5000,
    "\u202e</script>\x00\n",
    [],
    {},
    [[]],
    {"a": 1},
    float("nan"),
    "../..",
    [1, None],
]


def leaves(value, path=()):
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from leaves(one, (*path, key))


@pytest.mark.thorough
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_record_or_plan_holds_it_is_refused_in_lines_or_becomes_pages(run, tmp_path, data):
    from ftbench.leaderboard.json_format import to_json
    from ftbench.leaderboard.leaderboard import leaderboard_of

    from ftbench_plugins.reports.site.pages import Site

    folder = tmp_path / "fuzzed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run, folder)
    path = data.draw(st.sampled_from([*record_paths(folder), folder / "plan.json"]))
    table = json.loads(path.read_text())
    *steps, last = data.draw(st.sampled_from(list(leaves(table))))
    place = table
    for step in steps:
        place = place[step]
    place[last] = data.draw(st.sampled_from(ODD))
    path.write_text(json.dumps(table))
    try:
        found = entry(folder, tmp_path)
    except RunError as error:
        assert not any("\n" in line for line in error.mistakes)
    else:
        board = leaderboard_of([found], "0")
        assert to_json(board)
        assert all(
            path.endswith((".csv", ".json", ".svg")) or text.startswith("<!doctype html>")
            for path, text in Site(board).files()
        )
