"""A folder of results: what is taken in, under which name, and what is refused."""

import pytest
from ftbench import RunError
from ftbench.fingerprint import read_sha256
from ftbench.leaderboard.submissions import add, gathered
from ftbench.records.bundle import pack

from tests.support.made_runs import copied, later, of, repredicted, rewrite, without_trials


@pytest.fixture
def run(three_seeds, tmp_path):
    return copied(three_seeds / "runs" / "tiny", tmp_path / "tiny")


def test_a_run_directory_and_its_bundle_get_the_same_name(run, tmp_path, ftbench):
    done = ftbench("leaderboard", "add", "tiny", "results", check=0)
    (path,) = (tmp_path / "results").iterdir()
    assert done.stdout == f"results/{path.name}\n"
    assert path.stem.endswith(read_sha256(path)[:12])
    pack(run, tmp_path / "bundle.zip")
    assert add(tmp_path / "bundle.zip", tmp_path / "other").name == path.name
    assert (tmp_path / "other" / path.name).read_bytes() == path.read_bytes()


def test_what_is_there_already_is_refused_under_any_name(run, tmp_path):
    path = add(run, tmp_path / "results")
    path.rename(tmp_path / "results" / "mine.zip")
    with pytest.raises(RunError, match=r"was already added, as .*mine\.zip"):
        add(run, tmp_path / "results")
    (run / "accepted.json").write_text('{"schema": "ftbench.accepted/1", "steps": []}')
    with pytest.raises(RunError, match=r"repeated seeds: 6 of its trials are also in .*mine\.zip, such as"):
        add(run, tmp_path / "results")
    # Another date makes no other run; other predictions do.
    with pytest.raises(RunError, match="repeated seeds: 6"):
        add(later(run), tmp_path / "results")
    repredicted(run)
    assert add(run, tmp_path / "results").exists()
    assert len(list((tmp_path / "results").iterdir())) == 2


def test_what_would_not_verify_is_refused_and_nothing_written(run, tmp_path):
    without_trials(run, strategy="lora", seed=0)
    rewrite(run, lambda record: record["provenance"]["hardware"].update(cpu="Faster"), where=of("full", 1))
    with pytest.raises(RunError) as caught:
        add(run, tmp_path / "results")
    assert len(caught.value.mistakes) == 2
    assert not (tmp_path / "results").exists()


def test_results_are_gathered_from_folders_however_deep(run, tmp_path):
    first = add(run, tmp_path / "results" / "2026")
    second = add(repredicted(later(run)), tmp_path / "results" / "people" / "ann")
    (tmp_path / "results" / "link.zip").symlink_to(first)
    with gathered([tmp_path / "results"]) as entries:
        assert {entry.bundle for entry in entries} == {first, second}


def test_all_faults_of_all_bundles_are_told_at_once(run, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "a.zip").write_bytes(b"no")
    without_trials(run, strategy="lora", seed=0)
    pack(run, results / "b.zip")
    with pytest.raises(RunError) as caught, gathered([results]):
        pass
    assert [line.partition(": ")[0] for line in caught.value.mistakes] == [
        str(results / "a.zip"),
        str(results / "b.zip"),
    ]


def test_nothing_to_gather_is_a_line(tmp_path):
    (tmp_path / "empty").mkdir()
    for place, said in (("empty", "has no bundle"), ("nowhere", "no such run directory")):
        with pytest.raises(RunError, match=said), gathered([tmp_path / place]):
            pass
