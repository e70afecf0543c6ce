"""What waits for manual review, in the gate's store."""

from __future__ import annotations

import asyncio
import json
import re
import time
import zlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mailflows._clock import seconds_in, to_datetime
from mailflows._mailbox import mailbox_key
from mailflows._result import Result, printable
from mailflows._stores import DocumentKeeper, MemoryStore
from mailflows.errors import ConfigurationError, StoreError
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from mailflows._clock import Clock
    from mailflows._stores import Documents

__all__ = ["HeldMail", "HeldMessage", "HeldState", "fingerprint"]

KEEP = 14 * 86_400.0
"""Seconds that a message waits. choice: two weeks, so that a holiday is no loss."""

CLAIM = 900.0
"""Seconds for which a released message that is being sent is not sent again: longer than the ten minutes that
a relay may take for its answer (RFC 5321 section 4.5.3.2.6)."""

ROOM = 256 * 1024 * 1024
"""Bytes of all messages together. bound: what a server has to spare for bad mail, in memory, too."""

MOST = 10_000
"""Messages. bound: a flood of bad ones fills no disk; whoever sends more is told to wait."""

_FRESH = re.compile(
    rb"^(?:date|message-id|received|return-path|dkim-signature|x-mailflows-flow):"
    rb"[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
"""Header fields that a program may write anew for each attempt, as `EmailMessage` of Django does."""

_BOUNDARY = re.compile(rb"[Bb]oundary\s*=\s*\"?([\w=.]{10,70})(?=[\"\s;]|\Z)")
"""A boundary as programs make them, anew each time; what could be read as a link is content."""

_BEFORE, _AFTER = rb"(^--|[Bb]oundary\s*=\s*\"?)", rb"(?=(?:--)?(?:\n|\Z)|[\"\s;])"

_MOST_BOUNDARIES = 50
"""Boundaries that are looked for. bound: a hostile message costs no more than fifty looks."""

_CHUNK = 64 * 1024
"""Bytes that are looked at in one step. bound: other threads, and an event loop, go on in between."""

_BLANK = re.compile(rb"\r?\n\r?\n")


class HeldState(StrEnum):
    """What becomes of a held message."""

    WAITING = "waiting"
    RELEASED = "released"
    """It leaves with the next attempt of whoever sends it."""

    SENDING = "sending"
    DROPPED = "dropped"
    """The next attempt is refused."""


@dataclass(frozen=True, slots=True)
class HeldMessage(Result):
    """A message that waits for manual review.

    Attributes:
        id: What names it: the same for each attempt to send the same message.
        flow: The flow that it is of, or shall leave by; `None` where that could not be told.
        mail_from: Its envelope sender; empty for the null sender, or where there is no envelope.
        sender: The address of its From.
        recipients: Its recipients.
        subject: Its subject.
        why: Why it is held, in one line.
        held_at: When it was held first.
        expires: When it is deleted, whether somebody looked or not.
        size: Its bytes; 0 where they were not kept.
        state: What becomes of it.
        is_taken: Whether its sender was told that it was taken, so that nobody tries again.
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
        to, who = len(self.recipients), self.mail_from or self.sender or "<>"
        said = (
            f"{self.id} {self.flow or '-'} {who} to {to} recipient{'s' * (to != 1)} "
            f"{self.subject!r}: {self.why}"
        )
        return printable(said if self.state is HeldState.WAITING else f"{said} ({self.state})")


class HeldMail:
    r"""Keeps messages until a person has looked at them; see `mailflows.gate.Gate`.

    A message that was answered with 451 stays in the queue of whoever sent it, and leaves with the next
    attempt after `release`; one that was taken is sent by whoever releases it. Files and documents hold the
    message as it is: let nobody else read the store.

    Args:
        store: Where it is kept: a store of `mailflows.limits`. In memory, it ends with the process.
        keep: Seconds after which a message is deleted.
        room: Bytes of all messages together; what does not fit stays with its sender.
        clock: Returns seconds of Unix time.

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
        self._mail = DocumentKeeper(kept, kind="held-mail")
        self._keep = seconds_in(keep, name="keep")
        self._room = room
        self._clock = clock

    @property
    def is_lasting(self) -> bool:
        """Whether what is held outlives this process."""
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
        """Keep a message; one that is held already stays as it is.

        Raises:
            StoreError: If the store could not answer, or holds all that it may.
        """
        to = tuple(recipients)
        now = self._clock()
        new = HeldMessage(
            id=self._id(raw, mail_from, to),
            flow=None if flow is None else Flow(flow),
            mail_from=mail_from,
            sender=sender,
            recipients=to,
            subject=subject[:200],
            why=why,
            held_at=to_datetime(now),
            expires=to_datetime(now + self._keep),
            size=len(raw),
        )
        known = self._load(new.id)
        if known is not None:
            return known
        sizes = [one.size for one in self.list(every=True)]
        if len(sizes) >= MOST or sum(sizes) + new.size > self._room:
            msg = f"{len(sizes)} messages are held already, and there is no more room: release or drop some"
            raise StoreError(msg, store=getattr(self._index.store, "name", "memory"))
        content, written = zlib.compress(raw), _written(new)
        self._mail.update(f"held-mail:{new.id}", lambda old: old or content, ttl=self._keep)
        document = self._index.update(f"held:{new.id}", lambda old: old or written, ttl=self._keep)
        return new if document is None else _read(document)

    def find(self, raw: bytes, *, recipients: Iterable[str], mail_from: str = "") -> HeldMessage | None:
        """Return what is known of a message that is tried again, or `None`.

        Raises:
            StoreError: If the store could not answer.
        """
        return self._load(self._id(raw, mail_from, tuple(recipients)))

    def list(self, *, every: bool = False) -> tuple[HeldMessage, ...]:
        """Return what waits, the oldest first; with *every*, what was released or dropped, too.

        Raises:
            StoreError: If the store could not answer.
        """
        found = [_read(document) for _, document in self._index.scan()]
        shown = [one for one in found if every or one.state is HeldState.WAITING]
        return tuple(sorted(shown, key=lambda one: (one.held_at, one.id)))

    def show(self, id: str) -> bytes:  # noqa: A002 -- its name
        """Return the bytes of a held message.

        Raises:
            ConfigurationError: If no held message has this id.
            StoreError: If the store could not answer.
        """
        self._known(id)
        document = self._mail.load(f"held-mail:{id}")
        return b"" if document is None else zlib.decompress(document)

    def release(self, id: str, *, flow: Flow | str | None = None) -> HeldMessage:  # noqa: A002 -- its name
        """Let a message leave, once.

        Args:
            id: Which.
            flow: By which flow, for one that belongs to none, or shall leave by another.

        Raises:
            ConfigurationError: If no held message has this id, or it has no flow and none is given.
            StoreError: If the store could not answer.
        """
        known = self._known(id)
        chosen = known.flow if flow is None else Flow(flow)
        if chosen is None:
            msg = f"held message {id} belongs to no flow: say by which, such as --flow professional"
            raise ConfigurationError(msg, field="flow")
        return self._change(id, lambda one: replace(one, state=HeldState.RELEASED, flow=chosen))

    def drop(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Never let a message leave: the next attempt is refused, and its bytes are deleted.

        Raises:
            ConfigurationError: If no held message has this id.
            StoreError: If the store could not answer.
        """
        self._known(id)
        dropped = self._change(id, lambda one: replace(one, state=HeldState.DROPPED))
        self._mail.remove(f"held-mail:{id}")
        return dropped

    def take(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Note that the sender was told that the message was taken: nobody tries again.

        Raises:
            ConfigurationError: If no held message has this id.
            StoreError: If the store could not answer.
        """
        return self._change(id, lambda one: replace(one, is_taken=True))

    def claim(self, id: str) -> bool:  # noqa: A002 -- its name
        """Take a released message for sending, and say whether nobody else has.

        Raises:
            StoreError: If the store could not answer.
        """
        now = self._clock()
        known = self._load(id)
        if known is None:
            return False
        is_ours = False

        def claimed(document: bytes | None) -> bytes | None:
            nonlocal is_ours
            row: dict[str, Any] = json.loads(document) if document else {"state": None}
            is_expired = row["state"] == HeldState.SENDING and row["claimed"] + CLAIM <= now
            is_ours = row["state"] == HeldState.RELEASED or is_expired
            return (
                json.dumps(row | {"state": HeldState.SENDING, "claimed": now}).encode()
                if is_ours
                else document
            )

        self._index.update(f"held:{id}", claimed, ttl=self._left(known))
        return is_ours

    def settle(self, id: str, *, sent: bool) -> None:  # noqa: A002 -- its name
        """Forget a claimed message that was sent, or let it be tried again.

        Raises:
            StoreError: If the store could not answer.
        """
        if sent:
            self._index.remove(f"held:{id}")
            self._mail.remove(f"held-mail:{id}")
        elif self._load(id) is not None:
            self._change(id, lambda one: replace(one, state=HeldState.RELEASED))

    def forget(self, address: str) -> int:
        """Delete every message from or to an address, and return how many there were.

        Raises:
            StoreError: If the store could not answer.
        """
        wanted = mailbox_key(address)
        found = [
            one
            for one in self.list(every=True)
            if wanted in {mailbox_key(a) for a in (one.mail_from, one.sender, *one.recipients) if a}
        ]
        for one in found:
            self.settle(one.id, sent=True)
        return len(found)

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
        known = {"recipients": recipients, "mail_from": mail_from, "sender": sender, "subject": subject}
        return await asyncio.to_thread(self.hold, raw, flow=flow, why=why, **known)  # type: ignore[arg-type]

    async def afind(
        self, raw: bytes, *, recipients: Iterable[str], mail_from: str = ""
    ) -> HeldMessage | None:
        """Do what `find` does without blocking the event loop."""
        return await asyncio.to_thread(self.find, raw, recipients=recipients, mail_from=mail_from)

    async def alist(self, *, every: bool = False) -> tuple[HeldMessage, ...]:
        """Do what `list` does without blocking the event loop."""
        return await asyncio.to_thread(self.list, every=every)

    async def ashow(self, id: str) -> bytes:  # noqa: A002 -- its name
        """Do what `show` does without blocking the event loop."""
        return await asyncio.to_thread(self.show, id)

    async def arelease(self, id: str, *, flow: Flow | str | None = None) -> HeldMessage:  # noqa: A002 -- its name
        """Do what `release` does without blocking the event loop."""
        return await asyncio.to_thread(self.release, id, flow=flow)

    async def adrop(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Do what `drop` does without blocking the event loop."""
        return await asyncio.to_thread(self.drop, id)

    async def atake(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        """Do what `take` does without blocking the event loop."""
        return await asyncio.to_thread(self.take, id)

    async def aclaim(self, id: str) -> bool:  # noqa: A002 -- its name
        """Do what `claim` does without blocking the event loop."""
        return await asyncio.to_thread(self.claim, id)

    async def asettle(self, id: str, *, sent: bool) -> None:  # noqa: A002 -- its name
        """Do what `settle` does without blocking the event loop."""
        await asyncio.to_thread(self.settle, id, sent=sent)

    async def aforget(self, address: str) -> int:
        """Do what `forget` does without blocking the event loop."""
        return await asyncio.to_thread(self.forget, address)

    def _id(self, raw: bytes, mail_from: str, to: tuple[str, ...]) -> str:
        """Return what names a message: a keyed hash of its content and its envelope."""
        envelope = "\n".join((mail_from.lower(), *sorted({one.lower() for one in to})))
        return self._index.store.digest(f"{fingerprint(raw)}\n{envelope}")[:12]

    def _known(self, id: str) -> HeldMessage:  # noqa: A002 -- its name
        found = self._load(id)
        if found is None:
            msg = f"there is no held message {printable(id[:40])}"
            raise ConfigurationError(msg, field="id")
        return found

    def _load(self, id: str) -> HeldMessage | None:  # noqa: A002 -- its name
        if not (id.isascii() and id.isalnum()):
            return None
        document = self._index.load(f"held:{id}")
        return None if document is None else _read(document)

    def _change(self, id: str, change: Callable[[HeldMessage], HeldMessage]) -> HeldMessage:  # noqa: A002 -- its name
        known = self._known(id)
        document = self._index.update(
            f"held:{id}", lambda old: old and _written(change(_read(old))), ttl=self._left(known)
        )
        if document is None:  # it expired, or somebody deleted it
            msg = f"there is no held message {id}"
            raise ConfigurationError(msg, field="id")
        return _read(document)

    def _left(self, one: HeldMessage) -> float:
        """Return the seconds until a message is deleted."""
        return max(1.0, one.expires.timestamp() - self._clock())


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
    for boundary in boundaries:
        if boundary in lines:
            pattern = _BEFORE + re.escape(boundary) + _AFTER
            lines = re.sub(pattern, rb"\1", lines, flags=re.MULTILINE)
    return lines
