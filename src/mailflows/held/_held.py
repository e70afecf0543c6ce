"""What waits for manual review, in the gate's store."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
import zlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mailflows._clock import seconds_in, to_datetime
from mailflows._mailbox import mailbox_key
from mailflows._result import Result, number_of, printable
from mailflows._stores import DocumentKeeper, MemoryStore
from mailflows._stores._documents import adrive, drive
from mailflows.errors import ConfigurationError, StoreError
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from mailflows._clock import Clock
    from mailflows._stores import Documents
    from mailflows._stores._documents import Steps

__all__ = ["HeldMail", "HeldMessage", "HeldState", "fingerprint"]

KEEP = 14 * 86_400.0
"""Seconds that a message waits. choice: two weeks, so that a holiday is no loss."""

CLAIM = 900.0
"""Seconds for which a released message that is being sent is not sent again: longer than the ten minutes that
a relay may take for its answer (RFC 5321 section 4.5.3.2.6)."""

RECOUNT = 60.0
"""Seconds after which held messages are counted anew: other processes hold and drop, too. Our choice."""

ROOM = 256 * 1024 * 1024
"""Bytes of all messages together. bound: what a server has to spare for bad mail, in memory, too."""

MOST = 10_000
"""Messages. bound: a flood of bad ones must not fill the disk; further ones are deferred."""

_FRESH = re.compile(
    rb"^(?:date|message-id|received|return-path|dkim-signature|x-mailflows-[a-z-]{1,40}):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
"""Header fields that a program may write anew for each attempt, as `EmailMessage` of Django does."""

_BOUNDARY = re.compile(rb"[Bb]oundary\s*=\s*\"?([\w=.]{10,70})(?=[\"\s;]|\Z)")
"""A boundary as programs make them, anew each time; what could be read as a link is content."""

_PLACED = re.compile(rb"(^--|[Bb]oundary\s*=\s*\"?)([\w=.]{10,70})(?=(?:--)?(?:\n|\Z)|[\"\s;])", re.MULTILINE)
"""Where a boundary stands: before a part, or where it is declared."""

_MOST_BOUNDARIES = 50
"""Boundaries that are looked for. bound: a hostile message costs no more than fifty looks."""

_CHUNK = 64 * 1024
"""Bytes that are looked at in one step. bound: other threads, and an event loop, go on in between."""

_BLANK = re.compile(rb"\r?\n\r?\n")


class HeldState(StrEnum):
    """The state of a held message."""

    WAITING = "waiting"
    RELEASED = "released"
    """It will be sent at the client's next attempt."""

    SENDING = "sending"
    DROPPED = "dropped"
    """The next attempt will be refused."""


@dataclass(frozen=True, slots=True)
class HeldMessage(Result):
    """A message that waits for manual review.

    Attributes:
        id: Its ID: the same for each attempt to send the same message.
        flow: The flow that it belongs to, or will be sent through; `None` if not known.
        mail_from: Its envelope sender; empty for the null sender, or if there is no envelope.
        sender: The address of its From.
        recipients: Its recipients.
        subject: Its subject.
        why: Why it is held, in one line.
        held_at: When it was first held.
        expires: When it is deleted, reviewed or not.
        size: Its size in bytes; 0 if the content was not kept.
        state: Whether it waits, or was released or dropped.
        is_taken: Whether its sender was told that it was accepted, so that nobody will retry it.
    """

    id: str
    flow: Flow | None
    mail_from: str = field(repr=False)
    sender: str = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    why: str
    held_at: datetime
    expires: datetime
    size: int
    state: HeldState = HeldState.WAITING
    is_taken: bool = False

    def __str__(self) -> str:
        """Return one line for an operator: id, flow, sender, recipients, subject, why."""
        to, who = number_of(len(self.recipients), "recipient"), self.mail_from or self.sender or "<>"
        said = f"{self.id} {self.flow or '-'} {who} to {to} {self.subject!r}: {self.why}"
        return printable(said if self.state is HeldState.WAITING else f"{said} ({self.state})")


class HeldMail:
    r"""Keeps messages until a person has reviewed them; see `mailflows.gate.Gate`.

    A message that was answered with 451 stays in the sender's queue, and is sent at the next attempt after
    `release`; one that was accepted is sent by whoever releases it. The store holds complete messages,
    unencrypted: restrict access to it.

    Args:
        store: Where messages are kept: a store of `mailflows.limits`. A store in memory ends with the
            process.
        keep: Seconds after which a message is deleted.
        room: Total size of all messages in bytes; a message that does not fit stays in its sender's queue.
        clock: Returns the current time in Unix seconds.

    Raises:
        ConfigurationError: If a number or a time is not above zero.

    Example:
        >>> held = HeldMail()
        >>> raw = b"From: a@example.org\nTo: b@example.net\nSubject: Hello\n\nHi"
        >>> found = held.hold(raw, recipients=["b@example.net"], subject="Hello", flow="marketing")
        >>> [one.subject for one in held.list()], held.release(found.id).state
        (['Hello'], <HeldState.RELEASED: 'released'>)
    """

    def __init__(
        self,
        store: Documents | None = None,
        *,
        keep: float = KEEP,
        room: int = ROOM,
        clock: Clock = time.time,
    ) -> None:
        kept = MemoryStore() if store is None else store
        self._index = DocumentKeeper(kept, kind="held")
        self._keep = seconds_in(keep, name="keep")
        self._room = room
        self._room_taken = (-math.inf, 0, 0)  # when it was counted, messages, bytes
        self._clock = clock

    @property
    def is_lasting(self) -> bool:
        """Whether held messages survive the end of this process."""
        return not isinstance(self._index.store, MemoryStore)

    def hold(  # noqa: PLR0913 -- what is known of a message
        self,
        raw: bytes,
        *,
        recipients: Iterable[str],
        mail_from: str = "",
        sender: str = "",
        subject: str = "",
        flow: Flow | str | None = None,
        why: str = "",
    ) -> HeldMessage:
        """Hold a message; one that is already held is left unchanged.

        Raises:
            StoreError: If the store could not answer, or is full.
        """
        known = self._described(
            to=tuple(recipients), mail_from=mail_from, sender=sender, subject=subject, flow=flow, why=why
        )
        return drive(self._holding(*_read_whole(raw), replace(known, size=len(raw))), self._index)

    def find(self, raw: bytes, *, recipients: Iterable[str], mail_from: str = "") -> HeldMessage | None:
        """Return the entry of a message that is being retried, or `None`.

        Raises:
            StoreError: If the store could not answer.
        """
        return drive(self._finding(fingerprint(raw), tuple(recipients), mail_from), self._index)

    def list(self, *, every: bool = False) -> tuple[HeldMessage, ...]:
        """Return the waiting messages, oldest first; with *every*, also those released or dropped.

        Raises:
            StoreError: If the store could not answer.
        """
        return drive(_listing(every=every), self._index)

    def show(self, id: str) -> bytes:  # noqa: A002 -- its name
        """Return the bytes of a held message.

        Raises:
            ConfigurationError: If no held message has this id.
            StoreError: If the store could not answer.
        """
        document = drive(_showing(id), self._index)
        return b"" if document is None else zlib.decompress(document)

    def release(self, id: str, *, flow: Flow | str | None = None) -> HeldMessage:  # noqa: A002 -- its name
        """Release a message, so that it is sent once.

        Args:
            id: The ID of the message.
            flow: The flow to send it through, if it belongs to none, or to the wrong one.

        Raises:
            ConfigurationError: If no held message has this id, or it has no flow and none is given.
            StoreError: If the store could not answer.
        """
        return drive(self._releasing(id, flow), self._index)

    def drop(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Drop a message: its bytes are deleted, and the next attempt is refused.

        Raises:
            ConfigurationError: If no held message has this id.
            StoreError: If the store could not answer.
        """
        return drive(self._dropping(id), self._index)

    def take(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Record that the client was told that the message was accepted, so nobody will retry it.

        Raises:
            ConfigurationError: If no held message has this id.
            StoreError: If the store could not answer.
        """
        return drive(self._changing(id, _taken), self._index)

    def claim(self, id: str) -> bool:  # noqa: A002 -- its name
        """Claim a released message for sending, and return whether this call got it.

        Raises:
            StoreError: If the store could not answer.
        """
        return drive(self._claiming(id), self._index)

    def settle(self, id: str, *, sent: bool) -> None:  # noqa: A002 -- its name
        """Finish a claimed message: forget it if it was sent, or make it available for another attempt.

        Raises:
            StoreError: If the store could not answer.
        """
        drive(self._settling(id, sent=sent), self._index)

    def forget(self, address: str) -> int:
        """Delete every message from or to an address, and return how many there were.

        Raises:
            StoreError: If the store could not answer.
        """
        return drive(self._forgetting(address), self._index)

    async def ahold(  # noqa: PLR0913 -- what is known of a message
        self,
        raw: bytes,
        *,
        recipients: Iterable[str],
        mail_from: str = "",
        sender: str = "",
        subject: str = "",
        flow: Flow | str | None = None,
        why: str = "",
    ) -> HeldMessage:
        """Do what `hold` does without blocking the event loop."""
        known = self._described(
            to=tuple(recipients), mail_from=mail_from, sender=sender, subject=subject, flow=flow, why=why
        )
        said, content = await asyncio.to_thread(_read_whole, raw)
        return await adrive(self._holding(said, content, replace(known, size=len(raw))), self._index)

    async def afind(
        self, raw: bytes, *, recipients: Iterable[str], mail_from: str = ""
    ) -> HeldMessage | None:
        """Do what `find` does without blocking the event loop."""
        said = await asyncio.to_thread(fingerprint, raw)
        return await adrive(self._finding(said, tuple(recipients), mail_from), self._index)

    async def alist(self, *, every: bool = False) -> tuple[HeldMessage, ...]:
        """Do what `list` does without blocking the event loop."""
        return await adrive(_listing(every=every), self._index)

    async def ashow(self, id: str) -> bytes:  # noqa: A002 -- its name
        """Do what `show` does without blocking the event loop."""
        document = await adrive(_showing(id), self._index)
        return b"" if document is None else await asyncio.to_thread(zlib.decompress, document)

    async def arelease(self, id: str, *, flow: Flow | str | None = None) -> HeldMessage:  # noqa: A002 -- its name
        """Do what `release` does without blocking the event loop."""
        return await adrive(self._releasing(id, flow), self._index)

    async def adrop(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Do what `drop` does without blocking the event loop."""
        return await adrive(self._dropping(id), self._index)

    async def atake(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Do what `take` does without blocking the event loop."""
        return await adrive(self._changing(id, _taken), self._index)

    async def aclaim(self, id: str) -> bool:  # noqa: A002 -- its name
        """Do what `claim` does without blocking the event loop."""
        return await adrive(self._claiming(id), self._index)

    async def asettle(self, id: str, *, sent: bool) -> None:  # noqa: A002 -- its name
        """Do what `settle` does without blocking the event loop."""
        await adrive(self._settling(id, sent=sent), self._index)

    async def aforget(self, address: str) -> int:
        """Do what `forget` does without blocking the event loop."""
        return await adrive(self._forgetting(address), self._index)

    def _described(  # noqa: PLR0913 -- what is known of a message
        self,
        *,
        to: tuple[str, ...],
        mail_from: str,
        sender: str,
        subject: str,
        flow: Flow | str | None,
        why: str,
    ) -> HeldMessage:
        """Return what is known of a message that is held now, but for its id and size."""
        now = self._clock()
        return HeldMessage(
            id="",
            flow=None if flow is None else Flow(flow),
            mail_from=mail_from,
            sender=sender,
            recipients=to,
            subject=subject[:200],
            why=why,
            held_at=to_datetime(now),
            expires=to_datetime(now + self._keep),
            size=0,
        )

    def _holding(self, said: str, content: bytes, known: HeldMessage) -> Steps[HeldMessage]:
        id = yield from _naming(said, known.recipients, known.mail_from)  # noqa: A001 -- its name
        if (earlier := (yield from _loading(id))) is not None:
            return earlier
        yield from self._taking_room(known.size)
        new = replace(known, id=id)
        row = _written(new)
        yield "update", (f"held-mail:{id}", lambda old: old or content, self._keep)
        document = yield "update", (f"held:{id}", lambda old: old or row, self._keep)
        return new if document is None else _read(document)

    def _taking_room(self, size: int) -> Steps[None]:
        """Count a message in, or refuse it; the others are counted now and then, and before a refusal."""
        at, number, used = self._room_taken
        if self._clock() - at > RECOUNT or number >= MOST or used + size > self._room:
            kept = yield from _listing(every=True)
            sizes = [0 if one.state is HeldState.DROPPED else one.size for one in kept]  # its content is gone
            at, number, used = self._clock(), len(sizes), sum(sizes)
        if number >= MOST or used + size > self._room:
            msg = f"{number} messages are already held, and there is no more room: release or drop some"
            raise StoreError(msg, store=getattr(self._index.store, "name", "memory"))
        self._room_taken = at, number + 1, used + size

    def _finding(self, said: str, to: tuple[str, ...], mail_from: str) -> Steps[HeldMessage | None]:
        id = yield from _naming(said, to, mail_from)  # noqa: A001 -- its name
        return (yield from _loading(id))

    def _releasing(self, id: str, flow: Flow | str | None) -> Steps[HeldMessage]:  # noqa: A002 -- its name
        known = yield from _knowing(id)
        chosen = known.flow if flow is None else Flow(flow)
        if chosen is None:
            msg = f"held message {id} belongs to no flow: say which to use, such as --flow professional"
            raise ConfigurationError(msg, field="flow")
        return (
            yield from self._changing(id, lambda one: replace(one, state=HeldState.RELEASED, flow=chosen))
        )

    def _dropping(self, id: str) -> Steps[HeldMessage]:  # noqa: A002 -- its name
        dropped = yield from self._changing(id, lambda one: replace(one, state=HeldState.DROPPED))
        yield "remove", (f"held-mail:{id}",)
        return dropped

    def _claiming(self, id: str) -> Steps[bool]:  # noqa: A002 -- its name
        now = self._clock()
        known = yield from _loading(id)
        if known is None:
            return False
        is_ours = False

        def claimed(document: bytes | None) -> bytes | None:
            nonlocal is_ours
            row: dict[str, Any] = json.loads(document) if document else {"state": None}
            is_expired = row["state"] == HeldState.SENDING and row["claimed"] + CLAIM <= now
            is_ours = row["state"] == HeldState.RELEASED or is_expired
            row |= {"state": HeldState.SENDING, "claimed": now}
            return json.dumps(row).encode() if is_ours else document

        yield "update", (f"held:{id}", claimed, self._left(known))
        return is_ours

    def _settling(self, id: str, *, sent: bool) -> Steps[None]:  # noqa: A002 -- its name
        if sent:
            yield "remove", (f"held:{id}",)
            yield "remove", (f"held-mail:{id}",)
        elif (yield from _loading(id)) is not None:
            yield from self._changing(id, lambda one: replace(one, state=HeldState.RELEASED))

    def _forgetting(self, address: str) -> Steps[int]:
        wanted = mailbox_key(address)
        found = [
            one
            for one in (yield from _listing(every=True))
            if wanted in {mailbox_key(a) for a in (one.mail_from, one.sender, *one.recipients) if a}
        ]
        for one in found:
            yield from self._settling(one.id, sent=True)
        return len(found)

    def _changing(
        self,
        id: str,  # noqa: A002 -- its name
        change: Callable[[HeldMessage], HeldMessage],
    ) -> Steps[HeldMessage]:
        known = yield from _knowing(id)
        steps = (f"held:{id}", lambda old: old and _written(change(_read(old))), self._left(known))
        document = yield "update", steps
        if document is None:  # it expired, or somebody deleted it
            msg = f"there is no held message {id}"
            raise ConfigurationError(msg, field="id")
        return _read(document)

    def _left(self, one: HeldMessage) -> float:
        """Return the seconds until a message is deleted."""
        return max(1.0, one.expires.timestamp() - self._clock())


def _read_whole(raw: bytes) -> tuple[str, bytes]:
    """Return what takes time with a large message: its fingerprint, and its bytes as they are kept."""
    return fingerprint(raw), zlib.compress(raw)


def _naming(said: str, to: tuple[str, ...], mail_from: str) -> Steps[str]:
    """Return what names a message: a keyed hash of its content and its envelope."""
    envelope = "\n".join((mail_from.lower(), *sorted({one.lower() for one in to})))
    digest: str = yield "digest", (f"{said}\n{envelope}",)
    return digest[:12]


def _loading(id: str) -> Steps[HeldMessage | None]:  # noqa: A002 -- its name
    if not (id.isascii() and id.isalnum()):
        return None
    document = yield "load", (f"held:{id}",)
    return None if document is None else _read(document)


def _knowing(id: str) -> Steps[HeldMessage]:  # noqa: A002 -- its name
    found = yield from _loading(id)
    if found is None:
        msg = f"there is no held message {printable(id[:40])}"
        raise ConfigurationError(msg, field="id")
    return found


def _showing(id: str) -> Steps[bytes | None]:  # noqa: A002 -- its name
    yield from _knowing(id)
    document: bytes | None = yield "load", (f"held-mail:{id}",)
    return document


def _listing(*, every: bool) -> Steps[tuple[HeldMessage, ...]]:
    found = [_read(document) for _, document in (yield "collect", ())]
    shown = [one for one in found if every or one.state is HeldState.WAITING]
    return tuple(sorted(shown, key=lambda one: (one.held_at, one.id)))


def _taken(one: HeldMessage) -> HeldMessage:
    return replace(one, is_taken=True)


def _written(one: HeldMessage) -> bytes:
    row = one.to_dict() | {"held_at": one.held_at.timestamp(), "expires": one.expires.timestamp()}
    return json.dumps(row).encode()


def _read(document: bytes) -> HeldMessage:
    row = json.loads(document)
    row.pop("claimed", None)
    return HeldMessage(
        **row
        | {
            "flow": None if row["flow"] is None else Flow(row["flow"]),
            "recipients": tuple(row["recipients"]),
            "held_at": to_datetime(row["held_at"]),
            "expires": to_datetime(row["expires"]),
            "state": HeldState(row["state"]),
        }
    )


def fingerprint(raw: bytes) -> str:
    r"""Return a hash of what a message says: the same for each attempt, another for each other text.

    >>> first = b"Date: Mon, 1 Jun 2026 10:00:00 +0000\nSubject: x\n\nHello"
    >>> fingerprint(first) == fingerprint(b"Subject: x\r\n\r\nHello\r\n")
    True
    """
    found = _BLANK.search(raw)
    end = found.start() if found else len(raw)
    header = _FRESH.sub(b"", raw[:end].replace(b"\r", b"").strip(b"\n") + b"\n")
    boundaries = list(dict.fromkeys(_BOUNDARY.findall(header)))
    said = blake2b(digest_size=16)
    said.update(_without(header, boundaries))
    for chunk in _lines(raw, found.end() if found else end):
        if b"oundary" in chunk:  # a pattern looks 300 times as long
            boundaries += [new for new in _BOUNDARY.findall(chunk) if new not in boundaries]
        del boundaries[_MOST_BOUNDARIES:]
        said.update(_without(chunk, boundaries))
    return said.hexdigest()


def _lines(raw: bytes, start: int) -> Iterator[bytes]:
    """Yield whole lines, some at a time, without carriage returns and without line ends at the very end."""
    blank = b""
    while start < len(raw):
        end = raw.find(b"\n", start + _CHUNK) + 1 or len(raw)
        lines = blank + raw[start:end].replace(b"\r", b"")
        start = end
        chunk = lines.rstrip(b"\n")
        blank = lines[len(chunk) :]
        if chunk:
            yield chunk


def _without(lines: bytes, boundaries: list[bytes]) -> bytes:
    if not any(boundary in lines for boundary in boundaries):
        return lines
    return _PLACED.sub(lambda found: found[1] if found[2] in boundaries else found[0], lines)
