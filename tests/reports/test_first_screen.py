"""The committed example: what a reader learns from the first 900 pixels, and how much page there is."""

import re
import shutil
from pathlib import Path

import pytest
from ftbench.analysis.run_summary import summarise_runs
from ftbench.plugins import Plugins
from ftbench.reporting import interval_shown

from ftbench_plugins.reports.page import render

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed"),
]
EXAMPLE = Path(__file__).parents[2] / "reports" / "example" / "example.zip"
BEFORE = 634_747
"""Size of the page of the example before it began with an answer."""
DESK, PHONE = {"width": 1366, "height": 900}, {"width": 390, "height": 844}
IN_VIEW = """
() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    if (walker.currentNode.parentElement.checkVisibility() && box.height && box.top >= 0 && box.bottom <= 900) found.push(walker.currentNode.data);
  }
  return found.join(" ").replace(/\\s+/g, " ");
}
"""


@pytest.fixture(scope="module")
def summary():
    return summarise_runs([EXAMPLE], catalog=Plugins.discover().catalog(), examples=False)


@pytest.fixture(scope="module")
def text(summary):
    return render(summary)


def mean(contender, name):
    return contender.quantities[name].estimate.mean


@pytest.mark.parametrize("scripting", [True, False])
def test_the_first_screen_answers_five_questions(shown, summary, text, scripting):
    with shown(text, viewport=DESK, java_script_enabled=True) as page:
        if not scripting:
            page.set_content(re.sub(r"(?s)<script.*?</script>", "", text))
        seen = page.evaluate(IN_VIEW)
    first = summary.targets[0]
    by_label = {c.label: c for c in first.contenders}
    pick, baseline = by_label[first.answer.pick], by_label[first.baseline]
    # Which one should I take?
    for target in summary.targets:
        assert f"{target.answer.pick} on {target.label}" in seen
    # How well does it score, and how sure is that?
    found = interval_shown(first.answer, pick, first.primary)
    assert f"{100 * mean(pick, first.primary):.1f} % {100 * found.low:.1f} – {100 * found.high:.1f}" in seen
    # What does it cost, compared with full fine-tuning?
    assert baseline.label == "full"
    for cost in ("peak_tensor_bytes", "charged_train_time"):
        assert f"{mean(pick, cost) / mean(baseline, cost):.2f}× full" in seen
    # Who else could be the best?
    strip = seen[seen.index("could be the best, 95 % sure") :]
    assert all(label in strip for label in first.answer.possible)
    # Did anything fail?
    assert f"{summary.statuses['ok']} trials ok, {summary.statuses['not-applicable']} not applicable" in seen
    assert "nothing failed" in seen


@pytest.mark.parametrize(("viewport", "most"), [(DESK, 9_000), (PHONE, 12_000)])
def test_the_page_is_short(shown, text, viewport, most):
    with shown(text, viewport=viewport) as page:
        assert page.evaluate("document.documentElement.scrollHeight") <= most
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert len(page.locator("body").inner_text().split()) <= 6_000


def test_the_page_is_no_larger_than_before_and_the_same_every_time(summary, text):
    assert len(text.encode()) <= BEFORE
    assert render(summary) == text


def test_no_share_leaves_0_to_100_per_cent(text):
    shown_text = re.sub(r"(?s)<(script|style).*?</\1>", "", text)
    ranges = re.findall(r"(-?[0-9.]+) % \[(-?[0-9.]+), (-?[0-9.]+)\]", shown_text)
    assert len(ranges) > 200
    assert all(0 <= float(low) <= float(value) <= float(high) <= 100 for value, low, high in ranges)


def test_the_untrained_model_is_a_sentence_and_never_a_row(summary, text):
    assert all("none" not in [c.label for c in target.contenders] for target in summary.targets)
    assert text.count("beat the untrained model") == 3
    board = text[text.index('id="board"') : text.index("</table>", text.index('id="board"'))]
    assert "<span>none</span>" not in board


def test_families_have_one_colour_on_the_whole_page(summary, text):
    families = {c.label: c.family for target in summary.targets for c in target.contenders}
    assert "other" not in families.values()
    colours = {}
    for colour, label in re.findall(
        r'<tr class="[^"]*"[^>]*><th scope="row"><label><input [^>]*><svg class="swatch" aria-hidden="true">'
        r'<use href="#m\d" x="7" y="7" class="k(\d)"/></svg><span>([^<]*)</span>',
        text,
    ):
        colours.setdefault(families[label], set()).add(colour)
    assert len(colours) == 7
    assert all(len(found) == 1 for found in colours.values())
    assert len(set.union(*colours.values())) == 7


def test_hashes_are_folded(summary, text):
    hashes = [*summary.splits.values(), *(one["hash"] for one in summary.environments)]
    above, _, folded = text.partition('id="provenance"')
    assert all(one not in above and one in folded for one in hashes)


@pytest.mark.parametrize(
    "way", [{"color_scheme": "light"}, pytest.param({"color_scheme": "dark"}, marks=pytest.mark.thorough)]
)
def test_axe_finds_nothing_on_the_example(shown, axe, text, way):
    with shown(text, viewport=DESK, **way) as page:
        assert axe(page) == []
