"""`import mailflows` costs nothing that the caller has not asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    *("sklearn", "scipy", "numpy", "joblib", "pandas", "matplotlib", "tqdm"),
    *("dns", "email_validator", "redis", "publicsuffixlist"),
)

MESSAGE = b"From: Ada <ada@lovelace.uk>\nTo: charles@babbage.uk\nSubject: Engine\n\nDear Charles,"


def loaded(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the top-level packages it has loaded."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(n.partition('.')[0] for n in sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_is_light() -> None:
    """Importing the library loads none of the heavy packages."""
    assert sorted(loaded("import mailflows").intersection(HEAVY)) == []


def test_command_line_is_light() -> None:
    """Importing the command line loads none of them either: --help answers at once."""
    assert sorted(loaded("import mailflows.__main__").intersection(HEAVY)) == []


def test_import_opens_no_socket_and_no_thread() -> None:
    """Importing starts nothing and asks nobody."""
    code = "import mailflows, threading; assert threading.active_count() == 1"
    assert "socket" not in loaded(code) or "socket" in loaded("import pathlib")


@pytest.mark.parametrize("package", ["sklearn", "numpy", "joblib", "dns", "email_validator"])
def test_classifying_needs_no(package: str) -> None:
    """A message is classified even where the package cannot be imported at all."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"import mailflows; result = mailflows.classify({MESSAGE!r}); assert result.probabilities"
    )
    assert "mailflows" in loaded(code)
