"""Look up known vulnerabilities of what the library installs, at the newest and at the lowest releases.

Usage: python tasks/audit_dependencies.py

It needs uv and pip-audit, and asks the advisory service of a package index (pip-audit's default). Ends with
status 1 if a release is vulnerable, and with 2 if a package could not be looked up: silence is no answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def releases(resolution: str) -> str:
    """Return the releases that an installation with every extra has, a line each."""
    command = ["uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header", "--all-extras"]
    done = subprocess.run(  # noqa: S603 -- words of our own
        [*command, "--resolution", resolution, str(ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def audited(requirements: str) -> tuple[list[str], list[str]]:
    """Return what is vulnerable, and what could not be looked up."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(requirements, "utf-8")
        command = ["pip-audit", "--format", "json", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        done = subprocess.run(  # noqa: S603 -- words of our own
            [*command, "-r", str(file)], capture_output=True, text=True, check=False
        )
    if not done.stdout.startswith("{"):
        return [], [done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer"]
    bad, unknown = [], []
    for found in json.loads(done.stdout)["dependencies"]:
        if "skip_reason" in found:
            unknown.append(found["name"])
        bad += [f"{found['name']} {found['version']}: {one['id']}" for one in found.get("vulns", ())]
    return bad, unknown


def main() -> int:
    """Audit both ends."""
    status = 0
    for resolution in ("highest", "lowest-direct"):
        bad, unknown = audited(releases(resolution))
        print(f"{resolution}: {len(bad)} vulnerable, {len(unknown)} could not be looked up")
        for line in (*bad, *(f"? {name}" for name in unknown)):
            print(f"  {line}")
        status = max(status, 1 if bad else 2 if unknown else 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
