"""Trials that a verifier trains again: drawn by a seed, held to the published predictions, and said on the page."""

import json

import pytest
from ftbench.leaderboard.reruns import draw, read_reruns
from ftbench.leaderboard.submissions import gathered

from tests.support.made_runs import bundled, copied, elsewhere, of, record_paths, repredicted, rewrite, set_value


@pytest.fixture
def run(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "tiny")


@pytest.fixture
def site(run, ftbench, tmp_path):
    """Return a function that publishes the run as it is now."""

    def publish():
        bundled(run, tmp_path / "tiny.zip")
        ftbench("leaderboard", "build", "tiny.zip", "-o", "site", check=0)
        return tmp_path / "site"

    return publish


def text_of(site):
    return (site / "index.html").read_text()


def test_an_honest_run_is_trained_again_bit_for_bit_and_the_site_says_by_whom(site, ftbench):
    folder = site()
    assert "not re-run" in text_of(folder)
    done = ftbench("leaderboard", "verify", "site", "--rerun", 2, "--rerun-seed", 1, "--by", "ann", check=0)
    assert "trained again: 2 of 6 trials on " in done.stdout
    assert "drawn with seed 1: all predictions are equal bit for bit." in done.stdout
    assert "re-run by ann" in text_of(folder)
    assert "not re-run" not in text_of(folder)
    (found,) = read_reruns(folder).values()
    assert (found.by, found.trials, found.of, found.seed, found.differs) == ("ann", 2, 6, 1, "")
    # The statement is part of the site, and stays when the site is built again.
    ftbench("leaderboard", "verify", "site", check=0)
    ftbench("leaderboard", "build", "tiny.zip", "-o", "site", check=0)
    assert "re-run by ann" in text_of(folder)
    table = json.loads((folder / "leaderboard.json").read_text())
    assert table["runs"][0]["rerun"]["by"] == "ann"


def test_forged_predictions_and_counts_are_found_by_training_again(run, site, ftbench):
    repredicted(run, 3, where=of("lora"))
    rewrite(run, lambda record: set_value(record, "trainable_parameters", 1), where=of("full"))
    for path in record_paths(run):
        record = json.loads(path.read_text())
        for measurement in record["measurements"]:
            if measurement["name"] == "trainable_parameters":
                measurement.update(unit="parameters")
        path.write_text(json.dumps(record))
    folder = site()
    done = ftbench("leaderboard", "verify", "site", "--rerun", 6, "--by", "ann", check=1)
    lines = done.stdout.splitlines()
    lora = [line for line in lines if "of lora on digits" in line]
    assert len(lora) == 3
    assert all("trained again on equal software, its predictions differ: 95.0% of items agree" in one for one in lora)
    full = [line for line in lines if "of full on digits" in line]
    assert len(full) == 3
    assert all("trainable parameters is 1.0, but trained again it is " in line for line in full)
    assert "not re-run" in text_of(folder)


def test_on_another_machine_what_was_compared_instead_is_said(run, site, ftbench):
    elsewhere(run, torch="0.0.1")
    site()
    done = ftbench("leaderboard", "verify", "site", "--rerun", 1, "--rerun-seed", 3, check=0)
    assert "environments differ: torch 0.0.1 → " in done.stdout
    assert "other hardware; 100.0% of items are predicted the same, exact figures are equal." in done.stdout


def test_the_draw_depends_on_its_seed_alone(run, tmp_path):
    bundled(run, tmp_path / "tiny.zip")
    with gathered([tmp_path / "tiny.zip"]) as entries:
        drawn = [[record.id for _, record in draw(entries, 3, seed)] for seed in range(20)]
        assert drawn == [[record.id for _, record in draw(entries, 3, seed)] for seed in range(20)]
        assert len({tuple(sorted(one)) for one in drawn}) > 5
        assert {trial for one in drawn for trial in one} == {record.id for record in entries[0].records}
        assert len(draw(entries, 99, 0)) == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"schema": "ftbench.reruns/2", "runs": {}}', "made by a newer ftbench"),
        ('{"schema": "ftbench.reruns/1", "runs": {"00": {"by": "x"}}}', "trials"),
        (
            '{"schema": "ftbench.reruns/1", "runs": {"00": {"by": "x", "trials": 1, "of": 1, "seed": 1, "device": "d"}}}',
            "00 is not a published bundle",
        ),
        ("[", "reruns.json"),
    ],
)
def test_a_broken_statement_is_a_line(site, ftbench, content, said):
    folder = site()
    (folder / "reruns.json").write_text(content)
    done = ftbench("leaderboard", "verify", "site", check=1)
    assert said in done.stdout
    assert len(done.stdout.splitlines()) < 5


def test_options_of_a_rerun_need_it(ftbench):
    done = ftbench("leaderboard", "verify", "site", "--by", "ann", check=2)
    assert done.stderr == "error: --rerun-seed and --by need --rerun N\n"
