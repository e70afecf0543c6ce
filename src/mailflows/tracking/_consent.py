"""Consent as data: what each recipient agreed to, when, and the proof."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mailflows._clock import to_datetime
from mailflows._result import Result
from mailflows._stores import DocumentKeeper
from mailflows.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailflows._clock import Clock
    from mailflows._result import Table
    from mailflows._stores import Documents

__all__ = ["Consent", "ConsentRecord", "ConsentUse", "Consents"]

# bound: records of one recipient that are kept; the newest of each use always are
_MAX_RECORDS = 100
# bound: characters of a proof, such as a form's address with the version of its text
_MAX_PROOF = 1000


class ConsentUse(StrEnum):
    """The uses that a recipient can consent to separately."""

    MAIL = "mail"
    OPENS = "opens"
    CLICKS = "clicks"


@dataclass(frozen=True, slots=True)
class ConsentRecord(Result):
    """One decision of a recipient.

    Attributes:
        use: The use that it is about.
        is_given: Whether the recipient agreed; otherwise they refused or withdrew.
        time: When, in UTC.
        proof: The proof: the form and the version of its text, a reply, a call.
    """

    use: ConsentUse
    is_given: bool
    time: datetime
    proof: str

    def __str__(self) -> str:
        """Return one line."""
        word = "given" if self.is_given else "withdrawn"
        return f"{self.use}: {word} on {self.time:%Y-%m-%d at %H:%M} UTC ({self.proof or 'no proof'})"


@dataclass(frozen=True, slots=True)
class Consent(Result):
    """What a recipient has agreed to; anything not mentioned counts as refused.

    Attributes:
        mail: Whether the recipient agreed to the mail.
        opens: Whether the recipient agreed to open tracking.
        clicks: Whether the recipient agreed to click tracking.
        records: All decisions, oldest first.
        last_open: The last day on which the recipient opened a message, if only that is kept.
    """

    mail: bool = False
    opens: bool = False
    clicks: bool = False
    records: tuple[ConsentRecord, ...] = ()
    last_open: date | None = None

    def __str__(self) -> str:
        """Return one line."""
        given = [use.value for use in ConsentUse if self.allows(use)]
        return f"consent to {', '.join(given)}" if given else "no consent"

    def allows(self, use: ConsentUse | str) -> bool:
        """Return whether the recipient agreed to a use."""
        return bool(getattr(self, ConsentUse(use).value))

    def _table(self) -> Table:
        rows = [
            (r.use.value, "given" if r.is_given else "withdrawn", str(r.time), r.proof) for r in self.records
        ]
        return str(self), ["use", "decision", "time", "proof"], rows


@dataclass(slots=True)
class Consents:
    """Records what recipients agreed to, by their opaque ID.

    Args:
        store: Where the decisions are kept, such as ``SQLiteStore("consents.db")``. It must be persistent.
        clock: Returns the present moment in Unix seconds.

    Example:
        >>> from mailflows.limits import MemoryStore
        >>> consents = Consents(MemoryStore(), clock=lambda: 1_790_000_000)
        >>> print(consents.give("42", "mail", "opens", proof="sign-up form, text of 2026-07-01"))
        consent to mail, opens
        >>> print(consents.withdraw("42", "opens", proof="link in the mail of 2026-09-20"))
        consent to mail
        >>> print(consents.of("42").records[-1])
        opens: withdrawn on 2026-09-21 at 14:13 UTC (link in the mail of 2026-09-20)
    """

    store: Documents
    clock: Clock = field(default=time.time, kw_only=True)
    _keeper: DocumentKeeper = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._keeper = DocumentKeeper(self.store, kind="consent")

    def of(self, recipient: str) -> Consent:
        """Return what a recipient agreed to.

        Raises:
            StoreError: If the store could not answer.
        """
        return _read(self._keeper.load(self._keeper.key(recipient)))

    async def aof(self, recipient: str) -> Consent:
        """Do what `of` does without blocking the event loop."""
        return _read(await self._keeper.aload(await self._keeper.akey(recipient)))

    def give(self, recipient: str, *uses: ConsentUse | str, proof: str) -> Consent:
        """Record a consent, and return all that the recipient has agreed to.

        Args:
            recipient: Their opaque id.
            uses: What the recipient agrees to: ``mail``, ``opens``, ``clicks``.
            proof: The proof; consent without proof is worthless.

        Raises:
            ConfigurationError: If nothing is named, or there is no proof.
            StoreError: If the store could not keep it.
        """
        return self._update(recipient, self._decided(uses, proof, is_given=True))

    async def agive(self, recipient: str, *uses: ConsentUse | str, proof: str) -> Consent:
        """Do what `give` does without blocking the event loop."""
        return await self._aupdate(recipient, self._decided(uses, proof, is_given=True))

    def withdraw(self, recipient: str, *uses: ConsentUse | str, proof: str = "") -> Consent:
        """Record a withdrawal, which also applies to pixels and links in mail already sent.

        Args:
            recipient: Their opaque id.
            uses: What the recipient withdraws from; by default everything.
            proof: What shows it.

        Raises:
            StoreError: If the store could not keep it.
        """
        return self._update(recipient, self._decided(uses or tuple(ConsentUse), proof, is_given=False))

    async def awithdraw(self, recipient: str, *uses: ConsentUse | str, proof: str = "") -> Consent:
        """Do what `withdraw` does without blocking the event loop."""
        return await self._aupdate(recipient, self._decided(uses or tuple(ConsentUse), proof, is_given=False))

    def note_open(self, recipient: str) -> None:
        """Record only the day on which a recipient last opened a message: enough for list hygiene.

        Raises:
            StoreError: If the store could not keep it.
        """
        self._update(recipient, self._opened())

    async def anote_open(self, recipient: str) -> None:
        """Do what `note_open` does without blocking the event loop."""
        await self._aupdate(recipient, self._opened())

    def forget(self, recipient: str) -> None:
        """Remove all data about a recipient, proofs included.

        Raises:
            StoreError: If the store could not answer.
        """
        self._keeper.remove(self._keeper.key(recipient))

    async def aforget(self, recipient: str) -> None:
        """Do what `forget` does without blocking the event loop."""
        await self._keeper.aremove(await self._keeper.akey(recipient))

    def _update(self, recipient: str, change: Callable[[bytes | None], bytes]) -> Consent:
        return _read(self._keeper.update(self._keeper.key(recipient), change))

    async def _aupdate(self, recipient: str, change: Callable[[bytes | None], bytes]) -> Consent:
        return _read(await self._keeper.aupdate(await self._keeper.akey(recipient), change))

    def _decided(
        self, uses: tuple[ConsentUse | str, ...], proof: str, *, is_given: bool
    ) -> Callable[[bytes | None], bytes]:
        """Return the change of a document that a decision is."""
        named = [_use(use) for use in uses]
        if not named or (is_given and not proof.strip()):
            msg = "name what is agreed to (mail, opens, clicks), and a proof, such as the form and its text"
            raise ConfigurationError(msg, field="proof" if named else "uses")
        now = self.clock()
        rows = [[use.value, is_given, now, proof[:_MAX_PROOF]] for use in named]

        def change(old: bytes | None) -> bytes:
            document = _document(old)
            document["records"] = _bounded([*document["records"], *rows])
            return json.dumps(document).encode()

        return change

    def _opened(self) -> Callable[[bytes | None], bytes]:
        day = to_datetime(self.clock()).date().isoformat()

        def change(old: bytes | None) -> bytes:
            document = _document(old)
            document["last_open"] = max(day, document.get("last_open") or "")
            return json.dumps(document).encode()

        return change


def _use(name: ConsentUse | str) -> ConsentUse:
    try:
        return ConsentUse(name)
    except ValueError:
        msg = f"a recipient can agree to {', '.join(ConsentUse)}, not to {name!r}"
        raise ConfigurationError(msg, field="uses") from None


def _document(data: bytes | None) -> dict[str, Any]:
    """Return a stored document; one that cannot be read is an error, because a proof would be lost."""
    if data is None:
        return {"records": []}
    try:
        document: dict[str, Any] = json.loads(data)
        return document | {"records": list(document["records"])}
    except (ValueError, KeyError, TypeError) as problem:
        msg = "a consent in the store cannot be read"
        raise StoreError(msg, store="consents") from problem


def _bounded(rows: list[list[Any]]) -> list[list[Any]]:
    """Return the newest records, and always the last one of each use."""
    last = {row[0]: number for number, row in enumerate(rows)}
    start = len(rows) - _MAX_RECORDS
    return [row for number, row in enumerate(rows) if number >= start or number in last.values()]


def _read(data: bytes | None) -> Consent:
    document = _document(data)
    records = tuple(
        ConsentRecord(ConsentUse(use), bool(given), datetime.fromtimestamp(moment, UTC), proof)
        for use, given, moment, proof in document["records"]
    )
    now = {record.use.value: record.is_given for record in records}
    day = document.get("last_open")
    return Consent(**now, records=records, last_open=date.fromisoformat(day) if day else None)
