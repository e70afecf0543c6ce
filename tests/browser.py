"""A real browser, where the machine has one: tests that need it skip where it is absent."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    # No name but those of this machine is ever looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def visited(url: str, folder: Path, *options: str) -> str:
    """Return the document that a browser makes of a page, scripts run, or skip the test."""
    if PROGRAM is None:
        pytest.skip("no Chromium on this machine")
    done = subprocess.run(
        [PROGRAM, *OPTIONS, *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom", url],
        capture_output=True,
        timeout=90,
        check=False,
    )
    if done.returncode or not done.stdout:
        pytest.skip(f"Chromium does not start here: {done.stderr[-200:]!r}")
    return done.stdout.decode("utf-8", "replace")


def dumped(html: str, folder: Path) -> str:
    """Return the document that a browser makes of HTML from a file."""
    file = folder / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{html}", "utf-8")
    return visited(file.as_uri(), folder)
