"""Messages as they are really sent: whether they match what is declared and published."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailflows._domain import registrable_domain
from mailflows.audit._dkim import read_tags
from mailflows.audit._report import finding
from mailflows.flow import Flow
from mailflows.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailflows.audit._facts import RouteFacts
    from mailflows.audit._report import AuditFinding
    from mailflows.message import Source

__all__ = ["sample_findings"]

_ONE_CLICK = ("list-unsubscribe", "list-unsubscribe-post")
_WEB = re.compile(r"<\s*https://", re.IGNORECASE)


def sample_findings(known: Sequence[RouteFacts], samples: Iterable[Source]) -> Iterator[AuditFinding]:
    """Check messages as they were sent: who signed them, where bounces go, how people unsubscribe.

    Raises:
        MessageError: If a sample is not a message.
    """
    for number, source in enumerate(samples, 1):
        message = Message.read(source)
        domain = message.sender.domain.lower()
        facts = next((one for one in known if domain in one.route.domains), None)
        if facts is None:
            yield finding("sample-undeclared-domain", (), number=number, domain=domain or "no domain")
        else:
            yield from _signed(message, facts, number, domain)
            yield from _returned(message, facts, number, domain)
            if facts.route.flow is Flow.MARKETING:
                yield from _left(message, number)


def _signatures(message: Message) -> list[dict[str, str]]:
    """Return the tags of each DKIM signature that names a domain."""
    found = [read_tags(" ".join(value.split())) for value in message.get_all("dkim-signature")]
    return [tags for tags in found if tags.get("d")]


def _signed(message: Message, facts: RouteFacts, number: int, domain: str) -> Iterator[AuditFinding]:
    flows = (facts.route.flow,)
    signers = {tags["d"].lower(): tags for tags in _signatures(message)}
    if not signers:
        yield finding("sample-unsigned", flows, number=number, domain=domain)
        return
    aligned = [tags for signer, tags in signers.items() if _are_aligned(facts, domain, signer, "adkim")]
    if not aligned:
        signer = " and ".join(signers)
        yield finding("sample-dkim-misaligned", flows, number=number, domain=domain, signer=signer)
    for tags in aligned:
        selector = tags.get("s", "").lower()
        if facts.selectors and selector not in facts.selectors:
            yield finding("sample-other-selector", flows, number=number, domain=domain, selector=selector)


def _returned(message: Message, facts: RouteFacts, number: int, domain: str) -> Iterator[AuditFinding]:
    """Look at the return-path of its envelope, or of the field that receivers add."""
    sender = (message.envelope.sender if message.envelope else "") or message.get("return-path") or ""
    path = sender.strip(" <>").rpartition("@")[2].lower()
    if path and not _are_aligned(facts, domain, path, "aspf"):
        yield finding("sample-spf-misaligned", (facts.route.flow,), number=number, domain=domain, path=path)


def _left(message: Message, number: int) -> Iterator[AuditFinding]:
    """Look whether one click unsubscribes, and whether the signature vouches for that (RFC 8058)."""
    flows = (Flow.MARKETING,)
    post = (message.get("list-unsubscribe-post") or "").replace(" ", "").lower()
    if not _WEB.search(message.get("list-unsubscribe") or "") or post != "list-unsubscribe=one-click":
        yield finding("sample-no-one-click", flows, number=number)
        return
    signed = [set(tags.get("h", "").lower().replace(" ", "").split(":")) for tags in _signatures(message)]
    if signed and not any(fields.issuperset(_ONE_CLICK) for fields in signed):
        missing = [name for name in _ONE_CLICK if not any(name in fields for fields in signed)]
        fields = " and ".join(missing or _ONE_CLICK)
        yield finding("sample-one-click-unsigned", flows, number=number, fields=fields)


def _are_aligned(facts: RouteFacts, domain: str, other: str, mode: str) -> bool:
    """Return whether two domains are aligned as the From domain's own record wants it."""
    record = facts.walks[domain].record
    if domain == other:
        return True
    if record is not None and record.is_strict(mode):
        return False
    walked = facts.walks.get(other)
    if walked is not None and walked.records:
        return facts.walks[domain].organisation == walked.organisation
    return registrable_domain(domain) == registrable_domain(other)
