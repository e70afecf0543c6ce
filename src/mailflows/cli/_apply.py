"""``--apply``: feed a suppression list with the events that a command has read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailflows._result import number_of
from mailflows.cli._store import STORES, add_secret, store_named
from mailflows.feedback import SuppressionList

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mailflows.feedback import Event

__all__ = ["add_apply", "apply", "list_of"]

_EARLY = datetime.min.replace(tzinfo=UTC)


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


def apply(suppressions: SuppressionList, events: Sequence[Event]) -> str:
    """Feed the list, the oldest event first, and say how many addresses are suppressed by them."""
    ordered = sorted(events, key=lambda event: event.time or _EARLY)
    entries = [entry for event in ordered if (entry := suppressions.apply(event)) is not None]
    number = len({entry.key for entry in entries})
    return f"{number_of(number, 'address', 'addresses')} suppressed"
