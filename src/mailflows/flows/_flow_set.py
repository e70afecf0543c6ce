"""The flows of a sender, declared once; which route a message takes: declared, by header, From or content."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from mailflows import _data
from mailflows._mail.address import mailbox, read_author
from mailflows._result import Reason, Result, View, number_of, to_html
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows._esp import stream_headers
from mailflows.flows._file import SettingsFile
from mailflows.flows._guard import GuardSettings, guard
from mailflows.flows._route import FlowRoute
from mailflows.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailflows._result import Cell, Table
    from mailflows.classifier import Classification, Classifier
    from mailflows.flows._guard import GuardDecision
    from mailflows.message import Source
    from mailflows.templates._memory import Observation

__all__ = ["FLOW_HEADER", "DecidedBy", "FlowSet", "RouteDecision", "is_sent_for_a_person"]

_KEYS = tuple(
    "domains source_ips ehlo dkim_selector dkim_domain dkim_key return_path relay password_env esp stream "
    "ip_pool tls tls_ca tracking_host list_id account_may_send dry_run".split()
)

FLOW_HEADER = "X-Mailflows-Flow"
"""Header in which an application may declare the flow; take it out before sending."""


class DecidedBy(StrEnum):
    """What decided the flow of a message."""

    DECLARED = "declared"
    HEADER = "header"
    DOMAIN = "domain"
    CLASSIFIER = "classifier"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RouteDecision(Result):
    """The route that a message takes.

    Attributes:
        flow: The flow, or `None` if it could not be determined.
        route: Its route, or `None` if there is none, or if a conflict makes the choice unsafe.
        decided_by: What decided the flow.
        reasons: The evidence, in order of precedence.
        conflicts: The conflicts; never empty if From and content belong to two flows.
    """

    flow: Flow | None
    route: FlowRoute | None
    decided_by: DecidedBy
    reasons: tuple[Reason, ...]
    conflicts: tuple[Reason, ...]

    def __str__(self) -> str:
        named = self.flow or "no flow"
        route = "" if self.route else ", no route"
        return (
            f"{named}{route} (by {self.decided_by}): {'; '.join(map(str, (*self.conflicts, *self.reasons)))}"
        )

    def _repr_html_(self) -> str:
        found = [("conflict", one) for one in self.conflicts] + [("reason", one) for one in self.reasons]
        rows = [[what, one.code, one.sentence] for what, one in found]
        return to_html(f"{self.flow or 'no flow'}, by {self.decided_by}", ["what", "code", "sentence"], rows)


@cache
def routing_codes() -> dict[str, dict[str, str]]:
    """Return every code of `FlowSet.route` with its kind, ``reason`` or ``conflict``, and its sentence."""
    return tomllib.loads(_data.read("flows/routing.toml"))


def _reason(code: str, **parameters: object) -> Reason:
    """Return a reason with its sentence."""
    sentence = routing_codes()[code]["sentence"].format(**parameters)
    return Reason(code, sentence, part="flows", parameters=parameters)


class FlowSet(View):
    r"""The flows of a sender, each with its own route.

    Args:
        routes: One `FlowRoute` per flow; a flow may be missing.

    Raises:
        ConfigurationError: If a flow has two routes, or two flows have the same From domain.

    Example:
        >>> flows = FlowSet(
        ...     FlowRoute("transactional", domains="example.org"),
        ...     FlowRoute("marketing", domains="news.example.org"),
        ... )
        >>> flows.route(b"From: a@example.org\nSubject: x\n\nx", declared="marketing").conflicts[0].code
        'from-of-another-flow'
    """

    def __init__(self, *routes: FlowRoute) -> None:
        self._routes: dict[Flow, FlowRoute] = {}
        owners: dict[str, Flow] = {}
        if not routes:
            msg = "a FlowSet needs at least one FlowRoute"
            raise ConfigurationError(msg, field="routes")
        for given in routes:
            if not isinstance(given, FlowRoute):
                msg = (
                    f"a route must be a FlowRoute, not {type(given).__name__}; for a file, use "
                    "FlowSet.from_toml"
                )
                raise ConfigurationError(msg, field="routes")
            if given.flow in self._routes:
                msg = f"the {given.flow} flow has two routes: put all its domains into one"
                raise ConfigurationError(msg, field="flow")
            for domain in given.domains:
                if domain in owners:
                    msg = (
                        f"domains: {domain} is the From domain of both {owners[domain]} and {given.flow}: "
                        f"give one of them a subdomain, such as {_SUGGESTED[given.flow]}.{domain}"
                    )
                    raise ConfigurationError(msg, field="domains")
                owners[domain] = given.flow
            self._routes[given.flow] = given

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *, needs_passwords: bool = True) -> FlowSet:
        """Read flows from a file with a table ``[flows.marketing]`` for each; see the documentation.

        Args:
            path: The file.
            needs_passwords: Whether each ``password_env`` must be set; pass `False` where nothing is sent.

        Raises:
            ConfigurationError: If the file is not TOML or contradicts itself; the text names file and
                line, and what to write instead.
            OSError: If it cannot be read.
        """
        return cls.from_file(SettingsFile(path), needs_passwords=needs_passwords)

    @classmethod
    def from_file(cls, file: SettingsFile, *, needs_passwords: bool = True) -> FlowSet:
        """Take the flows from a parsed file; other parts use its other tables.

        Raises:
            ConfigurationError: If a table does not declare a flow; with file, line and key.
        """
        with file.at(""):
            tables = _flows_of(file.tables)
        routes = []
        for name, table in tables.items():
            with file.at(f"flows.{name}"):
                routes.append(_route_of(name, table, needs_password=needs_passwords))
        with file.at("flows"):
            return cls(*routes)

    def __getitem__(self, flow: Flow | str) -> FlowRoute:
        """Return the route of a flow.

        Raises:
            KeyError: If the flow has none.
            ConfigurationError: If there is no such flow.
        """
        return self._routes[Flow(flow)]

    def get(self, flow: Flow | str) -> FlowRoute | None:
        """Return the route of a flow, or `None`."""
        return self._routes.get(Flow(flow))

    def __iter__(self) -> Iterator[FlowRoute]:
        return iter(self._routes.values())

    def __len__(self) -> int:
        return len(self._routes)

    def __contains__(self, flow: object) -> bool:
        return flow in self._routes

    def __repr__(self) -> str:
        return f"<FlowSet {', '.join(f'{r.flow}: {r.domains[0]}' for r in self)}>"

    def _table(self) -> Table:
        rows: list[list[Cell]] = [
            [
                route.flow.value,
                ", ".join(route.domains),
                route.relay or " ".join(filter(None, (route.esp, route.stream))),
                ", ".join(route.source_ips),
                ", ".join(route.dkim_selector),
                route.return_path,
            ]
            for route in self
        ]
        header = ["flow", "From domains", "sent through", "source IPs", "DKIM selector", "return path"]
        return number_of(len(self), "flow"), header, rows

    def of_domain(self, domain: str) -> FlowRoute | None:
        """Return the route with this From domain; a subdomain counts as a different domain."""
        return next((r for r in self if domain.lower().removesuffix(".") in r.domains), None)

    def route(
        self,
        message: Source,
        *,
        declared: Flow | str | None = None,
        classification: Classification | None = None,
        classifier: Classifier | None = None,
    ) -> RouteDecision:
        """Decide which route a message takes, and say what decided it.

        A declared flow takes precedence, then headers, then the From domain, then the content. A message
        whose From belongs to one flow and whose content belongs to another is never re-routed silently: the
        conflict is reported, and unless the flow was declared there is no route.

        Args:
            message: What is to be sent.
            declared: The flow that the application declares.
            classification: The classifier's result, if you already have it.
            classifier: The classifier to use; by default the shipped one. It is used only if no flow was
                declared.

        Raises:
            MessageError: If *message* is not a message.
            ConfigurationError: If *declared* is not a flow, or has no route.
        """
        read = Message.read(message)
        return _route(self, read, declared=declared, classification=classification, classifier=classifier)

    def guard(  # noqa: PLR0913 -- what may be known of a message
        self,
        message: Source,
        flow: Flow | str,
        *,
        classification: Classification | None = None,
        classifier: Classifier | None = None,
        observation: Observation | None = None,
        settings: GuardSettings | None = None,
    ) -> GuardDecision:
        """Check whether a message belongs on a flow: allow, flag or refuse, with reasons.

        Args:
            message: What is to be sent.
            flow: The flow that it would be sent through.
            classification: The classifier's result, if you already have it.
            classifier: The classifier to use; by default the shipped one.
            observation: The `Observation` of a `TemplateMemory` for this message, if one is used.
            settings: Thresholds; by default those of `GuardSettings()`.

        Raises:
            MessageError: If *message* is not a message.
            ConfigurationError: If *flow* is not a flow.
        """
        named = Flow(flow)
        hosts = {r.tracking_host for r in self if r.tracking_host}
        return guard(
            Message.read(message),
            named,
            classification=classification,
            classifier=classifier,
            observation=observation,
            settings=settings or GuardSettings(),
            tracking_hosts=frozenset(hosts),
        )


_SUGGESTED = {Flow.PROFESSIONAL: "mail", Flow.MARKETING: "news", Flow.TRANSACTIONAL: "notify"}


def _flows_of(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of flows, and refuse a file without any, and a table that was meant to be one."""
    flows = tables.get("flows")
    for key in tables:
        if key in list(Flow):
            msg = f"unknown table [{key}]: write [flows.{key}]"
            raise ConfigurationError(msg, field=key)
        if key != "flows" and (hint := did_you_mean(key, ("flows",))).startswith("did you mean"):
            msg = f"unknown table [{key}]: {hint}"
            raise ConfigurationError(msg, field=key)
    if not isinstance(flows, dict) or not flows:
        msg = "no flows are declared: write a table such as [flows.marketing] with its domains"
        raise ConfigurationError(msg, field="flows")
    return flows


def _route_of(name: str, table: object, *, needs_password: bool) -> FlowRoute:
    """Return the route that a table describes."""
    try:
        route = FlowRoute(Flow(name), **_checked(name, table))
        if needs_password:
            _require_password(route)
    except ConfigurationError as error:
        msg = f"flows.{name}: {error}"
        raise ConfigurationError(msg, field=error.field) from error
    return route


def _require_password(route: FlowRoute) -> None:
    """Refuse a password that cannot be had: better now than with the first message."""
    if route.password_env and route.password_env not in os.environ:
        msg = f"password_env: the environment has no variable {route.password_env}; set it for this process"
        raise ConfigurationError(msg, field="password_env")


def _checked(name: str, table: object) -> dict[str, Any]:
    """Return the table of a flow, if all its keys are known and none is missing."""
    if not isinstance(table, dict):
        msg = f"expected a table [flows.{name}]"
        raise ConfigurationError(msg, field=name)
    for key in table:
        if key == "password":
            msg = "a password does not belong in a file: name its environment variable in password_env"
            raise ConfigurationError(msg, field=key)
        if key not in _KEYS:
            msg = f"unknown key {key}: {did_you_mean(key, _KEYS)}"
            raise ConfigurationError(msg, field=key)
    if "domains" not in table:
        msg = 'domains is missing: write domains = ["example.org"], the domains used in From'
        raise ConfigurationError(msg, field="domains")
    return table


def _route(
    flows: FlowSet,
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
            said.append(_reason("content-of-another-flow", content=classification.flow, flow=flow))
        return _decision(flows, flow, DecidedBy.DECLARED, [_reason("declared")], said)
    is_personal = is_sent_for_a_person(message)
    headers = _by_headers(flows, message)
    classification = classification or _classify(message, classifier)
    if headers:
        return _by_seen(
            flows, headers, DecidedBy.HEADER, owners, domains, classification, doubts, is_personal=is_personal
        )
    if owners:
        seen = {flow: _reason("from-domain", domain=domain) for domain, flow in owners.items()}
        return _by_seen(
            flows, seen, DecidedBy.DOMAIN, owners, domains, classification, doubts, is_personal=is_personal
        )
    if reported := _reported_to(flows, message):
        reason = _reason("delivery-report", domain=reported.domains[0])
        return _decision(flows, reported.flow, DecidedBy.DOMAIN, [reason], doubts)
    return _by_content(flows, classification, doubts, domains)


def _reported_to(flows: FlowSet, message: Message) -> FlowRoute | None:
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
    """Return whether a program wrote it for one: an out-of-office reply, a receipt, a report, an invitation.

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


def _known(flows: FlowSet, declared: Flow | str) -> Flow:
    flow = Flow(declared)
    if flows.get(flow) is None:
        msg = f"{flow} was declared, but has no route: {did_you_mean(flow, [r.flow for r in flows])}"
        raise ConfigurationError(msg, field="declared")
    return flow


def _from_domains(message: Message) -> tuple[list[str], list[Reason]]:
    """Return the domains of From, and what is odd about who sends."""
    mailboxes = [a for value in message.get_all("from") for a in read_author(value).likely]
    domains = list(dict.fromkeys(a.domain.lower() for a in mailboxes if a.domain))
    doubts = []
    if not domains:
        doubts.append(_reason("no-from-domain"))
    if len(mailboxes) > 1:
        doubts.append(_reason("several-from-mailboxes", count=len(mailboxes)))
    sender = mailbox(message.get("sender"))
    if sender.domain and sender.domain.lower() not in domains:
        doubts.append(_reason("sender-of-another-domain", domain=sender.domain.lower()))
    return domains, doubts


def _against(flow: Flow, owners: dict[str, Flow], domains: list[str]) -> list[Reason]:
    """Return what From says against a flow."""
    wrong = list(dict.fromkeys(owner for owner in owners.values() if owner != flow))
    said = [_reason("from-of-another-flow", owner=owner, flow=flow) for owner in wrong]
    return said + _foreign(domain for domain in domains if domain not in owners)


def _foreign(domains: Iterable[str]) -> list[Reason]:
    return [_reason("from-of-no-flow", domain=domain) for domain in domains]


def _by_headers(flows: FlowSet, message: Message) -> dict[Flow, Reason]:
    """Return the flows that headers name, with the header that does."""
    found: dict[Flow, Reason] = {}
    named = message.get(FLOW_HEADER).strip().lower()
    list_id = message.get("list-id").rpartition("<")[2].partition(">")[0].strip().lower()
    streams = {message.get(name).strip() for name in stream_headers()} - {""}
    for known in flows:
        if named == known.flow:
            found[known.flow] = _reason("flow-header", header=FLOW_HEADER)
        elif not named and list_id and list_id == known.list_id:
            found[known.flow] = _reason("list-id", list_id=list_id)
        elif not named and known.stream and known.stream in streams:
            found[known.flow] = _reason("stream-header", stream=known.stream)
    return found


def _by_seen(  # noqa: PLR0913, PLR0917 -- all that speaks for a flow, and against it
    flows: FlowSet,
    seen: dict[Flow, Reason],
    decided_by: DecidedBy,
    owners: dict[str, Flow],
    domains: list[str],
    classification: Classification,
    doubts: list[Reason],
    *,
    is_personal: bool,
) -> RouteDecision:
    """Decide by headers or From, unless they name two flows or the content is another's."""
    flow = next(iter(seen))
    said = _against(flow, owners, domains)
    if is_personal and classification.flow is Flow.TRANSACTIONAL and flow is Flow.PROFESSIONAL:
        reasons = [*seen.values(), _reason("sent-for-a-person")]
        return _decision(flows, flow, decided_by, reasons, said + doubts)
    if len(seen) > 1:
        said.insert(0, _reason("several-flows", flows=", ".join(seen)))
    if classification.flow not in {None, flow}:
        said.append(_reason("content-of-another-flow", content=classification.flow, flow=flow))
    is_clear = len(seen) == 1 and not said
    decision = _decision(flows, flow, decided_by, list(seen.values()), said + doubts)
    if is_clear:
        return decision
    only = flow if len(seen) == 1 else None
    return RouteDecision(only, None, decided_by, decision.reasons, decision.conflicts)


def _by_content(
    flows: FlowSet, classification: Classification, doubts: list[Reason], domains: list[str]
) -> RouteDecision:
    """Decide by the content alone, where nothing else names a flow."""
    flow = classification.flow
    decided_by = DecidedBy.CLASSIFIER if flow else DecidedBy.NOTHING
    reasons = [_reason("content", content=str(classification))]
    return _decision(flows, flow, decided_by, reasons, _foreign(domains) + doubts)


def _decision(
    flows: FlowSet, flow: Flow | None, decided_by: DecidedBy, reasons: list[Reason], conflicts: list[Reason]
) -> RouteDecision:
    chosen = flows.get(flow) if flow else None
    if flow and chosen is None:
        conflicts = [*conflicts, _reason("no-route", flow=flow)]
    return RouteDecision(flow, chosen, decided_by, tuple(reasons), tuple(dict.fromkeys(conflicts)))
