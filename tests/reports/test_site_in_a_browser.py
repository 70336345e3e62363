"""A leaderboard in Chromium: light, dark, on a phone, without scripting; no request and no message."""

import shutil

import pytest

from ftbench_reports.site import write
from tests.reports.test_site import HOSTILE, leaderboard

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed"),
]


def test_it_shows_on_every_screen_without_a_request_a_message_or_a_script(chromium, tmp_path):
    write(leaderboard(), tmp_path / "plain")
    write(leaderboard(label=HOSTILE[0], suite=HOSTILE[3], device=HOSTILE[1]), tmp_path / "hostile")
    said = []
    for scheme, width, script in (("light", 1240, True), ("dark", 390, True), ("light", 390, False)):
        context = chromium.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=script
        )
        page = context.new_page()
        page.on(
            "request", lambda request: None if request.url.startswith(("file:", "data:")) else said.append(request.url)
        )
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        for path in sorted(tmp_path.rglob("*.html")):
            if path.name == "report.html":
                continue
            page.goto(path.as_uri())
            assert page.locator("h1").is_visible()
            if script:
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)
        page.goto((tmp_path / "plain" / "index.html").as_uri())
        page.get_by_role("link", name="page", exact=True).first.click()
        assert page.locator(".board tbody tr", has_text="does not fit").first.is_visible()
        if script:
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert background == ("rgb(16, 20, 26)" if scheme == "dark" else "rgb(255, 255, 255)")
        if width == 1240:
            assert page.evaluate(
                "[...document.querySelectorAll('.board')].every(board => board.scrollWidth <= board.clientWidth)"
            )
        context.close()
    assert said == []
