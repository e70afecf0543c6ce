"""The core of a message: its subject and what its body says, the same from HTML and from plain text.

Footers, quotations, disclaimers and signatures say who sends, not what for; and the words of web and mail
addresses are no words of the text. What is judged as an advert is this core.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailflows.message import Message
from mailflows.signals import words
from mailflows.signals.zones import ZoneKind, without_addresses, zones_of_text

__all__ = ["Core", "Line", "core_of_text", "cores"]

_SAID = frozenset({ZoneKind.BODY, ZoneKind.ACTION})
_LONGEST_SUBJECT = 300  # bound: longer ones are cut by every mail client
_LONGEST_LINE = 1_500  # bound: a paragraph that is longer is judged by its beginning
_OPENING = 1_000  # choice: letters by which the language is told, as footers may be in another

MOST_LINES = 300
"""Lines looked at: half from the beginning, half from the end; bound: time."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a core, with what is found in it once for all who judge it.

    Attributes:
        text: As written.
        tokens: Its words in lower case.
        concepts: The concepts of the lexicons that it holds.
    """

    text: str
    tokens: tuple[str, ...]
    concepts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Core:
    """What one part of a message says.

    Attributes:
        subject: The subject.
        lines: The lines of body and calls to action, without web and mail addresses.
        language: Two letters, or an empty string where it could not be told.
    """

    subject: Line
    lines: tuple[Line, ...]
    language: str

    def message(self, read: Message) -> Message:
        """Return the core as a plain-text message with the sender and the recipients of the whole."""
        fields = {"From": read.get("from"), "To": read.get("to"), "Subject": self.subject.text}
        head = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in fields.items() if value)
        body = "\n".join(line.text for line in self.lines)
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
    head = " ".join(subject.split())[:_LONGEST_SUBJECT]
    opening = f"{head}\n{without_addresses(text[:_OPENING])}"
    language = words.language_of(words.tokens(opening), opening)
    lines: list[str] = []
    for zone in zones_of_text(text, language=language):
        if zone.kind in _SAID:
            lines += [said for line in zone.text.split("\n") if (said := without_addresses(line).strip())]
    if len(lines) > MOST_LINES:
        lines = lines[: MOST_LINES // 2] + lines[-MOST_LINES // 2 :]
    return Core(
        _line(head, language), tuple(_line(line[:_LONGEST_LINE], language) for line in lines), language
    )


def _line(text: str, language: str) -> Line:
    tokens = words.tokens(text)
    return Line(text, tokens, frozenset(words.concepts_of(text, tokens, language)))
