"""What a message says runs nowhere: reports are opened in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mailflows.content import fix, lint

if TYPE_CHECKING:
    from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ATTACK = "<img src=x onerror=\"document.title='RUN'\"><script>document.title='RUN'</script>"
MESSAGE = (
    f"From: a@shop.example\nTo: b@example.org\nSubject: NEW {ATTACK.upper()} !!\n"
    f"Message-ID: {ATTACK}\nDate: {ATTACK}\nContent-Type: text/html\n\n"
    f"<p style='color:#ccc'>{{{{ {ATTACK} }}}}</p>{ATTACK}<a href=\"javascript:{ATTACK}\">x</a>"
)


def opened(page: str, folder: Path) -> str:
    """Return the document that a browser makes of a page, after its scripts have run."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser was found; Chromium would be one")
    file = folder / "report.html"
    file.write_text(f"<title>still</title>{page}", "utf-8")
    command = [
        *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update"),
        *(f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if not done.stdout:
        pytest.skip(f"the browser did not start: {done.stderr[-200:]}")
    return done.stdout


def test_the_browser_does_run_scripts(tmp_path: Path) -> None:
    """Otherwise the next test could not fail."""
    assert "<title>RUN</title>" in opened(ATTACK, tmp_path)


def test_a_report_runs_nothing(tmp_path: Path) -> None:
    """Neither that of linting nor that of repairing."""
    report = lint(MESSAGE, flow="marketing")
    shown = report._repr_html_() + fix(MESSAGE)._repr_html_()
    document = opened(shown, tmp_path)
    assert "<title>still</title>" in document
    assert "invalid-date" in document
