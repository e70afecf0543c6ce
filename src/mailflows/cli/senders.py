"""``mailflows senders``: list blocked senders, and unblock them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._result import to_text
from mailflows.cli._store import add_store, store_of
from mailflows.cli._terminal import STATUS, say, say_json
from mailflows.senders import SenderControl

if TYPE_CHECKING:
    import argparse

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "senders",
        help="list blocked senders, and unblock them",
        description="List blocked senders, and unblock them.",
        epilog=STATUS,
    )
    verbs = command.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="list blocked senders")
    listing.set_defaults(run=_list)
    unblocking = verbs.add_parser("unblock", help="unblock a sender")
    unblocking.set_defaults(run=_unblock)
    for verb in (listing, unblocking):
        add_store(verb)
        verb.add_argument(
            "--json", action="store_true", help="write one JSON object per sender, one per line"
        )
    unblocking.add_argument(
        "sender", metavar="NAME", help="the address or account, as your program passes it"
    )


def _control(options: argparse.Namespace, *, read_only: bool = False) -> SenderControl:
    return SenderControl(store_of(options, read_only=read_only))


def _list(options: argparse.Namespace) -> int:
    """List who is blocked: by name where names are kept, else by hash."""
    blocked = sorted(_control(options, read_only=True).blocked(), key=lambda one: one[0])
    if options.json:
        for name, verdict in blocked:
            say_json({"sender": name, **verdict.to_dict()})
        return 0
    rows = [
        (
            name,
            f"{verdict.until:%Y-%m-%d %H:%M} UTC" if verdict.until else "permanently",
            str(verdict),
        )
        for name, verdict in blocked
    ]
    say(to_text(["sender", "until", "why"], rows) if rows else "no sender is blocked")
    return 0


def _unblock(options: argparse.Namespace) -> int:
    """Let a sender go, and return its status."""
    control = _control(options)
    before = control.check(options.sender)
    after = control.unblock(options.sender)
    if options.json:
        say_json({"sender": options.sender, "before": str(before.status), **after.to_dict()})
    else:
        say(f"{options.sender}: {before.status} before, {after.status} now")
    return 0
