"""What a gate writes for people and machines, held to the files in `golden`."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from ftbench.gate.formats import COMMENT, MARK, SUMMARY, Gated, difference_text, lines, markdown
from ftbench.gate.github import MOST, annotate, annotation, job_link, write_summary
from ftbench.gate.junit import junit
from ftbench.stats import estimate
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.support.made_checks import CHECKS, GATED, many

GOLDEN = ROOT / "tests" / "golden"


def golden(name):
    return (GOLDEN / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def schema():
    return xmlschema.XMLSchema(GOLDEN / "junit.xsd")


def test_the_terminal_gets_a_line_a_cause_the_most_severe_first():
    assert "\n".join(lines(GATED)) + "\n" == golden("gate.txt")


def test_the_markdown_is_the_golden_file():
    assert markdown(GATED) == golden("gate.md")


def test_the_junit_file_is_the_golden_file_and_valid(schema):
    text = junit(CHECKS, "tiny")
    assert text == golden("gate.xml")
    schema.validate(text)


def test_the_annotations_are_the_golden_file():
    assert "\n".join(annotate(CHECKS, "suites/a,b:c.toml")) + "\n" == golden("gate.github")


def test_junit_counts_what_it_holds(schema):
    for strict, failures, skipped in ((False, 1, 3), (True, 3, 2)):
        text = junit(CHECKS, "tiny", strict=strict)
        schema.validate(text)
        root = ET.fromstring(text)
        assert (int(root.get("tests")), int(root.get("failures")), int(root.get("errors"))) == (10, failures, 3)
        assert sum(int(suite.get("skipped")) for suite in root) == skipped
        for suite in root:
            assert int(suite.get("tests")) == len(suite.findall("testcase"))
            assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_no_text_breaks_the_xml(text):
    from dataclasses import replace

    from ftbench.records.record_set import Place

    check = replace(CHECKS[1], message=text, place=Place(text, text, text))
    root = ET.fromstring(junit([check], text))
    kept = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text)
    said = root.find("testsuite/testcase/failure").get("message")
    assert said == f"accuracy of {kept} on {kept}: {kept}"


@given(st.text())
def test_an_annotation_is_one_line_and_is_read_back_whole(text):
    line = annotation("error", text, text, text)
    assert "\n" not in line
    assert "\r" not in line
    level, properties, data = re.fullmatch("::(error) (.*?)::(.*)", line, re.DOTALL).groups()
    found = dict(one.split("=", 1) for one in properties.split(","))

    def undone(value, *, whole):
        pairs = (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
        for code, letter in pairs if whole else pairs[2:]:
            value = value.replace(code, letter)
        return value

    assert (level, undone(data, whole=False)) == ("error", text)
    assert {undone(value, whole=True) for value in found.values()} == {text}


def test_more_annotations_than_github_shows_end_in_how_many_there_are():
    assert len(annotate(many(MOST))) == MOST
    found = annotate((*many(25), *many(3, "inconclusive"), *many(4, "ok")))
    assert [line.split(" ")[0] for line in found] == ["::error"] * MOST + ["::warning"] * 3
    assert found[MOST - 1].endswith("::and 16 more; see the log")


@pytest.mark.parametrize("count", [300, 6000])
@pytest.mark.parametrize("limit", [COMMENT, SUMMARY])
@pytest.mark.parametrize("verdict", ["regressed", "ok"])
def test_what_is_too_long_is_cut_at_a_row_and_says_so(count, limit, verdict):
    gated = Gated("head", "base", "tiny", many(count, verdict))
    text = markdown(gated, limit)
    assert len(text.encode()) <= limit
    rows = len(re.findall(r"^\| (?:\*\*regressed\*\*|ok) \|", text, re.MULTILINE))
    assert text.count("<details>") == text.count("</details>")
    if rows < count:
        assert f"_Cut here: {rows} of {count} checks are shown" in text
        assert len(text.encode()) > 0.95 * limit
    else:
        assert "Cut here" not in text


def test_a_comment_has_six_kilobytes_at_most_links_the_job_and_folds_what_is_ok():
    gated = Gated("head", "base", "tiny", (*many(300, "ok"), *many(4)))
    link = job_link({"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"})
    text = markdown(gated, link=link)
    assert len(text.encode()) <= COMMENT == 6 * 1024
    assert "[Page, log and files of this job](https://github.com/a/b/actions/runs/7)" in text
    shown, folded = text.split("<details><summary>300 more</summary>")
    assert len(re.findall("^\\| \\*\\*regressed", shown, re.MULTILINE)) == 4
    assert "| ok |" not in shown
    assert "| ok |" in folded.partition("</details>")[0]
    assert "the JUnit file and the job log have all, the page has every score" in folded
    assert job_link({"CI_JOB_URL": "https://gitlab.example/1"}) == "https://gitlab.example/1"
    assert job_link({}) == ""


def test_the_backbone_is_named_only_if_there_are_several():
    assert lines(Gated("h", "b", "tiny", (CHECKS[1],)))[0].startswith("regressed: accuracy of lora on digits: 66.7")
    assert "lora on digits (tiny-vit): 66.7" in "\n".join(lines(GATED))


def test_a_difference_has_the_sign_of_the_score_and_what_is_allowed():
    gains = estimate([-0.05, -0.049, -0.051])
    assert difference_text(gains, 0.809, 0.759, "1", margin=0.01, p=0.0017) == (
        "80.9 → 75.9 % (−5.0 points, allowed −1.0); 95 % interval [−5.2, −4.8] over 3 pairs, p 0.0017"
    )
    risen = difference_text(gains, 0.2, 0.25, "1", margin=0.0005, p=None, lower=True)
    assert risen == "20.0 → 25.0 % (+5.0 points, allowed +0.05); 95 % interval [+4.8, +5.2] over 3 pairs"
    grown = difference_text(estimate([-5e7]), 2e8, 2.5e8, "B", margin=2**25, p=None, lower=True)
    assert grown == "190.7 MiB → 238.4 MiB (+25.0 %, allowed +32.0 MiB); over 1 pair"


def test_names_stay_in_their_cells():
    rows = [line for line in markdown(GATED).splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}
    assert "@somebody" not in markdown(GATED)
    assert "<i>" not in re.sub(r"\\[<>]", "", markdown(GATED))


def test_the_summary_of_a_step_is_added_to_and_never_outgrows_it(tmp_path):
    summary, output = tmp_path / "summary", tmp_path / "output"
    summary.write_text("before\n")
    environment = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    write_summary(GATED, environment)
    assert summary.read_text() == f"before\n{markdown(GATED)}"
    assert output.read_text() == "verdict=not comparable\n"
    write_summary(Gated("h", "b", "tiny", many(6000)), environment)
    assert 0.95 * SUMMARY < summary.stat().st_size <= SUMMARY
    assert "Cut here" in summary.read_text()
    before = summary.read_text()
    write_summary(GATED, environment)
    assert summary.stat().st_size <= SUMMARY
    assert summary.read_text().startswith(before)
    write_summary(GATED, {})


def test_a_comment_can_be_found_again():
    assert markdown(GATED).startswith(f"{MARK}\n")


def test_flaws_of_the_data_stay_within_the_size_of_a_comment():
    data = tuple(f"task-{number}: error: {'<b>|' * 300}" for number in range(40))
    text = markdown(replace(GATED, data=data), COMMENT)
    assert len(text.encode()) <= COMMENT
    assert "* data: 37 more; the job log has all" in text
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert lines(replace(GATED, data=data))[-2] == f"data: {data[-1]}"
