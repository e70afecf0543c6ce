"""Count the files of the library that run for a bounce, a row of a list, and a check by the gate.

A newcomer who follows one of these must open that many files. Writes benchmarks/results/visited_files.json.

    python tasks/visited_files.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import mailflows
from mailflows import Gate, check_list, classify
from mailflows.feedback import parse_bounce
from mailflows.flows import FlowRoute, FlowSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = str(Path(mailflows.__file__).parent)

MESSAGE = (
    b"From: no-reply@notify.example.org\nTo: ada@example.net\nSubject: Reset your password\n\n"
    b"You asked to reset your password: https://notify.example.org/r/1\n"
)
BOUNCE = b"""From: MAILER-DAEMON@relay.example.org
To: bounces@example.org
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The message could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.org

Final-Recipient: rfc822; eve@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 user unknown
--b--
"""


def visited(action: Callable[[], object]) -> list[str]:
    """Return the files whose functions an action runs the second time, when everything is loaded."""
    action()
    seen: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        del event, argument
        if frame.f_code.co_filename.startswith(PACKAGE):
            seen.add(frame.f_code.co_filename[len(PACKAGE) + 1 :])

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return sorted(seen)


BARS = {"bounce": 8, "list row": 12, "gate check": 35}
"""What a newcomer can be asked to open; choice: half of what it was."""


def counted() -> dict[str, list[str]]:
    """Return the files that each of them visits."""
    gate = Gate(FlowSet(FlowRoute("transactional", domains="notify.example.org")))
    actions: dict[str, Callable[[], object]] = {
        "bounce": lambda: parse_bounce(BOUNCE),
        "classification": lambda: classify(MESSAGE),
        "list row": lambda: check_list(["ada@example.net"], dns=False),
        "gate check": lambda: gate.check(MESSAGE, flow="transactional"),
    }
    return {name: visited(action) for name, action in actions.items()}


def main() -> None:
    """Count, and write the figures."""
    found = counted()
    for name, files in found.items():
        print(f"{name}: {len(files)} files\n  {', '.join(files)}")
    path = ROOT / "benchmarks" / "results" / "visited_files.json"
    figures = {name: {"files": len(files), "names": files} for name, files in found.items()}
    path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
