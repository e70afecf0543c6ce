"""A memory of templates: what kind of series a message belongs to, and which slot is being abused.

Kept in a store as an index for each sender and flow, and a document for each template: keyed hashes of words
and what slots held, never a word of a message.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._result import Result, number_of, to_html
from mailflows._stores import DocumentKeeper
from mailflows._stores._documents import adrive, drive
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.message import Message
from mailflows.templates._documents import MARK_BYTES, Documents, Entry
from mailflows.templates._skeleton import (
    Gap,
    Skeleton,
    Slot,
    Token,
    Words,
    align,
    begun,
    gaps,
    learned,
    tokens_of,
)
from mailflows.templates._slots import LONGEST, SlotAlarm, SlotKind, alarms_of

if TYPE_CHECKING:
    from mailflows._clock import Clock
    from mailflows._stores import Documents as DocumentStore
    from mailflows._stores._documents import Change, Steps
    from mailflows.message import Source

__all__ = ["Observation", "Series", "TemplateMemory"]

LEARN = 6
"""Messages of a template that are learned before its slots are judged. Our choice."""

_EARLY = 3
"""Messages after which a slot that never held a link or markup does not begin to: a new template is abused in
its first minutes, too. Our choice."""

_PLAIN = frozenset({"slot-link", "slot-markup"})
"""What needs no long acquaintance to be told; lengths, numbers and line breaks vary more."""

MANY = 10
"""Messages of one text within the window that are a mailing. A bound on work."""

WINDOW = 86_400.0
KEPT_FOR = 90 * 86_400.0
KEEP = 24
"""Templates of a sender and flow that are kept; the longest unused leave first. Our choice."""

_SKETCH = 24
_LEAST_ALIKE = 0.5
_LEAST_FIXED = 8
"""Fixed words below which two messages are not called alike. A bound on work."""

_WHOLE_LINE_LOST = 6
_FREE_TEXT = 300
"""Characters from which a slot is taken for free text. Our choice."""

_STRICT = 0.45
"""Share of fixed words from which a series follows a strict model, and its slots are judged. Our choice."""

_LEAST_SEEN = 3
"""Values of a slot from which it says something by itself. Our choice."""


class Series(StrEnum):
    """The kind of series that a message belongs to."""

    UNIQUE = "unique"
    """Nothing like it was seen before: a person's message, or the first of a series."""

    ALIKE = "alike"
    """Something like it was seen, too rarely to say more."""

    TRANSACTIONAL = "transactional"
    """A known text with new numbers, dates or links."""

    MAILING = "mailing"
    """The same text to many recipients."""


@dataclass(frozen=True, slots=True)
class Observation(Result):
    """What the memory of templates found in a message.

    Attributes:
        series: What kind of series it belongs to.
        seen: Messages of the series within the window, including this one.
        total: All messages of the series so far, including this one.
        slots: Each slot, as the fixed words around it.
        alarms: Slots that contain something they never contained before; such a message is not learned from.
        template: The ID of the template; empty for a message without one.
    """

    series: Series
    seen: int
    total: int
    slots: tuple[str, ...]
    alarms: tuple[SlotAlarm, ...]
    template: str

    @property
    def ok(self) -> bool:
        """Whether no slot appears to be abused."""
        return not self.alarms

    def __str__(self) -> str:
        alarm = f"; {self.alarms[0].sentence}" if self.alarms else ""
        slots = number_of(len(self.slots), "slot")
        return f"message {self.total} of its series ({self.series}), with {slots}{alarm}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "series": self.series.value,
            "seen": self.seen,
            "total": self.total,
            "slots": list(self.slots),
            "alarms": [alarm.to_dict() for alarm in self.alarms],
            "template": self.template,
        }

    def _repr_html_(self) -> str:
        rows = [[alarm.slot, alarm.code, alarm.sentence] for alarm in self.alarms]
        return to_html(str(self), ["slot", "code", "what"], rows)


class TemplateMemory:
    r"""Remembers the templates that senders use, and what their slots contain.

    Args:
        store: Where they are kept: any store of `mailflows.limits`.
        learn: Messages of a template to learn from before its slots are judged.
        many: Messages with the same text within the window that count as a mailing.
        window: Seconds in which messages are counted; a day by default.
        kept_for: Seconds after which an unused template is forgotten; 90 days by default.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If a number is not positive.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> memory = TemplateMemory(MemoryStore())
        >>> text = "From: a@b.example\nSubject: Welcome\n\nHello {}, your account number is {}."
        >>> for n, name in enumerate("Ada Grace Mary Emmy Marie Lise Rosa".split()):
        ...     seen = memory.observe(text.format(name, 1000 + n).encode(), flow="transactional")
        >>> seen.series, seen.ok
        (<Series.TRANSACTIONAL: 'transactional'>, True)
        >>> bad = memory.observe(text.format("WIN http://x.example/", 1).encode(), flow="transactional")
        >>> print(bad.alarms[0].sentence)
        "Hello …, your account" contains a link, which it never did before
    """

    def __init__(  # noqa: PLR0913 -- the settings of a memory
        self,
        store: DocumentStore,
        *,
        learn: int = LEARN,
        many: int = MANY,
        window: float = WINDOW,
        kept_for: float = KEPT_FOR,
        clock: Clock = time.time,
    ) -> None:
        settings = {"learn": learn, "many": many, "window": window, "kept_for": kept_for}
        for name, value in settings.items():
            if value <= 0:
                msg = f"{name} must be a positive number, not {value!r}"
                raise ConfigurationError(msg, field=name)
        self._keeper = DocumentKeeper(store, kind="templates", ttl=kept_for)
        self._learn = learn
        self._many = many
        self._window = window
        self._clock = clock
        self._documents = Documents()
        self._words: Words | None = None

    def observe(
        self,
        message: Source,
        *,
        flow: Flow | str,
        sender: str | None = None,
        accept: bool = False,
    ) -> Observation:
        """Return what series a message belongs to and which slots are abused, and learn from it.

        Args:
            message: What is to be sent.
            flow: The flow that it is sent through: each has its own templates.
            sender: Who sends: an address, a form, a tenant; by default the address in From.
            accept: Learn from it although a slot raises an alarm, because a person has reviewed it.

        Raises:
            MessageError: If *message* is not a message.
            StoreError: If the store could not answer.
        """
        if self._words is None:
            self._words = _words_by(self._keeper.digest("templates"))
        who, tokens = _read(message, sender, self._words)
        return drive(self._observing(Flow(flow), who, tokens, accept=accept), self._keeper)

    async def aobserve(
        self,
        message: Source,
        *,
        flow: Flow | str,
        sender: str | None = None,
        accept: bool = False,
    ) -> Observation:
        """Do what `observe` does without blocking the event loop."""
        if self._words is None:
            self._words = _words_by(await self._keeper.adigest("templates"))
        who, tokens = await asyncio.to_thread(_read, message, sender, self._words)
        return await adrive(self._observing(Flow(flow), who, tokens, accept=accept), self._keeper)

    def forget(self, sender: str) -> int:
        """Forget the templates of a sender on every flow, and return how many there were.

        Raises:
            StoreError: If the store could not answer.
        """
        return drive(self._forgetting(sender), self._keeper)

    async def aforget(self, sender: str) -> int:
        """Do what `forget` does without blocking the event loop."""
        return await adrive(self._forgetting(sender), self._keeper)

    def _observing(self, flow: Flow, who: str, tokens: list[Token], *, accept: bool) -> Steps[Observation]:
        if len(tokens) < _LEAST_FIXED:
            return Observation(Series.UNIQUE, 1, 1, (), (), "")
        place = yield from _place(flow, who)
        index = yield "load", (f"templates:{place}",)
        name = self._likely(index, tokens)
        if name is None:
            return (yield from self._begin(place, index, tokens))
        return (yield from self._go_on(place, index, name, tokens, accept=accept))

    def _forgetting(self, sender: str) -> Steps[int]:
        count = 0
        for flow in Flow:
            for who in dict.fromkeys((sender, sender.lower())):
                place = yield from _place(flow, who)
                for entry in self._documents.index((yield "load", (f"templates:{place}",))):
                    yield "remove", (f"template:{place}:{entry.name}",)
                    count += 1
                yield "remove", (f"templates:{place}",)
        self._documents, self._words = Documents(), None  # what this process kept of them
        return count

    def _likely(self, index: bytes | None, tokens: list[Token]) -> str | None:
        """Return the name of the template that a message may be of."""
        entries = self._documents.index(index)
        if not entries:
            return None
        marks = {token.mark for token in tokens}
        best = max(entries, key=lambda entry: entry.likeness(marks))
        return best.name if best.likeness(marks) >= _LEAST_ALIKE else None

    def _begin(self, place: str, index: bytes | None, tokens: list[Token]) -> Steps[Observation]:
        """Remember a message as the first of a series."""
        skeleton = begun(tokens)
        name = hashlib.blake2s(b"".join(skeleton.fixed), digest_size=4).hexdigest()
        content = self._documents.write_template(skeleton, (self._seconds(), 1))
        yield from self._put(f"template:{place}:{name}", None, content, lambda _: content)
        yield from self._note(place, index, name, skeleton)
        return Observation(Series.UNIQUE, 1, 1, (), (), name)

    def _go_on(
        self, place: str, index: bytes | None, name: str, tokens: list[Token], *, accept: bool
    ) -> Steps[Observation]:
        """Compare a message with its template, and learn from it."""
        key = f"template:{place}:{name}"
        result: Observation | None = None
        better: Skeleton | None = None

        def change(old: bytes | None) -> bytes | None:
            nonlocal result, better
            skeleton, counted = self._documents.template(old) if old else (Skeleton([]), (0.0, 0))
            pairs, share = align(skeleton, tokens)
            result, better = None, None
            if share < _LEAST_ALIKE or len(pairs) < _LEAST_FIXED:
                return old
            found = gaps(skeleton, tokens, pairs)
            is_strict = skeleton.strictness >= _STRICT
            alarms = (
                _judge(skeleton, found) if is_strict and skeleton.seen >= min(self._learn, _EARLY) else ()
            )
            if skeleton.seen < self._learn:
                alarms = tuple(alarm for alarm in alarms if alarm.code in _PLAIN)
            counted = self._counted(counted)
            better = skeleton if alarms and not accept else learned(skeleton, found, pairs)
            result = self._observation(name, better, found, alarms, counted[1])
            return self._documents.write_template(better, counted)

        yield "update", (key, change)
        if result is None or better is None:
            return (yield from self._begin(place, index, tokens))
        yield from self._note(place, index, name, better)
        return result

    def _observation(
        self, name: str, skeleton: Skeleton, found: list[Gap], alarms: tuple[SlotAlarm, ...], seen: int
    ) -> Observation:
        series = Series.ALIKE
        if skeleton.seen >= 3 and any(_is_specific(slot) for slot in skeleton.slots.values()):
            series = Series.TRANSACTIONAL
        elif seen >= self._many:
            series = Series.MAILING
        total = skeleton.seen + bool(alarms)
        return Observation(series, seen, total, tuple(gap.name for gap in found), alarms, name)

    def _counted(self, counted: tuple[float, int]) -> tuple[float, int]:
        """Count one more message in the window."""
        start, count = counted
        now = self._seconds()
        return (now, 1) if now - start > self._window else (start, count + 1)

    def _seconds(self) -> float:
        return round(self._clock(), 1)

    def _note(self, place: str, index: bytes | None, name: str, skeleton: Skeleton) -> Steps[None]:
        """Put a template first in the index of its sender."""
        first = Entry.of(name, sorted(set(skeleton.fixed))[:_SKETCH])

        def change(old: bytes | None) -> bytes:
            others = (entry for entry in self._documents.index(old) if entry.name != name)
            return self._documents.write_index((first, *others)[:KEEP])

        yield from self._put(f"templates:{place}", index, change(index), change)

    def _put(self, key: str, known: bytes | None, new: bytes, change: Change) -> Steps[None]:
        """Write a document of which it is known what it was: by one call, if nobody was faster."""
        if new != known and not (yield "swap", (key, known, new, self._keeper.ttl)):
            yield "update", (key, change)


def _read(message: Source, sender: str | None, words: Words) -> tuple[str, list[Token]]:
    """Return who sends a message, and its words."""
    read = Message.read(message)
    return sender or read.sender.address, tokens_of(read, words)


def _words_by(secret: str) -> Words:
    """Return the tokens of a memory; only its store's key makes the same marks of the same words."""
    keyed = hashlib.blake2s(key=secret.encode()[:32], digest_size=MARK_BYTES)

    def mark(word: str) -> bytes:
        found = keyed.copy()
        found.update(word.encode("utf-8", "replace"))
        return found.digest()

    return Words(mark)


def _place(flow: Flow, who: str) -> Steps[str]:
    """Return where the templates of a sender on a flow are."""
    digest = yield "digest", (who,)
    return f"{flow}:{digest}"


def _is_specific(slot: Slot) -> bool:
    """Return whether a slot holds what is of one reader alone: a number, a date, an address."""
    return slot.seen >= 2 and bool(slot.kinds & (SlotKind.DIGITS | SlotKind.EMAIL))


def _judge(skeleton: Skeleton, found: list[Gap]) -> tuple[SlotAlarm, ...]:
    """Return the slots that hold what they never held."""
    vocabulary = skeleton.vocabulary()
    alarms: list[SlotAlarm] = []
    for gap in found:
        if _is_judged(gap):
            alarms += _alarms(gap, gap.values(vocabulary))
    return tuple({alarm.code: alarm for alarm in alarms}.values())


def _is_judged(gap: Gap) -> bool:
    """Return whether a place is a slot that holds short values, or may be one that never changed so far.

    A block of its own lines is none, as a template may have parts that are not always there; nor is a
    slot of free text, such as the comment that a notification passes on.
    """
    if gap.slot and gap.slot.seen >= _LEAST_SEEN:
        return gap.slot.longest <= _FREE_TEXT
    return gap.is_inline and gap.lost <= _WHOLE_LINE_LOST


def _alarms(gap: Gap, values: list[str]) -> list[SlotAlarm]:
    slot = gap.slot or Slot()
    longest = max(LONGEST, 2 * slot.longest)
    found = [a for v in values for a in alarms_of(gap.name, v, known=slot.kinds, longest=longest)]
    if values and gap.length > longest:
        found += alarms_of(gap.name, "x" * gap.length, known=slot.kinds, longest=longest)
    return found
