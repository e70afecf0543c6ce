"""The outside bounces and what is known of them, for the tests and for `benchmarks/feedback_quality.py`.

What `expected.json` calls a reason is sisimai's word. "filtered" (said only after DATA), "suspend" and
"rejected" are debatable, so they are counted apart.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mailflows.feedback import Action, parse_bounce

if TYPE_CHECKING:
    from pathlib import Path

    from mailflows.feedback import Event

DEBATABLE = frozenset({"filtered", "suspend", "rejected"})
NOBODY = "undisclosed-recipient-in-headers@libsisimai.org.invalid"
"""What stands in `expected.json` where the report names nobody; to us that is no recipient."""


@dataclass
class Quality:
    """What came out.

    Attributes:
        files: How many files there are.
        exact: In how many the recipients are exactly those that are expected.
        wrong_files: The names of the others.
        right, wrong, missed: Suppressions that are given and hard, given and not, hard and not given.
        debatable: How often each debatable reason was suppressed and was not.
    """

    files: int = 0
    exact: int = 0
    wrong_files: list[str] = field(default_factory=list)
    right: int = 0
    wrong: int = 0
    missed: int = 0
    debatable: Counter[tuple[str, bool]] = field(default_factory=Counter)

    @property
    def share_exact(self) -> float:
        """Share of files with exactly the expected recipients."""
        return self.exact / self.files

    @property
    def precision(self) -> float:
        """Share of the given suppressions that are hard bounces, without the debatable ones."""
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        """Share of the hard bounces that are suppressed, without the debatable ones."""
        return self.right / (self.right + self.missed)


def judged(folder: Path) -> Quality:
    """Read every bounce of a folder with ``eml/`` and ``expected.json``, and compare."""
    found = Quality()
    for name, truth in json.loads((folder / "expected.json").read_text("utf-8")).items():
        _compare(found, name, truth["parsed_by_p5_sisimai_5.1.0p3"], parse_bounce(folder / "eml" / name))
    return found


def _compare(found: Quality, name: str, truth: list[dict[str, Any]], events: tuple[Event, ...]) -> None:
    wanted = {entry["recipient"].lower() for entry in truth} - {NOBODY}
    by_recipient = {event.recipient.lower(): event for event in events if event.recipient}
    found.files += 1
    found.exact += set(by_recipient) == wanted
    if set(by_recipient) != wanted:
        found.wrong_files.append(name)
    for entry in truth:
        event = by_recipient.get(entry["recipient"].lower())
        if event is not None and entry["reason"] != "feedback":
            _count(found, entry, is_suppressed=event.action is Action.SUPPRESS)


def _count(found: Quality, entry: dict[str, Any], *, is_suppressed: bool) -> None:
    is_hard = bool(entry["hardbounce"])
    if entry["reason"] in DEBATABLE:
        found.debatable[entry["reason"], is_suppressed] += 1
    elif is_suppressed:
        found.right += is_hard
        found.wrong += not is_hard
    else:
        found.missed += is_hard
