"""How fast raw bytes become a view of a message, and a verdict, compared with the standard library's parsers.

Usage: python benchmarks/message_parsers.py

Writes benchmarks/results/message_parsers.json. ``compat32`` only parses: it decodes neither headers
nor text. ``compat32, decoded`` also gives subject, addresses and texts as `Message.read` does;
``policy.default, decoded`` does so in the modern way, and what it raises on is counted.
"""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import TYPE_CHECKING

from recording import interleaved, messages, table, write

from mailflows import Classifier, Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message as StdlibMessage

SIZES = {"HTML, 10 to 40 kB": (10_000, 40_000, True), "plain text, to 4 kB": (0, 4_000, False)}


def read(raw: bytes) -> object:
    """Read with mailflows: subject, addresses and the visible text."""
    message = Message.read(raw)
    return message.subject, message.sender, message.recipients, message.body


def parse(raw: bytes) -> StdlibMessage:
    """Parse only."""
    return email.message_from_bytes(raw)


def parse_and_decode(raw: bytes) -> object:
    """Parse with the old policy and decode headers and texts."""
    message = email.message_from_bytes(raw)
    subject = str(make_header(decode_header(str(message.get("subject", "")))))
    people = getaddresses([str(v) for name in ("from", "to", "cc") for v in message.get_all(name, [])])
    return subject, people, [_text(part) for part in message.walk() if part.get_content_maintype() == "text"]


def _text(part: StdlibMessage) -> str:
    payload = part.get_payload(decode=True)
    charset = part.get_content_charset() or "utf-8"
    try:
        return payload.decode(charset) if isinstance(payload, bytes) else ""
    except (LookupError, UnicodeError):
        return payload.decode("latin-1") if isinstance(payload, bytes) else ""


def parse_modern(raw: bytes) -> object:
    """Parse with the modern policy and decode headers and texts."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    people = [a for name in ("from", "to", "cc") if message[name] for a in message[name].addresses]
    body = message.get_body(("plain", "html"))
    return message["subject"], people, body.get_content() if body else ""


def raises(run: Callable[[bytes], object], inputs: list[bytes]) -> int:
    """Count the messages on which a parser raises."""
    count = 0
    for raw in inputs:
        try:
            run(raw)
        except Exception:  # noqa: BLE001 -- whatever it is, the caller would have to catch it
            count += 1
    return count


def quietly(run: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Return the parser with its exceptions swallowed, to time it on all messages."""

    def quiet(raw: bytes) -> object:
        try:
            return run(raw)
        except Exception:  # noqa: BLE001 -- counted apart
            return None

    return quiet


def main() -> None:
    """Measure and write."""
    everything = messages("corpus", "examples")
    classifier = Classifier()
    candidates: dict[str, Callable[[bytes], object]] = {
        "mailflows read": read,
        "mailflows classify": classifier.classify,
        "compat32": parse,
        "compat32, decoded": quietly(parse_and_decode),
        "policy.default, decoded": quietly(parse_modern),
    }
    result: dict[str, object] = {}
    for name, (smallest, largest, is_html) in SIZES.items():
        chosen = [
            raw
            for raw in everything
            if smallest <= len(raw) <= largest and bool(Message.read(raw).html) is is_html
        ]
        result[name] = {
            "messages": len(chosen),
            "mean_bytes": sum(map(len, chosen)) // len(chosen),
            "per_message": table(interleaved(candidates, chosen), reference="compat32"),
        }
    result["messages on which it raises"] = {
        "of": len(everything),
        "mailflows": raises(read, everything),
        "compat32, decoded": raises(parse_and_decode, everything),
        "policy.default, decoded": raises(parse_modern, everything),
    }
    write("message_parsers", result)


if __name__ == "__main__":
    main()
