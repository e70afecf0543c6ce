"""One entry of a suppression list, and its document in a store."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from mailflows._result import Result
from mailflows.feedback._event import BounceReason
from mailflows.feedback._export_table import meaning
from mailflows.flow import Flow

__all__ = ["DAMAGED", "OPTED_OUT", "Suppression", "is_of_mailbox", "read_entry", "written"]

DAMAGED = "damaged"
"""The reason of an entry that cannot be read; what is known is that the address is not to be written to."""

OPTED_OUT = "opted-out"
"""The reason where a provider did not send because the recipient had unsubscribed or complained."""

_BOUNCES = frozenset(map(str, BounceReason))

_MOMENTS = ("time", "expires", "event_time")


@dataclass(frozen=True, slots=True)
class Suppression(Result):
    """One suppressed address.

    Attributes:
        key: Keyed hash of the address; the same for every spelling of one mailbox.
        reason: Why: a `BounceReason`, ``complained``, ``unsubscribed``, ``opted-out``, ``manual`` or your
            own word.
        time: Since when, in UTC.
        expires: When it expires, in UTC; `None` for never.
        flow: The flow that it applies to, or `None` for all.
        list: The mailing list that it applies to, or `None` for all.
        address: The address, if the list keeps addresses in plain text; else `None`.
        domain: The domain of the address, in lower case, or `None` where it is not known.
        provider: Where it came from: ``sendgrid``, ``dsn``, ``smtp``, …; empty for what was added by hand.
        status: Enhanced status code of the reply, or `None`.
        smtp_code: Reply code, or `None`.
        event_id: The ID of the event, or `None`.
        event_time: When the event happened, in UTC, or `None`.
        about: The list or group that the event named, or `None`.
        held: Whether it waits for a decision; no mail is sent meanwhile. See `SuppressionList.confirm`.
    """

    key: str
    reason: str
    time: datetime
    expires: datetime | None = None
    flow: Flow | None = None
    list: str | None = None
    address: str | None = None
    domain: str | None = None
    provider: str = ""
    status: str | None = None
    smtp_code: int | None = None
    event_id: str | None = None
    event_time: datetime | None = None
    about: str | None = None
    held: bool = False

    @property
    def is_bounce(self) -> bool:
        """Whether it comes from a bounce that counts: not from a person's request, and not held."""
        return is_of_mailbox(self.reason) and not self.held

    @property
    def scope(self) -> str:
        """Where it applies: ``global``, ``flow:marketing``, ``list:news``."""
        if self.list is not None:
            return f"list:{self.list}"
        return "global" if self.flow is None else f"flow:{self.flow}"

    @property
    def purpose(self) -> str:
        """Which mail it stops, in words."""
        if self.list is not None:
            return "mail of one list"
        return "all mail" if self.flow is None else f"{self.flow} mail"

    @property
    def reply_status(self) -> str:
        """The status code to refuse the recipient with (RFC 3463): 5.1.1 for a dead mailbox, else 5.7.1.

        Senders take the mailbox of a 5.1.1 for dead, for all mail; who complained has one.
        """
        return "5.1.1" if is_of_mailbox(self.reason) else "5.7.1"

    def __str__(self) -> str:
        """Return one line, without the address."""
        until = f" until {self.expires:%Y-%m-%d}" if self.expires else ""
        held = ", held" if self.held else ""
        return f"{self.key[:8]}…: {self.reason}, {self.scope}, since {self.time:%Y-%m-%d}{until}{held}"


def is_of_mailbox(reason: str) -> bool:
    """Return whether a reason is about the mailbox, which is as dead for one flow as for another."""
    return reason in _BOUNCES or meaning(reason) == "bounced"


def written(entry: Suppression) -> bytes:
    """Return an entry as a document; what is empty is left out."""
    return json.dumps({k: v for k, v in entry.to_dict().items() if v not in {None, "", False}}).encode()


def read_entry(document: bytes) -> Suppression | None:
    """Return the entry of a document, or `None` where it is damaged."""
    try:
        found: dict[str, Any] = json.loads(document)
        known = {one.name: found[one.name] for one in fields(Suppression) if one.name in found}
        known |= {name: datetime.fromisoformat(known[name]) for name in _MOMENTS if known.get(name)}
        return Suppression(**known | {"flow": Flow(known["flow"]) if known.get("flow") else None})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
