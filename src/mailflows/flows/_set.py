"""The flows of a sender, declared once, and the route of each message."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows._file import SettingsFile
from mailflows.flows._guard import GuardSettings, guard
from mailflows.flows._route import FlowRoute
from mailflows.flows._routing import route
from mailflows.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows.classifier import Classification, Classifier
    from mailflows.flows._guard import GuardDecision
    from mailflows.flows._routing import RouteDecision
    from mailflows.message import Source
    from mailflows.templates._memory import Observation

__all__ = ["FlowSet"]

_KEYS = tuple(
    "domains source_ips ehlo dkim_selector dkim_domain dkim_key return_path relay password_env esp stream "
    "ip_pool tls tls_ca tracking_host list_id account_may_send dry_run".split()
)


class FlowSet:
    r"""The flows of a sender, each with its own route.

    Args:
        routes: One `FlowRoute` a flow; a flow may be absent.

    Raises:
        ConfigurationError: If a flow has two routes, or two flows have the same From domain.

    Example:
        >>> flows = FlowSet(
        ...     FlowRoute("transactional", domains="example.org"),
        ...     FlowRoute("marketing", domains="news.example.org"),
        ... )
        >>> flows.route(b"From: a@example.org\nSubject: x\n\nx", declared="marketing").conflicts
        ('From belongs to the transactional flow, and the message is of the marketing flow',)
    """

    def __init__(self, *routes: FlowRoute) -> None:
        self._routes: dict[Flow, FlowRoute] = {}
        owners: dict[str, Flow] = {}
        if not routes:
            msg = "a FlowSet needs at least one FlowRoute"
            raise ConfigurationError(msg, field="routes")
        for given in routes:
            if not isinstance(given, FlowRoute):
                msg = f"a route is a FlowRoute, not {type(given).__name__}; for a file, use FlowSet.from_toml"
                raise ConfigurationError(msg, field="routes")
            if given.flow in self._routes:
                msg = f"the {given.flow} flow has two routes: put all its domains into one"
                raise ConfigurationError(msg, field="flow")
            for domain in given.domains:
                if domain in owners:
                    msg = (
                        f"domains: {domain} is the From domain of both {owners[domain]} and {given.flow}: "
                        f"give one of them a sub-domain, such as {_SUGGESTED[given.flow]}.{domain}"
                    )
                    raise ConfigurationError(msg, field="domains")
                owners[domain] = given.flow
            self._routes[given.flow] = given

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *, needs_passwords: bool = True) -> FlowSet:
        """Read flows from a file with a table ``[flows.marketing]`` for each; see the documentation.

        Args:
            path: The file.
            needs_passwords: Whether each ``password_env`` must be set; not where nothing is sent.

        Raises:
            ConfigurationError: If the file is no TOML or contradicts itself; the text names file and
                line, and what to write instead.
            OSError: If it cannot be read.
        """
        return cls.from_file(SettingsFile(path), needs_passwords=needs_passwords)

    @classmethod
    def from_file(cls, file: SettingsFile, *, needs_passwords: bool = True) -> FlowSet:
        """Take the flows out of a file that was read; its other tables belong to others."""
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

    def of_domain(self, domain: str) -> FlowRoute | None:
        """Return the route whose From domain this is; a sub-domain is another domain."""
        return next((r for r in self if domain.lower().removesuffix(".") in r.domains), None)

    def route(
        self,
        message: Source,
        *,
        declared: Flow | str | None = None,
        classification: Classification | None = None,
        classifier: Classifier | None = None,
    ) -> RouteDecision:
        """Say by which route a message leaves, and what decided.

        What is declared goes first, then headers, then the From domain, then the content. A message
        whose From belongs to one flow and whose content is another's is never re-routed in silence:
        the conflict is said, and unless the flow was declared there is no route.

        Args:
            message: What is to be sent.
            declared: The flow that the application says it is.
            classification: What the classifier said, if it was asked already.
            classifier: Which classifier to ask; the shipped one by default. It is asked only where
                nothing was declared.

        Raises:
            MessageError: If *message* is no message.
            ConfigurationError: If *declared* is no flow, or one without a route.
        """
        read = Message.read(message)
        return route(self, read, declared=declared, classification=classification, classifier=classifier)

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
        """Say whether a message belongs on a flow: allow, flag or refuse, with reasons.

        Args:
            message: What is to be sent.
            flow: The flow by which it would leave.
            classification: What the classifier said, if it was asked already.
            classifier: Which classifier to ask; the shipped one by default.
            observation: What a `TemplateMemory` saw in the message, where one is kept.
            settings: Thresholds; the defaults of `GuardSettings` otherwise.

        Raises:
            MessageError: If *message* is no message.
            ConfigurationError: If *flow* is no flow.
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
            msg = "a password does not belong into a file: name its variable in password_env"
            raise ConfigurationError(msg, field=key)
        if key not in _KEYS:
            msg = f"unknown key {key}: {did_you_mean(key, _KEYS)}"
            raise ConfigurationError(msg, field=key)
    if "domains" not in table:
        msg = 'domains is missing: write domains = ["example.org"], what stands in From'
        raise ConfigurationError(msg, field="domains")
    return table
