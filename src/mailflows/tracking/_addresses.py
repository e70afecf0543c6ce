"""The addresses that a tracker gives out, and what they say once they come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from mailflows._html.scan import attribute_value
from mailflows._mail.decoding import decoded
from mailflows._token import Purpose
from mailflows.errors import ConfigurationError, TokenError
from mailflows.tracking._links import with_parameters
from mailflows.tracking._token_search import tokens_in

if TYPE_CHECKING:
    from datetime import datetime

    from mailflows._token import Signer, Token

__all__ = ["HONEYPOT", "PRINTABLE", "Addresses", "Tracked"]

PATHS = {Purpose.OPEN: "o", Purpose.CLICK: "c", Purpose.UNSUBSCRIBE: "u"}
CLICK_FIELDS = 5  # choice: what a click says
"""Campaign, recipient, the link's source in the message, how that is coded, and parameters to add."""

ANYBODY = "-"
"""Stands for a recipient who is not named: the pixel of who did not agree to be seen."""

HONEYPOT = "h"
PRINTABLE = "q"
"""The source is quoted-printable as it stood in the message, with its soft line breaks."""

_MAX_ID = 100  # bound: ids stand in every link of a message


@dataclass(frozen=True, slots=True)
class Tracked:
    """The content of a token that has come back.

    Attributes:
        purpose: ``open``, ``click``, ``unsubscribe`` or ``bounce``.
        campaign: The mailing.
        recipient: The opaque ID that was passed to `Tracker.rewrite`; empty in the pixel for a recipient who
            did not agree to open tracking.
        url: For a click, where to redirect the reader: the target with its parameters, which is signed, too.
            `None` otherwise, and for a honeypot link, which no reader sees.
        is_honeypot: Whether it is the honeypot link, which only programs follow.
        issued: When the token was issued, in UTC.
        expires: When the token expires, in UTC; `None` for never.
        key_id: Which key signed it: once an old key's ID no longer comes back, you can remove it.

    Example:
        >>> from mailflows.tracking import Tracker
        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> url = tracker.unsubscribe_url(campaign="spring", recipient="42")
        >>> tracked = tracker.decode(url, "unsubscribe")
        >>> tracked.campaign, tracked.recipient, tracked.expires
        ('spring', '42', None)
    """

    purpose: Purpose
    campaign: str
    recipient: str
    url: str | None
    is_honeypot: bool
    issued: datetime
    expires: datetime | None
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes addresses below one base, and reads them.

    Attributes:
        signer: Signs their tokens.
        base_url: What they begin with; ends with "/".
        lifetime: Seconds for which links and pixels are valid. Unsubscribing always works.
    """

    signer: Signer
    base_url: str
    lifetime: float

    def make(self, purpose: Purpose, campaign: str, recipient: str, *contents: str) -> str:
        """Return an address for a purpose."""
        check_ids(campaign, recipient or ANYBODY)
        lifetime = None if purpose is Purpose.UNSUBSCRIBE else self.lifetime
        token = self.signer.to_url(purpose, campaign, recipient, *contents, lifetime=lifetime)
        return self.prefix(purpose) + token

    def prefix(self, purpose: Purpose) -> str:
        """Return what all addresses for a purpose begin with."""
        return f"{self.base_url}{PATHS[purpose]}/"

    def token_in(self, url: str, purpose: Purpose) -> Token | None:
        """Return the token of an address of ours, also an expired one, or `None`."""
        prefix = self.prefix(purpose)
        if not url.startswith(prefix):
            return None
        try:
            return self.signer.from_url(url.removeprefix(prefix), purpose, late=True)
        except TokenError:
            return None

    def original(self, url: str) -> str:
        """Return where a tracked link leads, also an expired one, or the address itself."""
        token = self.token_in(url, Purpose.CLICK)
        if token is None or len(token.fields) != CLICK_FIELDS or token.fields[3] == HONEYPOT:
            return url
        return _target(token.fields[2], token.fields[3], "")

    def is_foreign(self, url: str) -> bool:
        """Return whether a URL has the form of ours, but was signed with a key that we do not have."""
        for purpose in (Purpose.OPEN, Purpose.CLICK, Purpose.UNSUBSCRIBE):
            if url.startswith(prefix := self.prefix(purpose)):
                try:
                    self.signer.from_url(url.removeprefix(prefix), purpose, late=True)
                except TokenError as problem:
                    return problem.reason in {"signature", "version"}
        return False

    def read(self, text: object, purpose: Purpose) -> Tracked:
        """Return what an address, or the token in it, says, however it came back."""
        read = self.signer.from_local if purpose is Purpose.BOUNCE else self.signer.from_url
        problem: TokenError | None = None
        for token in tokens_in(text, purpose, PATHS.get(purpose, "")):
            try:
                return _tracked(read(token, purpose))
            except TokenError as found:
                problem = found if problem is None or problem.reason == "malformed" else problem
        if problem is None:
            msg = "this is not a token: the text is empty"
            problem = TokenError(msg, reason="malformed")
        raise problem


def _tracked(token: Token) -> Tracked:
    """Return what a token of any purpose says."""
    contents = token.fields
    is_click = token.purpose is Purpose.CLICK
    if len(contents) != (CLICK_FIELDS if is_click else 2):
        msg = "this token does not have the fields that a tracker writes"
        raise TokenError(msg, reason="malformed")
    is_honeypot = is_click and contents[3] == HONEYPOT
    url = _target(*contents[2:]) if is_click and not is_honeypot else None
    return Tracked(
        token.purpose, contents[0], contents[1], url, is_honeypot, token.issued, token.expires, token.key_id
    )


def _target(source: str, coding: str, added: str) -> str:
    """Return where a tracked link leads, from its source in the message and the added parameters."""
    if coding == PRINTABLE:
        source = decoded(source.encode("ascii"), "quoted-printable").decode()
    url = attribute_value(source)
    return with_parameters(url, dict(parse_qsl(added))) if added else url


def check_ids(campaign: object, recipient: object) -> None:
    """Refuse ids that are none, or that name a person to everybody who sees a link."""
    for field, text in (("campaign", campaign), ("recipient", recipient)):
        if isinstance(text, str) and 0 < len(text) <= _MAX_ID and "@" not in text and text.isprintable():
            continue
        msg = (
            f"{field} must be text of 1 to {_MAX_ID} printable characters, for all to read; got "
            f"{_found(text)}"
        )
        raise ConfigurationError(msg, field=field)


def _found(text: object) -> str:
    """Return what came instead of an id, and not the thing itself."""
    if not isinstance(text, str):
        return f"{type(text).__name__}: write it as text" if isinstance(text, int) else type(text).__name__
    if "@" in text:
        return "an address: use an ID of your own instead"
    return f"{len(text)} characters" if text.isprintable() else "text with control characters"
