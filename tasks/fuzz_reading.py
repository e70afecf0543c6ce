"""Damage messages, and compare what we read with what the standard library reads of what is handed over.

Usage: python tasks/fuzz_reading.py [--messages 100000] [--seed 1]

Writes benchmarks/results/fuzz_reading.json: how many damaged messages were read alike, how many were refused
(`MessageError`), and how many were read in another way and told so or not. From, To and Subject are compared
with compat32, Subject and the texts of all parts with both. A seeded slice is a test
(tests/mail/test_structure.py).
"""

from __future__ import annotations

import argparse
import email
import email.policy
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._mail.handover import wire_form
from mailflows.errors import MessageError
from mailflows.message import UNREAD, Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message as StdlibMessage

ROOT = Path(__file__).resolve().parent.parent
PIECES = (
    *(b"\n", b"\r", b"\r\n", b"\0", b"\x0b", b"\x01", b" ", b"\t", b":", b"(", b'"', b"<", b"@", b",", b";"),
    *(b"\n\n", b"\n \n", b"Bcc: x@hidden.example\n", b"\nSubject: y\n", b"--b\n", b"\n--b--\n", b"="),
    *(b"\xef\xbb\xbf", b"\xe9", "é".encode(), b"a"),
)
SEEDS = tuple(
    text.encode()
    for text in (
        "From: Oak <no-reply@oak.example>\nTo: ada@lovelace.example\nSubject: Code\n\nThe code is 4711.\n",
        "From: o@oak.example\r\nTo: A <a@x.example>,\r\n b@x.example\r\nSubject: Your\r\n code\r\n\r\nHi\r\n",
        (
            "From: o@oak.example\nTo: a@x.example\nSubject: x\nMIME-Version: 1.0\n"
            "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nwords\n"
            "--b\nContent-Type: text/html\n\n<p>html words</p>\n--b--\n"
        ),
        (
            "From: o@oak.example\nTo: a@x.example\nSubject: x\nContent-Type: text/plain; charset=utf-8\n"
            "Content-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9 and =\nmore\n"
        ),
    )
)


TOLD = {"bad-part-header", *UNREAD}
"""Defects that say that some reader shows another text."""


def damaged(number: int, seed: int) -> Iterator[bytes]:
    """Yield messages with one to four damages each."""
    chance = random.Random(seed)
    for _ in range(number):
        raw = bytearray(chance.choice(SEEDS))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(raw))
            raw[place : place + chance.choice((0, 0, 1, 7))] = chance.choice(PIECES)
        yield bytes(raw)


def differences(raw: bytes) -> set[str]:
    """Return what the standard library reads otherwise in what is handed over."""
    seen, wire = Message.read(raw), wire_form(raw)
    found = set()
    for policy in (email.policy.compat32, email.policy.SMTP):
        read = email.message_from_bytes(wire, policy=policy)  # type: ignore[arg-type]
        if {"bcc", "resent-bcc", "x-mailflows-flow"} & {name.lower() for name in read.keys()}:  # noqa: SIM118
            found.add("private fields")
        # The modern policy writes a broken address anew; the words of Subject it leaves.
        names = ("from", "to", "subject") if policy is email.policy.compat32 else ("subject",)
        found |= {name for name in names if letters(str(read[name] or "")) != letters(seen.get(name))}
        shown = letters(seen.text + seen.html)
        if any(text not in shown for text in texts(read)):
            found.add("text, told" if TOLD & set(seen.defects) else "text")
    return found


def letters(text: str) -> str:
    """Return what stands there in ASCII: charsets are another question."""
    return "".join(letter for letter in text if letter.isascii() and "!" <= letter <= "~")


def texts(read: StdlibMessage) -> Iterator[str]:
    """Yield the texts that the standard library shows."""
    for part in read.walk():
        if part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment":
            data = part.get_payload(decode=True)
            yield letters(data.decode("ascii", "ignore") if isinstance(data, bytes) else "")


def main() -> None:
    """Damage, compare, and write what was found."""
    parser = argparse.ArgumentParser(description="Damaged messages, read by us and by the standard library.")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print so many that differ")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for raw in damaged(options.messages, options.seed):
        try:
            found = differences(raw)
        except MessageError:
            counts["refused"] += 1
            continue
        counts["alike" if not found else "other"] += 1
        counts.update(f"other: {name}" for name in found)
        if found and counts["other"] <= options.show:
            print(sorted(found), raw)
    result = {"messages": options.messages, "seed": options.seed, "found": dict(sorted(counts.items()))}
    path = ROOT / "benchmarks" / "results" / "fuzz_reading.json"
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
