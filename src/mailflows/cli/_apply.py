"""``--apply``: feed a suppression list with the events that a command has read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailflows._result import number_of
from mailflows.cli._store import STORES, add_secret, settings_named, store_named
from mailflows.feedback import SuppressionList

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mailflows.feedback import Event

__all__ = ["add_apply", "apply", "list_of"]

_EARLY = datetime.min.replace(tzinfo=UTC)

_REQUESTS = frozenset({"complained", "unsubscribed", "opted-out"})
"""Reasons of a person: about one kind of mail, as a dead mailbox never is."""


def add_apply(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which suppression list is fed."""
    parser.add_argument(
        "--apply", metavar="FILE", help=f"apply the events to this suppression list: {STORES}"
    )
    add_secret(parser)


def list_of(options: argparse.Namespace) -> SuppressionList | None:
    """Open the list that is to be fed, before anything is read; an SQLite file is made where there is none.

    Raises:
        ConfigurationError: If it cannot be opened.
    """
    if not options.apply:
        return None
    return SuppressionList(store_named(options.apply, options.secret_env, is_made=True))


def apply(suppressions: SuppressionList, events: Sequence[Event], name: str) -> str:
    """Feed the list that is named, the oldest event first, and say how many addresses that suppresses."""
    ordered = sorted(_in_their_flows(name, events), key=lambda event: event.time or _EARLY)
    entries = [entry for event in ordered if (entry := suppressions.apply(event)) is not None]
    number = len({entry.key for entry in entries})
    said = f"{number_of(number, 'address', 'addresses')} suppressed"
    wide = len({one.key for one in entries if one.scope == "global" and one.reason in _REQUESTS})
    if wide:
        said += f", {wide:,} of them on all flows, by a complaint or unsubscribe request that names no flow"
        said += ": pass --flow with the flow of that mail"
    return said


def _in_their_flows(name: str, events: Sequence[Event]) -> Sequence[Event]:
    """Return events in the flows of the gate whose file is named, as `Gate.report` does."""
    file = settings_named(name)
    if file is None:
        return events
    from mailflows.flows import FlowSet  # noqa: PLC0415 -- only where it is needed
    from mailflows.gate._outcome import attributed  # noqa: PLC0415

    return attributed(tuple(events), FlowSet.from_file(file, needs_passwords=False))
