"""The flows of a sender, declared once, and the road of each message."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows._guard import GuardSettings, guard
from mailflows.flows._route import FlowRoute
from mailflows.flows._routing import route
from mailflows.message import Message

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from mailflows.classifier import Classification, Classifier
    from mailflows.flows._guard import GuardDecision
    from mailflows.flows._routing import RouteDecision
    from mailflows.message import Source
    from mailflows.templates._memory import Observation

__all__ = ["FlowSet"]

_KEYS = tuple(
    "domains source_ips ehlo dkim_selector dkim_domain return_path relay password_env esp stream "
    "tracking_host list_id".split()
)
_OTHERS = frozenset({"gate", "limits", "recipients", "guard", "classifier"})
"""Tables of the same file that other parts read."""


class FlowSet:
    r"""The flows of a sender, each with its own road.

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
    def from_toml(cls, path: str | os.PathLike[str]) -> FlowSet:
        """Read flows from a file with a table ``[flows.marketing]`` for each; see the documentation.

        Raises:
            ConfigurationError: If the file is no TOML or contradicts itself; the text names file and
                line, and what to write instead.
            OSError: If it cannot be read.
        """
        text = Path(path).read_text("utf-8")
        try:
            return cls(*_read(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            msg = f"{path}: {error}"
            raise ConfigurationError(msg, field="toml") from error
        except _MisplacedError as error:
            line = _line_of(text, error.flow, error.cause.field)
            msg = f"{path}{f', line {line}' if line else ''}: {error}"
            raise ConfigurationError(msg, field=error.cause.field) from error.cause
        except ConfigurationError as error:
            msg = f"{path}: {error}"
            raise ConfigurationError(msg, field=error.field) from error

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
        """Say by which road a message leaves, and what decided.

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


class _MisplacedError(ConfigurationError):
    """A fault in the table of one flow, whose place in the file is looked for."""

    def __init__(self, flow: str, cause: ConfigurationError) -> None:
        super().__init__(f"flows.{flow}: {cause}", field=cause.field)
        self.flow = flow
        self.cause = cause


def _read(content: Mapping[str, Any]) -> Iterator[FlowRoute]:
    """Yield the routes of a file."""
    for key in content:
        if key != "flows" and key not in _OTHERS:
            hint = f"write [flows.{key}]" if key in list(Flow) else did_you_mean(key, ("flows", *_OTHERS))
            msg = f"unknown table [{key}]: {hint}"
            raise ConfigurationError(msg, field=key)
    tables = content.get("flows")
    if not isinstance(tables, dict) or not tables:
        msg = "there is no flow: write a table such as [flows.marketing] with its domains"
        raise ConfigurationError(msg, field="flows")
    for name, table in tables.items():
        yield _route_of(name, table)


def _route_of(name: str, table: object) -> FlowRoute:
    try:
        return FlowRoute(Flow(name), **_checked(name, table))
    except ConfigurationError as error:
        raise _MisplacedError(name, error) from error


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


def _line_of(text: str, flow: str, key: str) -> int | None:
    """Return the line of a key in the table of a flow, or that of the table, or `None`."""
    table = None
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("["):
            if table:
                break
            table = number if bare.partition("#")[0].strip(" []") == f"flows.{flow}" else None
        elif table and bare.partition("=")[0].strip(" \"'") == key:
            return number
    return table
