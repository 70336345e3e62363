"""A site: built to the same bytes, and checked again number by number from its bundles."""

import json
import shutil

import jsonschema
import pytest
from ftbench.fingerprint import read_sha256
from ftbench.records.bundle import pack, unpack
from ftbench.schemas.build import schema

from tests.support.made_runs import (
    bundled,
    copied,
    elsewhere,
    later,
    of,
    repredicted,
    rewrite,
    set_value,
    without_trials,
)


@pytest.fixture(scope="module")
def runs(three_seeds, tmp_path_factory):
    """Three runs on two fingerprints: one machine twice, a day apart, and another machine."""
    folder = tmp_path_factory.mktemp("runs")
    first, second, third = (
        copied(three_seeds / "runs" / "tiny", folder / name) for name in ("first", "second", "third")
    )
    return first, repredicted(later(second, version="0.2.0")), elsewhere(third)


@pytest.fixture(scope="module")
def built(runs, tmp_path_factory):
    """The site of the three, built by the command."""
    import subprocess

    from tests.conftest import FTBENCH

    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [FTBENCH, "leaderboard", "build", *runs, "-o", folder / "site"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "runs: 3, comparable groups: 2\n"
    return folder / "site"


@pytest.fixture
def site(built, tmp_path):
    return copied(built, tmp_path / "site")


@pytest.fixture(scope="module")
def reports(catalog):
    return [catalog.build("reports", name, {}) for name in sorted(catalog.offers["reports"])]


def check(site, reports):
    import ftbench
    from ftbench.leaderboard.site import verify

    return verify(site, reports, ftbench.__version__).faults


def published(site):
    return json.loads((site / "leaderboard.json").read_text())


def publish(site, table):
    (site / "leaderboard.json").write_text(json.dumps(table))


def rebundled(site, change, place=0):
    """Change the run in a bundle of a site, and update its manifest and the published hash."""
    table = published(site)
    bundle, folder = site / table["runs"][place]["bundle"], site.parent / "changed"
    unpack(bundle, folder)
    change(folder)
    bundled(folder, bundle)
    table["runs"][place].update(sha256=read_sha256(bundle), bytes=bundle.stat().st_size)
    publish(site, table)
    return bundle


def test_a_site_verifies(site, ftbench):
    done = ftbench("leaderboard", "verify", site, check=0)
    assert done.stdout.startswith(f"{site}: verified; runs: 3, numbers: ")


def test_the_numbers_keep_to_the_published_schema(site):
    jsonschema.validate(published(site), schema("leaderboard"))
    for broken in ({"schema": "ftbench.leaderboard/9"}, {"runs": 3}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**published(site), **broken}, schema("leaderboard"))


def test_each_row_links_its_bundle_which_is_there_under_its_hash(site):
    table = published(site)
    bundles = {run["name"]: run for run in table["runs"]}
    for group in table["groups"]:
        for board in group["boards"]:
            for row in board["rows"]:
                run = bundles[row["run"]]
                assert read_sha256(site / run["bundle"]) == run["sha256"]
                assert run["group"] == group["key"]
    pages = [page.read_text() for page in (site / "suites").glob("*.html")]
    assert len(pages) == len(table["groups"]) == 2
    for group in table["groups"]:
        for source in group["sources"].values():
            (page,) = [text for text in pages if group["key"] in text]
            assert f'href="../{bundles[source]["bundle"]}"' in page
            assert bundles[source]["sha256"][:12] in page


def test_the_same_runs_give_the_same_bytes_whatever_their_order(runs, built, tmp_path, reports, catalog):
    import ftbench
    from ftbench.leaderboard.site import build
    from ftbench.leaderboard.submissions import gathered

    with gathered([runs[2], runs[0], runs[1]], catalog) as entries:
        build(entries, reports, tmp_path / "again", ftbench.__version__)
    files = {path.relative_to(built): path.read_bytes() for path in built.rglob("*") if path.is_file()}
    assert {
        path.relative_to(tmp_path / "again"): path.read_bytes()
        for path in (tmp_path / "again").rglob("*")
        if path.is_file()
    } == files
    # Build again from its own bundles, over itself, next to a file of the host.
    (tmp_path / "again" / "CNAME").write_text("board.example")
    with gathered([tmp_path / "again" / "bundles"], catalog) as entries:
        build(entries, reports, tmp_path / "again", ftbench.__version__)
    assert (tmp_path / "again" / "CNAME").read_text() == "board.example"
    assert check(tmp_path / "again", reports) == ()
    assert (tmp_path / "again" / "leaderboard.json").read_bytes() == (built / "leaderboard.json").read_bytes()


def test_a_report_without_site_pages_is_left_out(runs, tmp_path):
    from ftbench import Report
    from ftbench.leaderboard.site import build, verify
    from ftbench.leaderboard.submissions import gathered

    class OneLine(Report):
        def write(self, summary, folder):
            raise AssertionError

    with gathered(runs[:1]) as entries:
        build(entries, [OneLine()], tmp_path / "site", "0")
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["bundles", "leaderboard.json"]
    assert verify(tmp_path / "site", [OneLine()], "0").faults == ()


def test_a_tampered_number_is_named_with_its_place(site, reports, ftbench):
    table = published(site)
    group = next(g for g in table["groups"] if g["device"] == "Another Processor")
    row = group["boards"][0]["rows"][0]
    before = row["values"]["accuracy"]["estimate"]["mean"]
    row["values"]["accuracy"]["estimate"]["mean"] = before + 0.01
    publish(site, table)
    done = ftbench("leaderboard", "verify", site, check=1)
    number = table["groups"].index(group)
    place = (
        f"groups[{number}].boards[0].rows[0].values.accuracy.estimate.mean (Another Processor, digits, {row['label']})"
    )
    said = f"{before + 0.01!r} is published, but the bundles give {before!r}"
    assert done.stdout.splitlines() == [f"{site}/leaderboard.json: {place}: {said}"]


def test_a_tampered_page_is_named_with_its_line(site, reports):
    page = site / "index.html"
    text = page.read_text()
    score = published(site)["groups"][0]["boards"][0]["rows"][0]["values"]["accuracy"]["estimate"]["mean"]
    old = f"{100 * score:.1f}<small>%</small>"
    assert old in text
    page.write_text(text.replace(old, "99.9<small>%</small>", 1))
    (fault,) = check(site, reports)
    number = text.partition(old)[0].count("\n") + 1
    assert fault.startswith(f"{page}: line {number}: ")
    assert "99.9" in fault
    assert f"{100 * score:.1f}" in fault


def test_pages_that_are_gone_or_do_not_belong_are_named(site, reports):
    (site / "index.html").unlink()
    (site / "strategies" / "wonder.html").write_text("<h1>best of all</h1>")
    assert check(site, reports) == (
        f"{site}/index.html: is missing",
        f"{site}/strategies/wonder.html: is not a file of this leaderboard",
    )


def test_a_changed_bundle_is_named(site, reports):
    bundle = site / published(site)["runs"][1]["bundle"]
    raw = bytearray(bundle.read_bytes())
    raw[len(raw) // 2] ^= 1
    bundle.write_bytes(raw)
    (fault,) = check(site, reports)
    assert fault.startswith(f"{bundle}: changed: its SHA-256 is ")


def test_a_missing_trial_is_named_though_the_hashes_fit(site, reports):
    bundle = rebundled(site, lambda run: without_trials(run, strategy="lora", seed=1))
    (fault,) = check(site, reports)
    assert fault.startswith(f"{bundle}: seed 1 of lora on digits (tiny-vit) is missing")


def test_a_repeated_seed_is_named(site, reports):
    table = published(site)
    first, second = (site / run["bundle"] for run in table["runs"][1:])
    folder = site.parent / "same"
    unpack(first, folder)
    (folder / "accepted.json").write_text('{"schema": "ftbench.accepted/1", "steps": []}')
    pack(folder, second)
    table["runs"][2]["sha256"] = read_sha256(second)
    publish(site, table)
    faults = check(site, reports)
    assert any(
        "repeated seeds: 6 of its trials are also in" in fault and "seed 0 of full on digits (tiny-vit)" in fault
        for fault in faults
    )


def test_mixed_fingerprints_are_named(site, reports):
    def change(run):
        rewrite(run, lambda record: record["provenance"]["hardware"].update(cpu="Faster"), where=of("full", 0))

    bundle = rebundled(site, change)
    (fault,) = check(site, reports)
    assert fault.startswith(f"{bundle}: seed 0 of full on digits (tiny-vit): mixed fingerprints")


def test_a_record_that_was_changed_is_found_by_its_predictions_and_by_what_is_published(site, reports):
    rebundled(site, lambda run: rewrite(run, lambda record: set_value(record, "accuracy", 1.0), where=of("lora", 0)))
    (fault,) = check(site, reports)
    assert (
        "seed 0 of lora on digits (tiny-vit): what each example contributes to accuracy does not add up to the score"
        in fault
    )


def test_a_row_that_was_left_out_is_missed(site, reports):
    table = published(site)
    gone = table["groups"][0]["boards"][0]["rows"].pop()
    publish(site, table)
    faults = check(site, reports)
    assert any(fault.endswith("1 are published, but the bundles give 2") for fault in faults), (gone, faults)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.update(schema="ftbench.leaderboard/2"), "made by a newer ftbench"),
        (lambda table: table.update(harness="9"), "was built by ftbench 9"),
        (lambda table: table.pop("groups"), "groups"),
        (lambda table: table["runs"][0].update(bundle="../../secret.zip"), "is not the bundle path of a run"),
        (
            lambda table: table["runs"][0].update(name="../x", bundle="bundles/../x.zip"),
            "is not the bundle path of a run",
        ),
        (lambda table: table["runs"].pop(), "is in the folder of bundles, but not published"),
        (lambda table: table["runs"][0].update(sha256=3), "sha256"),
    ],
)
def test_a_broken_index_is_a_line_and_leads_nowhere(site, reports, change, said):
    table = published(site)
    change(table)
    publish(site, table)
    assert any(said in fault for fault in check(site, reports))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\x00", '{"schema": "ftbench.leaderboard/1"}'])
def test_what_is_no_index_is_refused(site, reports, text):
    (site / "leaderboard.json").write_text(text)
    assert check(site, reports)


def test_a_folder_of_something_else_is_not_written_over(runs, tmp_path, ftbench):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    done = ftbench("leaderboard", "build", runs[0], "-o", "thesis", check=2)
    assert done.stderr == "error: thesis: is neither empty nor a leaderboard; choose an empty or new folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]
    assert ftbench("leaderboard", "verify", "thesis", check=2).stderr.startswith("error: thesis: not a leaderboard")


def test_an_incomplete_run_is_not_published(runs, tmp_path, ftbench):
    partial = without_trials(copied(runs[0], tmp_path / "partial"), strategy="full", seed=0)
    done = ftbench("leaderboard", "build", partial, "-o", "site", check=2)
    assert "seed 0 of full on digits (tiny-vit) is missing" in done.stderr
    assert not (tmp_path / "site").exists()
    shutil.rmtree(partial)


def test_a_report_of_an_earlier_version_writes_its_site_pages_without_naming_the_class():
    from ftbench import Report
    from ftbench.reporting import SiteReport

    class Plain(Report):
        def write(self, summary, folder):
            return []

    class Former(Plain):
        def write_site(self, board, folder):
            (folder / "former.txt").write_text("x")

    assert isinstance(Former(), SiteReport)
    assert not isinstance(Plain(), SiteReport)
