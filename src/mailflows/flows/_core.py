"""The core of a message: its subject and what its body says, the same from HTML and from plain text.

Footers, quotations, disclaimers and signatures say who sends, not what for; and the words of web and mail
addresses are no words of the text. What is judged as an advert is this core.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice

from mailflows.message import Message
from mailflows.signals import words
from mailflows.signals.zones import ZoneKind, without_addresses, zones_of_text

__all__ = ["Core", "Line", "core_of_text", "cores"]

_SAID = frozenset({ZoneKind.BODY, ZoneKind.ACTION})
_LONGEST_SUBJECT = 300  # bound: longer ones are cut by every mail client
_LONGEST_LINE = 1_500  # bound: a paragraph that is longer is judged by its beginning
_OPENING = 150  # choice: words by which the language is told; footers may be in another, and are left out

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

    def message(self, read: Message | None = None) -> Message:
        """Return the core as a plain-text message, with the people of the whole where that is given."""
        people = {"From": read.get("from"), "To": read.get("to")} if read else {}
        fields = people | {"Subject": self.subject.text}
        head = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in fields.items() if value)
        body = "\n".join(line.text for line in self.lines)
        return Message.read(
            f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}",
            envelope=read.envelope if read else None,
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
    said = [line for zone in zones_of_text(text) if zone.kind in _SAID for line in zone.text.split("\n")]
    lines = [shown[:_LONGEST_LINE] for line in said if (shown := without_addresses(line).strip())]
    if len(lines) > MOST_LINES:
        lines = lines[: MOST_LINES // 2] + lines[-MOST_LINES // 2 :]
    tokens = [words.tokens(line) for line in (head, *lines)]
    opening = list(islice(chain.from_iterable(tokens), _OPENING))
    language = words.language_of(opening, " ".join(opening))
    first, *others = (
        Line(line, its, frozenset(words.concepts_of(line, its, language)))
        for line, its in zip((head, *lines), tokens, strict=True)
    )
    return Core(first, tuple(others), language)
