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


@pytest.fixture(scope="session")
def axe():
    """Return a function that lists the findings of axe-core on a page."""
    bundled = pytest.importorskip("axe_playwright_python")
    script = (Path(bundled.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

    def look(page):
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.evaluate(f"{script}; 0")
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        assert len(found["passes"]) > 20
        return [
            (one["id"], one["impact"], node["html"][:120], node["failureSummary"])
            for one in found["violations"]
            for node in one["nodes"][:3]
        ]

    return look
