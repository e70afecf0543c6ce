"""What every integration asks a verdict: which relay, from which address, and what to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from mailflows.flows import FlowRoute, Relay
    from mailflows.gate import Verdict

__all__ = ["relay_of", "replies", "source_of"]


def relay_of(verdict: Verdict) -> tuple[FlowRoute, Relay]:
    """Return the route of a verdict, and its relay.

    Raises:
        ConfigurationError: If the message has no route, or one without a relay.
    """
    route = verdict.route
    server = route.server if route else None
    if route is None or server is None:
        msg = f'the {verdict.flow or "unknown"} flow has no relay: write relay = "smtp://host" in its table'
        raise ConfigurationError(msg, field="relay")
    return route, server


def source_of(route: FlowRoute) -> tuple[str, int] | None:
    """Return the address to send from, as sockets take it."""
    return (route.source_ips[0], 0) if route.source_ips else None


def replies(verdict: Verdict) -> dict[str, tuple[int, bytes]]:
    """Return what the gate says to each recipient that it refused, as smtplib returns it."""
    if verdict.dry_run:
        return {}
    return {one.address: (one.reply[0], one.reply[1].encode("utf-8", "replace")) for one in verdict.refused}
