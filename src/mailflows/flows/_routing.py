"""Which route a message takes: declared, by its headers, by its From domain, by its content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from mailflows._mail.address import mailbox, read_author
from mailflows._result import Result, to_html
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows._esp import stream_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.classifier import Classification, Classifier
    from mailflows.flows._route import FlowRoute
    from mailflows.message import Message

__all__ = ["FLOW_HEADER", "DecidedBy", "RouteDecision", "is_sent_for_a_person", "route"]

FLOW_HEADER = "X-Mailflows-Flow"
"""Header in which an application may declare the flow; take it out before sending."""


class DecidedBy(StrEnum):
    """What decided about the flow of a message."""

    DECLARED = "declared"
    HEADER = "header"
    DOMAIN = "domain"
    CLASSIFIER = "classifier"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RouteDecision(Result):
    """By which route a message leaves.

    Attributes:
        flow: The flow, or `None` where it could not be told.
        route: Its route, or `None` where there is none, or where a conflict forbids to choose.
        decided_by: What decided.
        reasons: What was seen, in the order in which it counted.
        conflicts: What speaks against it; never empty where From and content belong to two flows.
    """

    flow: Flow | None
    route: FlowRoute | None
    decided_by: DecidedBy
    reasons: tuple[str, ...]
    conflicts: tuple[str, ...]

    def __str__(self) -> str:
        named = self.flow or "no flow"
        road = "" if self.route else ", no route"
        return f"{named}{road} (by {self.decided_by}): {'; '.join((*self.conflicts, *self.reasons))}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "flow": self.flow,
            "route": self.route.to_dict() if self.route else None,
            "decided_by": self.decided_by,
            "reasons": list(self.reasons),
            "conflicts": list(self.conflicts),
        }

    def _repr_html_(self) -> str:
        rows = [["conflict", text] for text in self.conflicts] + [["reason", text] for text in self.reasons]
        return to_html(f"{self.flow or 'no flow'}, by {self.decided_by}", ["what", "sentence"], rows)


class _Routes(Protocol):
    """What is needed of a `FlowSet`."""

    def __iter__(self) -> Iterator[FlowRoute]: ...

    def get(self, flow: Flow | str) -> FlowRoute | None:
        """Return the route of a flow."""

    def of_domain(self, domain: str) -> FlowRoute | None:
        """Return the route of a From domain."""


def route(
    flows: _Routes,
    message: Message,
    *,
    declared: Flow | str | None = None,
    classification: Classification | None = None,
    classifier: Classifier | None = None,
) -> RouteDecision:
    """Decide; see `FlowSet.route`."""
    domains, doubts = _from_domains(message)
    owners = {domain: found.flow for domain in domains if (found := flows.of_domain(domain))}
    if declared is not None:
        flow = _known(flows, declared)
        said = [*_against(flow, owners, domains), *doubts]
        if classification and classification.flow not in {None, flow}:
            said.append(f"the content is {classification.flow}, and {flow} was declared")
        return _decision(flows, flow, DecidedBy.DECLARED, ["the sender declared it"], said)
    is_personal = is_sent_for_a_person(message)
    headers = _by_headers(flows, message)
    classification = classification or _classify(message, classifier)
    if headers:
        return _by_seen(
            flows, headers, DecidedBy.HEADER, owners, domains, classification, doubts, is_personal=is_personal
        )
    if owners:
        seen = {flow: f"From is of {domain}" for domain, flow in owners.items()}
        return _by_seen(
            flows, seen, DecidedBy.DOMAIN, owners, domains, classification, doubts, is_personal=is_personal
        )
    if reported := _reported_to(flows, message):
        reason = f"a delivery report to {reported.domains[0]}"
        return _decision(flows, reported.flow, DecidedBy.DOMAIN, [reason], doubts)
    return _by_content(flows, classification, doubts, domains)


def _reported_to(flows: _Routes, message: Message) -> FlowRoute | None:
    """Return the route that a delivery report comes back to: a relay in front writes it under its own name.

    It has MAIL FROM:<> (RFC 3464 section 2.1) and goes to a sender of ours, by its From or its return path.
    """
    envelope = message.envelope
    is_report = any(part.content_type in _REPORTS for part in message.parts)
    if envelope is None or envelope.sender or not is_report or len(envelope.recipients) != 1:
        return None
    domain = mailbox(envelope.recipients[0]).domain.lower()
    return flows.of_domain(domain) or next((one for one in flows if one.return_path == domain), None)


_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})


def is_sent_for_a_person(message: Message) -> bool:
    """Return whether a program wrote it for one: an answer to absence, a receipt, a report, an invitation.

    RFC 3834 section 5, RFC 8098 section 3, RFC 3464 section 2, RFC 6047 section 2.4. What it holds reads like
    mail of a server; it belongs to the flow of its domain. An answer goes to one recipient.
    """
    if not _FOR_A_PERSON.isdisjoint(part.content_type for part in message.parts):
        return True
    submitted = message.get("auto-submitted").partition(";")[0].split("(")[0].strip().lower()
    is_answer = submitted == "auto-replied" or any(name in message for name in _ANSWERS)
    is_answer |= message.get("precedence").strip().lower().replace("-", "_") == "auto_reply"
    # MAIL FROM:<> is for answers and reports only (RFC 3834 section 3.3, RFC 5321 section 4.5.5).
    is_null = message.envelope is not None and not message.envelope.sender
    is_answer |= is_null and submitted not in {"", "no"}
    return is_answer and len(message.recipients) <= 1


_FOR_A_PERSON = frozenset(
    "message/disposition-notification message/delivery-status message/global-delivery-status "
    "message/global-disposition-notification text/calendar".split()
)

_ANSWERS = ("x-autoreply", "x-autorespond", "x-autoresponder")
"""Fields of vacation programs from before RFC 3834, as `feedback` knows them, too."""


def _classify(message: Message, classifier: Classifier | None) -> Classification:
    from mailflows.classifier import classify  # noqa: PLC0415 -- loads the model

    return classifier.classify(message) if classifier else classify(message)


def _known(flows: _Routes, declared: Flow | str) -> Flow:
    flow = Flow(declared)
    if flows.get(flow) is None:
        msg = f"{flow} was declared and has no route: {did_you_mean(flow, [r.flow for r in flows])}"
        raise ConfigurationError(msg, field="declared")
    return flow


def _from_domains(message: Message) -> tuple[list[str], list[str]]:
    """Return the domains of From, and what is odd about who sends."""
    mailboxes = [a for value in message.get_all("from") for a in read_author(value).likely]
    domains = list(dict.fromkeys(a.domain.lower() for a in mailboxes if a.domain))
    doubts = []
    if not domains:
        doubts.append("it has no From with a domain")
    if len(mailboxes) > 1:
        doubts.append(f"From has {len(mailboxes)} mailboxes")
    sender = mailbox(message.get("sender"))
    if sender.domain and sender.domain.lower() not in domains:
        doubts.append(f"Sender is of {sender.domain.lower()}, which is not From's domain")
    return domains, doubts


def _against(flow: Flow, owners: dict[str, Flow], domains: list[str]) -> list[str]:
    """Return what From says against a flow."""
    wrong = list(dict.fromkeys(owner for owner in owners.values() if owner != flow))
    said = [f"From belongs to the {owner} flow, and the message is of the {flow} flow" for owner in wrong]
    foreign = [domain for domain in domains if domain not in owners]
    return said + [f"From's domain {domain} belongs to no flow" for domain in foreign]


def _by_headers(flows: _Routes, message: Message) -> dict[Flow, str]:
    """Return the flows that headers name, with the header that does."""
    found: dict[Flow, str] = {}
    named = message.get(FLOW_HEADER).strip().lower()
    list_id = message.get("list-id").rpartition("<")[2].partition(">")[0].strip().lower()
    streams = {message.get(name).strip() for name in stream_headers()} - {""}
    for known in flows:
        if named == known.flow:
            found[known.flow] = f"{FLOW_HEADER} says so"
        elif not named and list_id and list_id == known.list_id:
            found[known.flow] = f"List-Id is {list_id}"
        elif not named and known.stream and known.stream in streams:
            found[known.flow] = f"a header names its stream {known.stream}"
    return found


def _by_seen(  # noqa: PLR0913, PLR0917 -- all that speaks for a flow, and against it
    flows: _Routes,
    seen: dict[Flow, str],
    decided_by: DecidedBy,
    owners: dict[str, Flow],
    domains: list[str],
    classification: Classification,
    doubts: list[str],
    *,
    is_personal: bool,
) -> RouteDecision:
    """Decide by headers or From, unless they name two flows or the content is another's."""
    flow = next(iter(seen))
    said = _against(flow, owners, domains)
    if is_personal and classification.flow is Flow.TRANSACTIONAL and flow is Flow.PROFESSIONAL:
        reasons = [*seen.values(), "a program sent it for a person"]
        return _decision(flows, flow, decided_by, reasons, said + doubts)
    if len(seen) > 1:
        said.insert(0, f"it names several flows: {', '.join(seen)}")
    if classification.flow not in {None, flow}:
        said.append(f"the content is {classification.flow}, and not {flow}")
    is_clear = len(seen) == 1 and not said
    decision = _decision(flows, flow, decided_by, list(seen.values()), said + doubts)
    if is_clear:
        return decision
    only = flow if len(seen) == 1 else None
    return RouteDecision(only, None, decided_by, decision.reasons, decision.conflicts)


def _by_content(
    flows: _Routes, classification: Classification, doubts: list[str], domains: list[str]
) -> RouteDecision:
    """Decide by the content alone, where nothing else names a flow."""
    flow = classification.flow
    foreign = [f"From's domain {domain} belongs to no flow" for domain in domains]
    if flow is None:
        return _decision(
            flows, None, DecidedBy.NOTHING, [f"the content is {classification}"], foreign + doubts
        )
    return _decision(
        flows, flow, DecidedBy.CLASSIFIER, [f"the content is {classification}"], foreign + doubts
    )


def _decision(
    flows: _Routes, flow: Flow | None, decided_by: DecidedBy, reasons: list[str], conflicts: list[str]
) -> RouteDecision:
    chosen = flows.get(flow) if flow else None
    if flow and chosen is None:
        conflicts = [*conflicts, f"the {flow} flow has no route"]
    return RouteDecision(flow, chosen, decided_by, tuple(reasons), tuple(dict.fromkeys(conflicts)))
