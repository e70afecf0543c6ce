"""Every number that decides something says where it comes from."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_every_constant_has_its_source(root: Path) -> None:
    """A standard, a dated page, a script, a bound on work or our choice stands beside each."""
    script = root / "tasks" / "unsourced_constants.py"
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "0 without a source\n")
