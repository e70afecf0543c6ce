"""``mailflows bounces``: read what came back (files, folders, an mbox, a Maildir), and say what to do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mailflows._result import number_of, printable, to_text
from mailflows.cli._apply import add_apply, apply, list_of
from mailflows.cli._terminal import STATUS, complain, counted, say, say_json
from mailflows.cli.messages import messages
from mailflows.errors import MessageError
from mailflows.feedback import parse_autoreply, parse_bounce
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from mailflows._result import Cell
    from mailflows.feedback import Event

__all__ = ["add_command"]

_COLUMNS = ("message", "recipient", "what", "class", "status", "whose fault", "to do")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "bounces",
        help="read bounces, complaints and automatic replies",
        description="Read bounces, complaints and automatic replies: files, folders, mbox, Maildir.",
        epilog=STATUS,
    )
    command.add_argument("paths", nargs="+", metavar="PATH", help="a file or a folder; - for standard input")
    command.add_argument(
        "--flow", type=Flow, choices=list(Flow), help="the flow whose return path received them"
    )
    command.add_argument("--json", action="store_true", help="write one JSON object per event, one per line")
    add_apply(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Read everything that is named; what cannot be read is said and the others go on."""
    suppressions = list_of(options)
    seen: Counter[str] = Counter()
    events = list(_read(options, seen))
    if options.json:
        for name, event in events:
            say_json({"message": name, **_plain(event)})
    elif events:
        say(to_text(_COLUMNS, [_row(name, event) for name, event in events]))
    summary = _summary(seen)
    if suppressions is not None:
        summary += f"; {apply(suppressions, [event for _, event in events], options.apply)}"
    (complain if options.json else say)(summary)
    return 2 if seen["unreadable"] else 0


def _read(options: argparse.Namespace, seen: Counter[str]) -> Iterator[tuple[str, Event]]:
    """Yield name and event of each thing that came back, and count the messages by what they are."""
    for name, content in counted(messages(options.paths), "messages"):
        try:
            if isinstance(content, MessageError):
                raise content
            found = parse_bounce(content, flow=options.flow)
            answer = None if found else parse_autoreply(content)
        except MessageError as problem:
            seen["unreadable"] += 1
            complain(f"{printable(name)}: {problem}")
            continue
        seen["report" if found else "automatic reply" if answer else "other message"] += 1
        for event in found or ((answer,) if answer else ()):
            yield name, event


def _plain(event: Event) -> dict[str, Any]:
    """Return an event as JSON has it, without the report itself."""
    fault = str(event.reason.fault) if event.reason else None
    return {key: value for key, value in event.to_dict().items() if key != "raw"} | {"fault": fault}


def _row(name: str, event: Event) -> list[Cell]:
    fault = str(event.reason.fault) if event.reason else None
    status = event.status or (str(event.smtp_code) if event.smtp_code else None)
    reason = str(event.reason) if event.reason else None
    return [name, event.recipient, str(event.type), reason, status, fault, str(event.action)]


def _summary(seen: Counter[str]) -> str:
    """Return one line: how many messages were what."""
    kinds = {
        "report": "",
        "automatic reply": "automatic replies",
        "other message": "",
        "unreadable": "unreadable",
    }
    told = ", ".join(number_of(seen[kind], kind, many) for kind, many in kinds.items())
    return f"{number_of(seen.total(), 'message')}: {told}"
