r"""Signals: what can be seen in a message, named and measured.

`measure` returns the signals of a message as numbers in [0, 1]; what is absent is zero and left out.
Every name, with a sentence, is in `SIGNALS` and in the documentation's table.

>>> from mailflows.message import Message
>>> found = measure(Message.read(b"From: shop@boutique.fr\nSubject: -20 % !\n\nDernier jour"))
>>> found["subject-percent"], "headers-list-unsubscribe" in found
(1.0, False)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.signals import headers, layout, links, words
from mailflows.signals._signal import Signal

if TYPE_CHECKING:
    from mailflows.message import Message
    from mailflows.signals.words import Reading

__all__ = ["SIGNALS", "Signal", "measure"]

_FAMILIES = (headers, links, layout, words)

SIGNALS: dict[str, Signal] = {s.name: s for family in _FAMILIES for s in family.SIGNALS}
"""Every signal by name."""


def measure(message: Message, *, reading: Reading | None = None) -> dict[str, float]:
    r"""Measure every signal of a message; those that are zero are left out.

    The result is cached on the message.

    Args:
        message: The message as it was read.
        reading: Its words, where the caller has found them already.

    Example:
        >>> from mailflows import Message
        >>> message = Message.read(b"From: ada@lovelace.uk\nIn-Reply-To: <1@x.example>\nSubject: Re: Tuesday\n\nAt noon?")
        >>> measure(message)["headers-in-reply-to"]
        1.0
    """
    kept = message._measured  # noqa: SLF001 -- its place; a message never changes
    if kept is None:
        reading = reading or words.read(message)
        kept = {}
        for family in _FAMILIES:
            kept |= family.measure(message, reading)
        object.__setattr__(message, "_measured", kept)
    return dict(kept)
