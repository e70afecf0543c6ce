"""How well SMTP replies are understood: the open corpus of replies, and three readers of it.

Usage: python benchmarks/replies.py [corpus/replies.tsv]

Baselines: the reply code alone, the enhanced status code alone (RFC 3463 and the IANA registry). Score
your own reader with `score(reader, rows)`: it takes code and text and returns class and action. The
corpus was drafted by this project and its reader was mended on it, so our row is no held-out figure.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recording import ROOT, write

from mailflows.feedback import Action, BounceReason, read_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[int, str], tuple[str, str]]

CORPUS = ROOT / "corpus" / "replies.tsv"
OURS = frozenset({Action.PAUSE_FLOW, Action.FIX_CONFIG})

BY_CODE = {
    **dict.fromkeys((550, 551, 553), BounceReason.MAILBOX_UNKNOWN),
    **dict.fromkeys((521, 556), BounceReason.NULL_MX),
    **dict.fromkeys((530, 534, 535, 538), BounceReason.RELAY_DENIED),
    **dict.fromkeys((500, 501, 502, 503, 504, 555), BounceReason.PROTOCOL),
    552: BounceReason.MAILBOX_FULL,
    554: BounceReason.POLICY,
}
"""What RFC 5321 section 4.2.3, RFC 4954 and RFC 7504 say of a code."""

BY_STATUS = {
    "1.1": BounceReason.MAILBOX_UNKNOWN,
    "1.2": BounceReason.DOMAIN_UNKNOWN,
    "1.3": BounceReason.MAILBOX_UNKNOWN,
    "1.6": BounceReason.MAILBOX_UNKNOWN,
    "1.7": BounceReason.SENDER_INVALID,
    "1.8": BounceReason.SENDER_INVALID,
    "1.10": BounceReason.NULL_MX,
    "2.1": BounceReason.MAILBOX_DISABLED,
    "2.2": BounceReason.MAILBOX_FULL,
    "2.3": BounceReason.TOO_BIG,
    "3.4": BounceReason.TOO_BIG,
    "4.1": BounceReason.CONNECTION,
    "4.2": BounceReason.CONNECTION,
    "4.3": BounceReason.ROUTING,
    "4.4": BounceReason.ROUTING,
    "4.6": BounceReason.ROUTING,
    "4.7": BounceReason.EXPIRED,
    "5.3": BounceReason.TOO_MANY_RECIPIENTS,
    "7.1": BounceReason.POLICY,
    "7.8": BounceReason.RELAY_DENIED,
    **dict.fromkeys((f"7.{n}" for n in (20, 21, 22, 23, 24, 25, 26)), BounceReason.AUTH_FAILURE),
    "7.27": BounceReason.SENDER_INVALID,
}
"""What RFC 3463, RFC 7372 and RFC 7505 say of the two last numbers of a status."""

_STATUS = re.compile(r"(?<![\d.])[245]\.(\d{1,3}\.\d{1,3})(?!\.?\d)")


def by_code(code: int, _text: str) -> tuple[str, str]:
    """Read the reply code alone."""
    reason = BY_CODE.get(code, BounceReason.TEMPORARY if code < 500 else BounceReason.OTHER)
    return reason, reason.action(final=code >= 500)


def by_status(code: int, text: str) -> tuple[str, str]:
    """Read the enhanced status code alone."""
    found = _STATUS.search(text)
    general = BounceReason.TEMPORARY if code < 500 else BounceReason.OTHER
    reason = BY_STATUS.get(found[1], general) if found else general
    return reason, reason.action(final=code >= 500)


def mailflows(code: int, text: str) -> tuple[str, str]:
    """Read the reply as this library does."""
    reply = read_reply(code, text)
    return str(reply.reason), reply.action


def score(reader: Reader, rows: list[dict[str, str]]) -> dict[str, Any]:
    """Return how often a reader has the class, suppresses rightly, and knows our own faults."""
    judged = [(row, *reader(int(row["code"]), row["text"])) for row in rows]
    given = [row for row, _, action in judged if action == Action.SUPPRESS]
    right = sum(row["action"] == Action.SUPPRESS for row in given)
    wanted = sum(row["action"] == Action.SUPPRESS for row in rows)
    own = [action for row, _, action in judged if row["action"] in OURS and row["code"][0] == "5"]
    return {
        "class_accuracy": round(sum(row["class"] == reason for row, reason, _ in judged) / len(rows), 4),
        "suppress_precision": round(right / len(given), 4),
        "suppress_recall": round(right / wanted, 4),
        "suppressed_wrongly": len(given) - right,
        "own_fault_known": round(sum(action in OURS for action in own) / len(own), 4),
        "own_fault_suppressed": sum(action == Action.SUPPRESS for action in own),
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a corpus of replies."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def main() -> None:
    """Score the three readers, and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("corpus", type=Path, nargs="?", default=CORPUS)
    rows = rows_of(parser.parse_args().corpus)
    readers: dict[str, Reader] = {"code": by_code, "status": by_status, "mailflows": mailflows}
    result = {
        "replies": len(rows),
        "providers": len({row["provider"] for row in rows}),
        "readers": {name: score(reader, rows) for name, reader in readers.items()},
    }
    write("replies", result)
    print(result)


if __name__ == "__main__":
    main()
