"""``mailflows fix``: repair a message or a template."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._result import printable
from mailflows.cli._terminal import STATUS, complain, say_json
from mailflows.cli.lint import PAGES
from mailflows.cli.messages import read_bytes
from mailflows.content import REPAIRS, fix, fix_html
from mailflows.errors import MessageError
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.content import FixResult

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "fix",
        help="repair a message or a template",
        description=f"Repair a message, or the page of a template (.html). Repairs: {', '.join(REPAIRS)}.",
        epilog=STATUS,
    )
    command.add_argument("message", metavar="MESSAGE", help="a file, or - for standard input")
    command.add_argument("--out", metavar="FILE", help="where to write; standard output by default")
    command.add_argument(
        "--only", help="repairs, separated by commas; all but inline-css and forms by default"
    )
    command.add_argument("--flow", type=Flow, choices=list(Flow), help="the flow that it is for")
    command.add_argument("--unsubscribe", metavar="URL", help="the https URL for List-Unsubscribe")
    command.add_argument("--json", action="store_true", help="write what was done as JSON; requires --out")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Repair the message or template that is named."""
    if options.json and not options.out:
        complain("--json needs --out FILE: standard output has the message")
        return 2
    try:
        result = _fixed(options)
        if options.out:
            Path(options.out).write_bytes(result.data)
        else:
            sys.stdout.buffer.write(result.data)
    except MessageError as problem:
        complain(f"{printable(options.message)}: {problem}")
        return 2
    except OSError as problem:
        complain(f"{printable(options.out or '-')}: {problem.strerror or type(problem).__name__}")
        return 2
    if options.json:
        say_json({"file": options.message, **result.to_dict()})
        return 0
    complain(result)
    for name, reason in result.skipped:
        complain(f"skipped {name}: {reason}")
    return 0


def _fixed(options: argparse.Namespace) -> FixResult:
    only = [word for word in options.only.split(",") if word] if options.only else None
    raw = read_bytes(options.message)
    if options.message.lower().endswith(PAGES):
        return fix_html(raw, only=only)
    return fix(raw, only=only, flow=options.flow, unsubscribe=options.unsubscribe)
