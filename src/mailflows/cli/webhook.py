"""``mailflows webhook``: read what a provider posted, and say what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailflows._result import to_text
from mailflows.cli._apply import add_apply, apply, list_of
from mailflows.cli._payloads import Payloads
from mailflows.cli._terminal import STATUS, complain, say, say_json
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows._result import Cell
    from mailflows.feedback import Event

__all__ = ["add_command"]

_COLUMNS = ("payload", "recipient", "what", "class", "status", "to do")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "webhook",
        help="read webhook payloads of a provider",
        description="Read webhook payloads as a provider posted them. Signatures are not checked.",
        epilog=STATUS,
    )
    command.add_argument("provider", metavar="PROVIDER", help="such as sendgrid, brevo or postmark")
    command.add_argument("files", nargs="+", metavar="PATH", help="a payload, a folder, or -")
    command.add_argument("--flow", type=Flow, choices=list(Flow), help="the flow of the messages")
    command.add_argument("--json", action="store_true", help="write one JSON object per event, one per line")
    add_apply(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Read every payload that is named."""
    suppressions = list_of(options)
    rows: list[list[Cell]] = []
    events: list[Event] = []
    found = Payloads(options.provider, options.files, flow=options.flow)
    for name, event in found:
        events.append(event)
        if options.json:
            say_json({"payload": name, **_plain(event)})
        else:
            rows.append(_row(name, event))
    if rows:
        say(to_text(_COLUMNS, rows))
    if suppressions is not None:
        (complain if options.json else say)(apply(suppressions, events, options.apply))
    return found.status


def _plain(event: Event) -> dict[str, Any]:
    """Return an event as JSON has it, without the payload itself."""
    return {key: value for key, value in event.to_dict().items() if key != "raw"}


def _row(name: str, event: Event) -> list[Cell]:
    reason = str(event.reason) if event.reason else None
    return [name, event.recipient, str(event.type), reason, event.status, str(event.action)]
