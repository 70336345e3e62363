"""Fixtures: one Chromium for all tests that open a page."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from docs.tools.page_picture import OPTIONS


@pytest.fixture(scope="session")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def shown(chromium, tmp_path):
    """Open a page, given as text, from a file; the test fails on any request, console message or page error."""

    @contextmanager
    def show(text, **context):
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        opened = chromium.new_context(**context)
        page = opened.new_page()
        requests, complaints = [], []
        page.on("request", lambda r: requests.append(r.url))
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto(file.as_uri())
        yield page
        opened.close()
        assert [r for r in requests if not r.startswith(("file:", "data:", "blob:"))] == []
        assert complaints == []

    return show


ROWS_LIKE_OTHERS = """() => {
  for (const body of document.querySelectorAll("tbody")) {
    const seen = {};
    for (const row of body.rows) {
      const kind = row.className + [...row.cells].map((cell) => cell.className);
      seen[kind] = (seen[kind] || 0) + 1;
      row.toggleAttribute("data-like-others", seen[kind] > 2);
    }
  }
}"""
"""Marks the rows of a table that have the classes of two rows above: contrast, slow to find, is the same in them."""
CONTRAST = (
    "axe.run({ exclude: [['[data-like-others]']] }, { resultTypes: ['violations'], runOnly: ['color-contrast'] })"
)
ELSE = "axe.run(document, { resultTypes: ['violations'], rules: { 'color-contrast': { enabled: false } } })"


@pytest.fixture(scope="session")
def axe():
    """Return a function that lists the findings of axe-core on a page."""
    bundled = pytest.importorskip("axe_playwright_python")
    script = (Path(bundled.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

    def look(page):
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.evaluate(f"{script}; 0")
        page.evaluate(ROWS_LIKE_OTHERS)
        contrast, others = page.evaluate(CONTRAST), page.evaluate(ELSE)
        assert [one["id"] for one in contrast["passes"]] == ["color-contrast"]
        assert len(others["passes"]) > 20
        return [
            (one["id"], one["impact"], node["html"][:120], node["failureSummary"])
            for one in (*contrast["violations"], *others["violations"])
            for node in one["nodes"][:3]
        ]

    return look
