"""Whether a message is who it says: what the flow declares against envelope, fields and signatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailflows._domain import host_of, registrable_domain
from mailflows._mail.address import mailbox
from mailflows._mail.structure import ONCE
from mailflows._mailbox import mailbox_key
from mailflows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._context import Context
    from mailflows.flows import FlowRoute, FlowSet
    from mailflows.message import Message

__all__ = ["Doubt", "doubts", "has_one_click"]

_ONCE = (*sorted(ONCE), "content-disposition", "list-id", "list-unsubscribe", "list-unsubscribe-post")
"""Fields that may occur at most once, those of which a message is read and sent with one included: RFC 2183
section 2, RFC 2369 section 3.4, RFC 2919 section 3, RFC 8058 section 3.1. From twice is refused before."""

_RECEIVERS = (
    "authentication-results return-path received-spf delivered-to x-original-to arc-authentication-results "
    "arc-message-signature arc-seal"
).split()
"""Fields that only a receiver, or a forwarder, writes: RFC 8601 section 5, RFC 5321 section 4.4, RFC 7208
section 9.1, RFC 9228 section 5, RFC 8617 section 4."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that does not fit.

    Attributes:
        code: Its name.
        sentence: What was seen, for a reader.
        is_conflict: Whether it belongs to another sender or flow, so that ``on_conflict`` decides.
    """

    code: str
    sentence: str
    is_conflict: bool = False


def doubts(
    flows: FlowSet, route: FlowRoute, message: Message, mail_from: str, context: Context
) -> Iterator[Doubt]:
    """Yield what does not fit a message that leaves by a route."""
    yield from _fields(message)
    yield from _envelope(flows, route, mail_from)
    yield from _signatures(flows, route, message)
    yield from _list_fields(flows, route, message)
    yield from _account(route, message, context)


def has_one_click(message: Message) -> bool:
    """Return whether who receives it can unsubscribe with one click (RFC 8058 section 3.1)."""
    is_web = "https://" in message.get("list-unsubscribe").lower()
    post = message.get("list-unsubscribe-post").replace(" ", "").lower()
    return is_web and post == "list-unsubscribe=one-click"


def _fields(message: Message) -> Iterator[Doubt]:
    """Look for fields that occur twice, or that only a receiver writes."""
    counts: dict[str, int] = {}
    for name, _ in message.headers:
        counts[name] = counts.get(name, 0) + 1
    for name in _ONCE:
        if counts.get(name, 0) > 1:
            yield Doubt("field-twice", f"{name.title()} occurs {counts[name]} times; only one is allowed")
    for defect in message.defects:
        if defect.startswith("repeated-header:"):
            name = defect.partition(":")[2]
            yield Doubt("field-twice", f"{name.title()} occurs more than once; only one is allowed")
    for name in _RECEIVERS:
        if name in counts:
            yield Doubt("forged-field", f"it has {name.title()}, which only receivers add")


def _envelope(flows: FlowSet, route: FlowRoute, mail_from: str) -> Iterator[Doubt]:
    """Compare the envelope sender with the flow's return path; the null sender of a report is nobody's."""
    domain = mail_from.rpartition("@")[2].lower().removesuffix(".")
    if not domain or domain == route.return_path or domain in route.domains:
        return
    other = next((o for o in flows if o is not route and domain in {o.return_path, *o.domains}), None)
    if other is not None:
        sentence = f"MAIL FROM uses {domain}, which belongs to the {other.flow} flow: bounces would go there"
        yield Doubt("return-path-of-other-flow", sentence, is_conflict=True)
    elif registrable_domain(domain) not in _own(route):
        sentence = f"MAIL FROM uses {domain}, which is not one of our domains: SPF would not align with From"
        yield Doubt("foreign-return-path", sentence)


def _signatures(flows: FlowSet, route: FlowRoute, message: Message) -> Iterator[Doubt]:
    """Check who signed it; an additional signature by a provider is fine."""
    signed = [_tags(value) for value in message.get_all("dkim-signature")]
    keys = {(tags.get("d", ""), tags.get("s", "")) for tags in signed}
    for other in flows:
        if other is not route and keys & (_keys(other) - _keys(route)):
            sentence = f"it is signed with the DKIM key of the {other.flow} flow"
            yield Doubt("dkim-of-other-flow", sentence, is_conflict=True)
            return
    from_domain = registrable_domain(message.sender.domain.lower())
    aligned = {(d, s) for d, s in keys if registrable_domain(d) == from_domain}
    if keys and not aligned:
        sentence = (
            f"it is signed by {min(keys)[0] or 'no domain'}, which is not aligned with From (RFC 9989 4.4)"
        )
        yield Doubt("dkim-not-aligned", sentence, is_conflict=True)
    elif aligned and route.dkim_selector and not aligned & _keys(route):
        yield Doubt(
            "dkim-unknown-key", f"it is signed with a key that is not declared for the {route.flow} flow"
        )


def _keys(route: FlowRoute) -> set[tuple[str, str]]:
    return {(route.dkim_domain, selector) for selector in route.dkim_selector}


def _list_fields(flows: FlowSet, route: FlowRoute, message: Message) -> Iterator[Doubt]:
    """Compare List-Id and List-Unsubscribe with what the flow declares."""
    named = message.get("list-id").rpartition("<")[2].partition(">")[0].strip().lower()
    others = {o.list_id: o for o in flows if o is not route and o.list_id}
    if named and named != route.list_id and (route.list_id or named in others):
        whose = f", which belongs to the {others[named].flow} flow" if named in others else ""
        yield Doubt("foreign-list-id", f"List-Id is {named}{whose}", is_conflict=True)
    ways_out = message.get("list-unsubscribe")
    if route.esp or not ways_out:  # a provider has hosts of its own
        return
    hosts = {host_of(uri.strip(" <>")) or _mail_domain(uri) for uri in ways_out.split(",")}
    own = _own(route) | {registrable_domain(route.tracking_host)}
    foreign = sorted(host for host in hosts if host and registrable_domain(host) not in own)
    if foreign:
        yield Doubt(
            "foreign-unsubscribe", f"List-Unsubscribe leads to {foreign[0]}, which is not one of our hosts"
        )


def _account(route: FlowRoute, message: Message, context: Context) -> Iterator[Doubt]:
    """Compare From with who is logged in, as Postfix does (reject_sender_login_mismatch)."""
    address = message.sender.address
    if context.account is None or not address:
        return
    account = str(context.account)
    may = route.may_send(account, address)
    if may is False:
        yield Doubt("from-not-of-account", "From is not an address of the account", is_conflict=True)
    elif may is None and "@" in account and route.flow is Flow.PROFESSIONAL:
        own = {mailbox_key(a.address) for a in (message.sender, mailbox(message.get("sender")))}
        if mailbox_key(account) not in own:
            yield Doubt("from-not-of-account", "From is not the address of the account")


def _own(route: FlowRoute) -> set[str]:
    return {registrable_domain(domain) for domain in (*route.domains, route.return_path)}


def _mail_domain(uri: str) -> str:
    """Return the domain of a mailto URI; empty for another."""
    scheme, _, rest = uri.strip(" <>").partition(":")
    return rest.partition("?")[0].rpartition("@")[2] if scheme.lower() == "mailto" else ""


def _tags(value: str) -> dict[str, str]:
    """Return the tags of a DKIM-Signature (RFC 6376 section 3.2)."""
    pairs = (part.partition("=") for part in value.split(";"))
    return {name.strip().lower(): "".join(text.split()).lower() for name, _, text in pairs}
