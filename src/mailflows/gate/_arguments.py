"""What a gate is made of, checked when it is made: an error in the settings is never blamed on a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows import FlowSet
from mailflows.gate._check import GateDecision
from mailflows.gate._parts import PARTS
from mailflows.recipients._catalogue import require_codes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailflows.gate._parts import Parts
    from mailflows.limits import Limiter

__all__ = [
    "decision_of",
    "dry_flows_of",
    "limiters_of",
    "policies_of",
    "refusals_of",
    "require_flows",
    "require_functions",
    "require_kinds",
]

ON_ERROR: dict[str, GateDecision] = {
    **dict.fromkeys(PARTS, GateDecision.ACCEPT),
    # Without these a message would go where nobody meant it to go, or to whom nobody may write.
    "route": GateDecision.HOLD,
    "suppressions": GateDecision.DEFER,
    "scanners": GateDecision.DEFER,
    # A store that is down is the limiter's own business (on_error); what fails here is how it was asked.
    "limits": GateDecision.DEFER,
    # Whether it was released or dropped cannot be told, and it cannot be kept: its sender keeps it.
    "held": GateDecision.DEFER,
}
"""What becomes of a message where a part fails."""


def decision_of(value: GateDecision | str, field: str) -> GateDecision:
    """Return a decision that a setting names."""
    try:
        return GateDecision(value)
    except ValueError as error:
        msg = f"{field} must be one of {', '.join(GateDecision)}; got {value!r}"
        raise ConfigurationError(msg, field=field) from error


def policies_of(on_error: Mapping[str, GateDecision | str] | None) -> dict[str, GateDecision]:
    """Return what becomes of a message where a part fails, by the name of the part."""
    named = {_known_part(name): decision_of(value, "on_error") for name, value in (on_error or {}).items()}
    return ON_ERROR | named


def _known_part(name: str) -> str:
    if name not in PARTS:
        msg = f"on_error must name parts, which are {', '.join(PARTS)}; got {name!r}"
        raise ConfigurationError(msg, field="on_error")
    return name


def limiters_of(
    limiter: Limiter | Mapping[Flow | str, Limiter] | None, flows: FlowSet
) -> dict[Flow | None, Limiter]:
    """Return the limiter of each flow."""
    if limiter is None:
        return {}
    if not isinstance(limiter, Mapping) and not callable(getattr(limiter, "acquire", None)):
        msg = f"limiter= must be a Limiter, or one for each flow; got {type(limiter).__name__}"
        raise ConfigurationError(msg, field="limiter")
    if not isinstance(limiter, Mapping):
        return dict.fromkeys((None, *Flow), limiter)
    found: dict[Flow | None, Limiter] = {}
    for name, one in limiter.items():
        route = flows.get(name)
        if route is None:
            msg = f"a limiter is given for {name}, which has no route: declare the flow, or remove its limits"
            raise ConfigurationError(msg, field="limiter")
        found[route.flow] = one
    return found


def refusals_of(refuse: Mapping[Flow | str, Iterable[str]] | None) -> dict[Flow | None, frozenset[str]]:
    """Return the codes of recipients whom the mail of each flow is not sent to."""
    found: dict[Flow | None, frozenset[str]] = {}
    for name, codes in (refuse or {}).items():
        if name not in set(Flow):
            msg = f"refuse_recipients must name flows, which are {', '.join(Flow)}; got {name!r}"
            raise ConfigurationError(msg, field="refuse_recipients")
        found[Flow(name)] = require_codes(codes, "refuse_recipients")
    return found


def dry_flows_of(dry_run: bool | Iterable[Flow | str], flows: FlowSet) -> frozenset[Flow | None]:  # noqa: FBT001
    """Return the flows that are only looked at; `None` among them stands for mail of no flow."""
    if isinstance(dry_run, bool):
        every = {None, *Flow} if dry_run else set()
        return frozenset(every | {route.flow for route in flows if route.dry_run})
    named = [dry_run] if isinstance(dry_run, str) else dry_run
    return frozenset({Flow(name) for name in named} | {route.flow for route in flows if route.dry_run})


_VERBS = {
    "classifier": ("classify", "Classifier()"),
    "recipients": ("check", "RecipientChecker()"),
    "senders": ("acquire", "SenderControl(store)"),
    "suppressions": ("find", "SuppressionList(store)"),
    "reputation": ("acquire", "Reputation(store)"),
    "templates": ("observe", "TemplateMemory(store)"),
    "held": ("hold", "HeldMail(store)"),
    "tally": ("note", "Tally(store)"),
}
"""Part → what it must be able to do, and what to write."""


def require_flows(flows: object) -> None:
    """Refuse what is not a set of flows, such as the path of a file."""
    if not isinstance(flows, FlowSet):
        msg = f"flows must be a FlowSet, not {type(flows).__name__}; for a file, use Gate.from_toml(path)"
        raise ConfigurationError(msg, field="flows")


def require_kinds(parts: Parts) -> None:
    """Refuse a part that is something else, such as a set of addresses for a suppression list."""
    for name, (verb, example) in _VERBS.items():
        part = getattr(parts, name)
        if part is not None and not callable(getattr(part, verb, None)):
            msg = f"{name}= must be a value such as {example}; got {type(part).__name__}"
            raise ConfigurationError(msg, field=name)


def require_functions(**several: object) -> None:
    """Refuse one function where a list of them is meant, and what cannot be called."""
    for name, given in several.items():
        if not isinstance(given, list | tuple) or not all(map(callable, given)):
            msg = (
                f"{name}= must be a list of functions, such as {name}=[function]; got {type(given).__name__}"
            )
            raise ConfigurationError(msg, field=name)
