"""The tracker: puts signed links and a pixel into a message by splicing, and reads them back."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, TypeAlias
from urllib.parse import urlencode, urlsplit

from mailflows._html.tree import parse
from mailflows._mail import structure
from mailflows._mail.edit import spliced
from mailflows._mail.reader import Reader, read_raw
from mailflows._token import Purpose, Signer
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.tracking._addresses import HONEYPOT, Addresses, Tracked, check_ids
from mailflows.tracking._links import Link, Rules
from mailflows.tracking._rewriting import (
    Rewriting,
    as_printable,
    has_pixel,
    is_sealed,
    pages,
    signed_for,
    undone,
    unread,
    unsubscribe_urls,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from email.message import Message as StdlibMessage

    from mailflows._clock import Clock
    from mailflows._mail.edit import Edit
    from mailflows.tracking._consent import Consent
    from mailflows.tracking._rewriting import Page

__all__ = ["Tracker"]

Source: TypeAlias = "bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | StdlibMessage"

YEAR = 365 * 86400.0
_PREVIEW = "0" * 16
"""Stands for ids whose length is not known yet."""


class Tracker:
    r"""Rewrites messages to track opens and clicks, and decodes the tokens that come back.

    Args:
        keys: Secrets of at least 16 bytes, newest first; older ones are accepted as long as they are listed.
        base_url: The base URL of your own tracking server, such as ``https://t.shop.example/``.
        flow: The flow of the messages. Only marketing is tracked unless *any_flow* says so.
        any_flow: Whether to track professional or transactional mail, too: in many countries
            that needs the reader's consent, and it harms deliverability.
        opens: Whether to add a pixel.
        clicks: Whether to rewrite links.
        utm: Parameters to add to the targets, such as ``{"utm_source": "newsletter"}``; ``utm_campaign``
            defaults to the campaign. By default none are added.
        hosts: Hosts whose links are tracked, including their subdomains; by default all.
        skip_hosts: Hosts whose links are not tracked, including their subdomains.
        reencode: Whether to re-encode a part as quoted-printable if its lines would grow beyond 998 octets;
            otherwise its links are left alone. `undo` keeps the new encoding.
        lifetime: Seconds for which links and pixels are valid; two years by default. Unsubscribing always
            works.
        clock: Returns the present moment in Unix seconds.

    Raises:
        ConfigurationError: If a key is too short, the base URL is not valid, or the flow must not be tracked.

    Example:
        >>> tracker = Tracker([b"thirty-two bytes of a secret ...."], "https://t.shop.example/")
        >>> raw = b'Content-Type: text/html\n\n<a href="https://shop.example/?a=1">Offer</a>'
        >>> sent = tracker.rewrite(raw, campaign="spring", recipient="42")
        >>> url = sent.partition(b'href="')[2].partition(b'"')[0].decode()
        >>> tracker.decode(url, "click").url
        'https://shop.example/?a=1'
        >>> tracker.undo(sent) == raw
        True
    """

    def __init__(  # noqa: PLR0913 -- every one of them is a setting with a good default
        self,
        keys: Iterable[bytes],
        base_url: str,
        flow: Flow | str = Flow.MARKETING,
        *,
        any_flow: bool = False,
        opens: bool = True,
        clicks: bool = True,
        utm: Mapping[str, str] | None = None,
        hosts: Iterable[str] = (),
        skip_hosts: Iterable[str] = (),
        reencode: bool = False,
        lifetime: float = 2 * YEAR,
        clock: Clock = time.time,
    ) -> None:
        base_url = _checked_base(base_url)
        self.flow = _checked_flow(flow, any_flow=any_flow)
        self._addresses = Addresses(Signer(keys, clock=clock), base_url, lifetime)
        self._opens, self._clicks = opens, clicks
        self._reencode = reencode
        self._utm = None if utm is None else dict(utm)
        self._rules = Rules(
            base_url, frozenset(hosts), frozenset(skip_hosts), wants_leaving=self.flow is Flow.MARKETING
        )

    def __repr__(self) -> str:
        return f"<Tracker for {self.flow} mail at {self._addresses.base_url}>"

    def rewrite(
        self,
        message: Source,
        *,
        campaign: str,
        recipient: str,
        do_not_track: bool = False,
        consent: Consent | None = None,
    ) -> bytes:
        """Return a message with tracked links and a pixel for this recipient.

        Only the values of ``href`` in ``a`` and ``area`` change, and a pixel is added; all other bytes stay
        the same, except line endings that no SMTP server accepts, NUL, and a byte order mark. Links already
        rewritten for this recipient are left alone; links signed for another recipient are signed again. Call
        it before DKIM signing: afterwards it would break the signature. `links` lists the links that are left
        alone.

        Args:
            message: The message, ready to be sent.
            campaign: A short name for the mailing, at most a hundred characters; readable in the links.
            recipient: An opaque ID of the recipient, such as a row number; never an address.
            do_not_track: Whether this recipient has opted out of tracking; the message is then left
                unchanged.
            consent: What this recipient agreed to, from `Consents.of`. Without consent to clicks, links are
                not rewritten; without consent to opens, the pixel is anonymous, for overall rates. By default
                consent is not checked, and is your responsibility.

        Raises:
            ConfigurationError: If the IDs are empty, too long, or contain an address; or if the message has
                links for another recipient that cannot be undone, such as those signed with another key.
            MessageError: If it is not a message.
        """
        check_ids(campaign, recipient)
        raw = _bytes_of(message)
        if do_not_track or is_sealed(raw):
            return raw
        seen = recipient if consent is None or consent.opens else ""
        raw, found = self._freed(raw, (campaign, recipient), (campaign, seen))
        work = self._rewriting(raw, campaign, recipient)
        clicks = self._clicks and (consent is None or consent.clicks)
        raw, found = self._with_room(raw, found, work) if clicks else (raw, found)
        found = [page for page in found if page.part.is_regular and page.part.text.strip()]
        changes = [(page.part, _link_edits(raw, page, work) if clicks else []) for page in found]
        if self._opens and found and not any(has_pixel(page, self._addresses) for page in found):
            pixel = work.pixel(found[0], seen)
            part, edits = changes[0]
            changes[0] = (part, sorted([*edits, *([pixel] if pixel else [])], key=_place))
        return spliced(raw, changes)

    def links(self, message: Source) -> tuple[Link, ...]:
        r"""Return every link of a message's HTML, in order, with the reason if it is left alone.

        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> raw = b'Content-Type: text/html\n\n<a href="mailto:ada@lovelace.example">Ada</a>'
        >>> print(tracker.links(raw)[0].skipped)
        not-web

        Raises:
            MessageError: If it is not a message.
        """
        raw = _bytes_of(message)
        work = self._rewriting(raw, _PREVIEW, _PREVIEW)
        is_whole, parts = is_sealed(raw), pages(raw)
        raw, parts = (raw, parts) if is_whole else self._with_room(raw, parts, work)
        found: list[Link] = []
        for page in parts:
            whole = "signed" if is_whole else "" if page.part.is_regular else "encoding"
            found += [replace(link, skipped=link.skipped or whole) for link, _ in work.links(raw, page)]
        for source, code in unread(raw):
            found += [Link(link.url, code) for _, link in work.rules.judge(parse(source))]
        return tuple(found)

    def undo(self, message: Source) -> bytes:
        """Return a message as it was before `rewrite`, byte for byte, also after the links have expired.

        Line endings that `rewrite` repaired stay repaired. Links and pixels signed with other keys are left
        alone.

        Raises:
            MessageError: If it is not a message.
        """
        raw = _bytes_of(message)
        if is_sealed(raw):
            return raw
        return self._undone(raw, pages(raw))

    def decode(self, text: object, purpose: Purpose | str) -> Tracked:
        """Decode a token, or a URL or address that contains one.

        Args:
            text: The token, or the URL or path of the request, whose last segment is the token. For a bounce,
                the address that it was sent to.
            purpose: The purpose that it must have: ``open``, ``click``, ``unsubscribe`` or ``bounce``.

        Raises:
            TokenError: If it is not valid, is for another purpose, or has expired.
        """
        return self._addresses.read(text, Purpose(purpose))

    def unsubscribe_url(self, *, campaign: str, recipient: str) -> str:
        """Return the URL that unsubscribes by POST, never by GET, because scanners fetch every link.

        Raises:
            ConfigurationError: If the ids are empty, long, or hold an address.
        """
        return self._addresses.make(Purpose.UNSUBSCRIBE, campaign, recipient)

    def unsubscribe_headers(self, *, campaign: str, recipient: str) -> dict[str, str]:
        """Return the two header fields of one-click unsubscribe (RFC 8058).

        Both must be covered by the DKIM signature (RFC 8058 section 4).

        >>> headers = Tracker([bytes(32)], "https://t.shop.example/").unsubscribe_headers(
        ...     campaign="spring", recipient="42"
        ... )
        >>> headers["List-Unsubscribe-Post"]
        'List-Unsubscribe=One-Click'

        Raises:
            ConfigurationError: If the ids are empty, long, or hold an address.
        """
        url = self.unsubscribe_url(campaign=campaign, recipient=recipient)
        return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}

    def bounce_address(self, domain: str, *, campaign: str, recipient: str) -> str:
        """Return an envelope sender (VERP) that identifies the recipient, even if the bounce does not.

        It needs a domain for which you receive mail to any local part.

        >>> tracker = Tracker([bytes(32)], "https://t.shop.example/")
        >>> address = tracker.bounce_address("bounces.shop.example", campaign="7", recipient="42")
        >>> tracker.decode(address.upper(), "bounce").recipient
        '42'

        Raises:
            ConfigurationError: If the IDs do not fit into 64 octets, are empty, or contain an address.
        """
        check_ids(campaign, recipient)
        return f"{self._addresses.signer.to_local(Purpose.BOUNCE, campaign, recipient)}@{domain}"

    def honeypot_url(self, *, campaign: str, recipient: str) -> str:
        """Return a honeypot URL: put in a link that readers cannot see, it exposes scanners.

        Put it where nothing is displayed, such as in a link without text. `rewrite` never adds one
        automatically.

        Raises:
            ConfigurationError: If the ids are empty, long, or hold an address.
        """
        return self._addresses.make(Purpose.CLICK, campaign, recipient, "", HONEYPOT, "")

    def _undone(self, raw: bytes, found: list[Page]) -> bytes:
        """Return a message whose pages are as they were."""
        return spliced(raw, [(page.part, undone(page, self._addresses)) for page in found])

    def _freed(self, raw: bytes, link: tuple[str, str], pixel: tuple[str, str]) -> tuple[bytes, list[Page]]:
        """Return a message, and its pages, without what was signed for another recipient or campaign."""
        found = pages(raw)
        if self._is_signed_for(found, link, pixel):
            return raw, found
        raw = self._undone(raw, found)
        found = pages(raw)
        if self._is_signed_for(found, link, pixel):
            return raw, found
        msg = (
            "the message has links that were signed for another recipient or campaign, or with another key, "
            "and that undo() cannot take back; start from the message as it was before it was tracked"
        )
        raise ConfigurationError(msg, field="message")

    def _with_room(self, raw: bytes, found: list[Page], work: Rewriting) -> tuple[bytes, list[Page]]:
        """Return a message, and its pages, whose lines may grow, where that is asked for and needed."""
        tight = [page.part for page in found if self._reencode and _is_tight(raw, page, work)]
        for part in reversed(tight):
            raw = as_printable(raw, part)
        return raw, pages(raw) if tight else found

    def _is_signed_for(self, found: list[Page], link: tuple[str, str], pixel: tuple[str, str]) -> bool:
        """Return whether all that is signed in the pages of a message is signed so."""
        signed = [one for page in found for one in signed_for(page, self._addresses)]
        return all(who == (pixel if is_pixel else link) for who, is_pixel in signed)

    def _rewriting(self, raw: bytes, campaign: str, recipient: str) -> Rewriting:
        rules = replace(self._rules, listed=unsubscribe_urls(raw))
        added = "" if self._utm is None else urlencode({"utm_campaign": campaign} | self._utm)
        return Rewriting(self._addresses, rules, campaign, recipient, added)


def _bytes_of(message: Source) -> bytes:
    """Return the bytes of a message, or refuse anything else, such as a page."""
    found = read_raw(message)
    reader = Reader(replace(found, data=found.data[: structure.HEADER_LIMIT]))
    reader.require_header()
    return structure.normal(found.data)[0]


def _link_edits(raw: bytes, page: Page, work: Rewriting) -> list[Edit]:
    return [edit for _, edit in work.links(raw, page) if edit]


def _is_tight(raw: bytes, page: Page, work: Rewriting) -> bool:
    """Return whether a page has links that its lines have no room for; a signed one stays as it is."""
    return not page.part.is_signed and any(link.skipped == "line" for link, _ in work.links(raw, page))


def _place(edit: Edit) -> int:
    return edit.start


def _checked_flow(flow: Flow | str, *, any_flow: bool) -> Flow:
    """Return a flow that may be tracked."""
    flow = Flow(flow)
    if flow is not Flow.MARKETING and not any_flow:
        msg = (
            f"{flow} mail is not tracked: it needs the reader's consent in many countries and harms "
            "deliverability; pass any_flow=True if you have it"
        )
        raise ConfigurationError(msg, field="flow")
    return flow


def _checked_base(base_url: str) -> str:
    """Return an address that a path can be put behind."""
    parts = urlsplit(base_url)
    is_plain = base_url.isascii() and base_url.isprintable() and not set(base_url) & set("\"'<>&\\ ")
    if parts.scheme not in {"http", "https"} or not parts.hostname or "?" in base_url or "#" in base_url:
        is_plain = False
    if not is_plain:
        msg = f"base_url must be like https://t.example.org/, without a query; not {base_url[:80]!r}"
        raise ConfigurationError(msg, field="base_url")
    return base_url.rstrip("/") + "/"
