"""The core of a message: its subject and what its body says, the same from HTML and from plain text.

Footers, quotations, disclaimers and signatures say who sends, not what for; and the words of web and mail
addresses are no words of the text. What is judged as an advert is this core.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailflows.message import Message
from mailflows.signals import words
from mailflows.signals.zones import ZoneKind, without_addresses, zones_of_text

__all__ = ["Core", "core_of_text", "cores"]

_SAID = frozenset({ZoneKind.BODY, ZoneKind.ACTION})
_LONGEST_SUBJECT = 300  # bound: longer ones are cut by every mail client


@dataclass(frozen=True, slots=True)
class Core:
    """What one part of a message says.

    Attributes:
        subject: The subject.
        lines: The lines of body and calls to action, without web and mail addresses.
        language: Two letters, or an empty string where it could not be told.
    """

    subject: str
    lines: tuple[str, ...]
    language: str

    def message(self, read: Message) -> Message:
        """Return the core as a plain-text message with the sender and the recipients of the whole."""
        fields = {"From": read.get("from"), "To": read.get("to"), "Subject": self.subject}
        head = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in fields.items() if value)
        body = "\n".join(self.lines)
        return Message.read(
            f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}", envelope=read.envelope
        )


def cores(message: Message) -> tuple[Core, ...]:
    """Return the core of each part that a reader may see: of the body, and of a plain text that differs."""
    texts = [message.body]
    if message.html and message.text.strip() and message.text.split() != message.body.split():
        texts.append(message.text)
    return tuple(core_of_text(message.subject, text) for text in texts)


def core_of_text(subject: str, text: str) -> Core:
    """Return the core of a text with its subject."""
    subject = " ".join(subject.split())[:_LONGEST_SUBJECT]
    lines: list[str] = []
    for zone in zones_of_text(text):
        if zone.kind in _SAID:
            lines += [said for line in zone.text.split("\n") if (said := without_addresses(line).strip())]
    shown = "\n".join(lines)
    tokens = words.tokens(f"{subject}\n{shown[:2000]}")
    return Core(subject, tuple(lines), words.language_of(tokens, f"{subject}\n{shown[:2000]}"))
