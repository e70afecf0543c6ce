"""``mailflows lint``: say what should be changed in messages or templates.

Exit status: 0 no error was found in any message, 1 one was, 2 wrong usage or what cannot be read.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mailflows._result import Severity, printable
from mailflows.cli.messages import read_bytes
from mailflows.content import lint, lint_html
from mailflows.errors import MessageError
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.content import LintReport

__all__ = ["PAGES", "add_command"]

PAGES = (".html", ".htm")
"""Endings of the files that are templates, not messages."""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "lint",
        help="say what should be changed in messages or templates",
        description="Say what should be changed in messages, or in templates (.html).",
        epilog="Exit status: 0 no error was found, 1 one was, 2 wrong usage or what cannot be read.",
    )
    command.add_argument("messages", nargs="+", metavar="MESSAGE", help="a file, or - for standard input")
    command.add_argument("--flow", type=Flow, choices=list(Flow), help="the flow it is for")
    command.add_argument("--clients", default="default", help="default, all, or names with commas between")
    command.add_argument("--ignore", default="", help="codes or families, with commas between")
    command.add_argument("--all", action="store_true", help="show what is only worth knowing, too")
    command.add_argument("--json", action="store_true", help="one JSON object a message and line")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Lint everything that is named; what cannot be read is said and the others go on."""
    status = 0
    for name in options.messages:
        try:
            report = _linted(name, options)
        except MessageError as problem:
            print(f"{name}: {problem}", file=sys.stderr)
            status = 2
            continue
        if options.json:
            print(json.dumps({"file": name, **report.to_dict()}, ensure_ascii=False))
        else:
            print(_shown(name, report, show_all=options.all))
        status = max(status, int(not report.ok))
    return status


def _linted(name: str, options: argparse.Namespace) -> LintReport:
    wanted = [word for word in options.clients.split(",") if word]
    ignored = [word for word in options.ignore.split(",") if word]
    if name.lower().endswith(PAGES):
        page = read_bytes(name).decode("utf-8", "replace")
        return lint_html(page, flow=options.flow, clients=wanted, ignore=ignored)
    return lint(read_bytes(name), flow=options.flow, clients=wanted, ignore=ignored)


def _shown(name: str, report: LintReport, *, show_all: bool) -> str:
    findings = report.findings if show_all else report.at_least(Severity.WARNING)
    lines = [f"{name}: {report}", *(f"  {finding}" for finding in findings)]
    return "\n".join(map(printable, lines))
