"""Whether repairs, and inlining, change what a browser shows: pixels, text and links of whole templates.

    python benchmarks/content_pixels.py FOLDER [FOLDER…]

Every ``.html`` file is drawn in headless Chromium before and after, once wide and once narrow; scripts do not
run, as in mail, and no host is looked up. Writes ``results/content_pixels.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from recording import write

from mailflows.content import fix_html

WIDTHS = (800, 380)
"""Pixels of a desktop's preview pane, and of a telephone."""

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe", "--force-color-profile=srgb"),
)
SEEN = """JSON.stringify([document.body ? document.body.innerText.replace(/\\s+/g, ' ').trim() : '',
  [...document.links].map(a => [a.getAttribute('href'), a.innerText.replace(/\\s+/g, ' ').trim()])])"""


class Browser:
    """One Chromium for all pages, spoken to over two pipes (Chrome DevTools Protocol)."""

    def __init__(self, folder: Path) -> None:
        program = next(
            filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
        )
        if program is None:
            raise SystemExit("this needs Chromium")
        read, self._out = os.pipe()
        self._in, write_end = os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4.
        script = f'exec 3<&{read} 4>&{write_end}; exec "$0" "$@"'
        command = [
            "bash",
            "-c",
            script,
            program,
            *OPTIONS,
            f"--user-data-dir={folder / 'profile'}",
            "about:blank",
        ]
        self.process = subprocess.Popen(  # noqa: S603 -- ours
            command, pass_fds=(read, write_end), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(read)
        os.close(write_end)
        self._folder, self._number, self._rest, self._last = folder, 0, b"", ""
        target = self._ask("Target.createTarget", {"url": "about:blank"}, session="")["targetId"]
        attached = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True}, session="")
        self._session = attached["sessionId"]
        self._ask("Page.enable", {})
        self._ask("Network.enable", {})
        self._ask("Network.setBlockedURLs", {"urls": ["http://*", "https://*", "ftp://*"]})
        self._ask("Emulation.setScriptExecutionDisabled", {"value": True})

    def seen(self, html: str, width: int) -> tuple[str, Any]:
        """Return a picture of a page, in base64, and its text with its links."""
        file = self._folder / "page.html"
        file.write_text(html, "utf-8")
        size = {"width": width, "height": 600, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", size)
        self._ask("Page.navigate", {"url": file.as_uri()}, until="Page.loadEventFired")
        size["height"] = min(
            6000, int(self._ask("Page.getLayoutMetrics", {})["cssContentSize"]["height"]) + 1
        )
        self._ask("Emulation.setDeviceMetricsOverride", size)
        picture = self._ask("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": False})
        told = self._ask("Runtime.evaluate", {"expression": SEEN})
        return picture["data"], json.loads(told["result"]["value"])

    def _ask(
        self, method: str, parameters: dict[str, Any], *, session: str | None = None, until: str = ""
    ) -> Any:  # noqa: ANN401 -- JSON
        self._number, self._last = self._number + 1, method
        question: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session != "":
            question["sessionId"] = self._session
        os.write(self._out, json.dumps(question).encode() + b"\0")
        answer, waited = None, not until
        while answer is None or not waited:
            told = self._read()
            if told.get("id") == self._number:
                if "error" in told:
                    raise RuntimeError(told["error"])
                answer = told["result"]
            waited = waited or told.get("method") == until
        return answer

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], 20)[0]:
                raise TimeoutError(self._last)
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise SystemExit("Chromium has ended")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(line))


def main() -> None:
    """Draw every page, and write which differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    files = [file for folder in arguments.folders for file in sorted(folder.rglob("*.html"))]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(Path(folder))
        try:
            rows = [compared(browser, file) for file in files]
        finally:
            browser.process.terminate()
            browser.process.wait()
    result = {name: summary([row[name] for row in rows]) for name in rows[0]}
    for file, row in zip(files, rows, strict=True):
        for name, differs in row.items():
            if differs:
                print(name, file, differs)
    print(json.dumps(result, indent=1))
    if not arguments.no_write:
        write("content_pixels", {"pages": len(files), "widths": WIDTHS, **result})


def compared(browser: Browser, file: Path) -> dict[str, list[str]]:
    """Return what differs after all repairs, and after inlining alone."""
    html = file.read_text("utf-8", "replace")
    after = {
        "fix": fix_html(html).data.decode(),
        "inlined": fix_html(html, only=["inline-css"]).data.decode(),
    }
    before = {width: browser.seen(html, width) for width in WIDTHS}
    return {name: differences(browser, page, before) if page != html else [] for name, page in after.items()}


def differences(browser: Browser, page: str, before: dict[int, tuple[str, Any]]) -> list[str]:
    """Return what a browser shows differently."""
    found = []
    for width, (picture, (text, links)) in before.items():
        new_picture, (new_text, new_links) = browser.seen(page, width)
        pairs = {"pixels": (picture, new_picture), "text": (text, new_text), "links": (links, new_links)}
        found += [f"{name} at {width}" for name, (old, new) in pairs.items() if old != new]
    return found


def summary(rows: list[list[str]]) -> dict[str, int]:
    """Return how many pages are the same, in all and by what is looked at."""
    kinds = {
        kind: sum(any(kind in said for said in row) for row in rows) for kind in ("pixels", "text", "links")
    }
    return {
        "same": sum(not row for row in rows),
        **{f"{kind}_differ": count for kind, count in kinds.items()},
    }


if __name__ == "__main__":
    main()
