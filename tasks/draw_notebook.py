"""Take the picture of a notebook that the README shows: docs/notebook.png.

python -m sphinx -q -b html docs build/html && python tasks/draw_notebook.py build/html

It needs Chromium. The page is the notebook as the documentation shows it, executed while that was built.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE, SIZE = "notebooks/list.html", "820,1150"


def main() -> int:
    """Write the picture."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None or len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    page = Path(sys.argv[1]).resolve() / PAGE
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--window-size={SIZE}",
        ]
        subprocess.run(  # noqa: S603 -- words of our own
            [
                program,
                *options,
                f"--user-data-dir={folder}",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--screenshot={ROOT / 'docs/notebook.png'}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
