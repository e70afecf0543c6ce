"""The commands ``lint`` and ``fix`` of ``python -m mailflows``.

Exit status of ``lint``: 0 no error was found in any message, 1 one was, 2 wrong usage or what cannot be
read. ``fix`` ends with 0 when it could write a message.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._report import printable
from mailflows.content._fix import REPAIRS, fix, fix_html
from mailflows.content._lint import lint, lint_html
from mailflows.content._report import Severity
from mailflows.errors import MessageError
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.content._fix import FixResult
    from mailflows.content._report import LintReport

__all__ = ["add_commands"]

_PAGES = (".html", ".htm")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two commands to a parser; each sets ``run``, which returns the exit status."""
    _add_lint(commands)
    _add_fix(commands)


def _add_lint(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    command.set_defaults(run=run_lint)


def _add_fix(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "fix",
        help="repair a message or a template",
        description=f"Repair a message, or the page of a template (.html). Repairs: {', '.join(REPAIRS)}.",
        epilog="Exit status: 0 a message was written, 2 wrong usage or what cannot be read.",
    )
    command.add_argument("message", metavar="MESSAGE", help="a file, or - for standard input")
    command.add_argument("--out", metavar="FILE", help="where to write; standard output by default")
    command.add_argument("--only", help="repairs, with commas between; all but inline-css by default")
    command.add_argument("--flow", type=Flow, choices=list(Flow), help="the flow it is for")
    command.add_argument("--unsubscribe", metavar="URL", help="the https address for List-Unsubscribe")
    command.set_defaults(run=run_fix)


def run_lint(options: argparse.Namespace) -> int:
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
    if name.lower().endswith(_PAGES):
        page = _bytes(name).decode("utf-8", "replace")
        return lint_html(page, flow=options.flow, clients=wanted, ignore=ignored)
    return lint(_bytes(name), flow=options.flow, clients=wanted, ignore=ignored)


def _bytes(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as problem:
        raise MessageError(problem.strerror or str(problem)) from problem


def _shown(name: str, report: LintReport, *, show_all: bool) -> str:
    findings = report.findings if show_all else report.at_least(Severity.WARNING)
    lines = [f"{name}: {report}", *(f"  {finding}" for finding in findings)]
    return "\n".join(map(printable, lines))


def run_fix(options: argparse.Namespace) -> int:
    """Repair the message or template that is named."""
    try:
        result = _fixed(options)
        if options.out:
            Path(options.out).write_bytes(result.data)
        else:
            sys.stdout.buffer.write(result.data)
    except (MessageError, OSError) as problem:
        print(f"mailflows: {problem}", file=sys.stderr)
        return 2
    print(result, file=sys.stderr)
    for name, reason in result.skipped:
        print(f"  skipped {name}: {reason}", file=sys.stderr)
    return 0


def _fixed(options: argparse.Namespace) -> FixResult:
    only = [word for word in options.only.split(",") if word] if options.only else None
    raw = _bytes(options.message)
    if options.message.lower().endswith(_PAGES):
        return fix_html(_text(raw), only=only)
    return fix(raw, only=only, flow=options.flow, unsubscribe=options.unsubscribe)


def _text(raw: bytes) -> str:
    """Return a template that can be written again as it was."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        msg = f"the template is not UTF-8 at byte {problem.start}; write it in UTF-8 first"
        raise MessageError(msg, position=problem.start) from problem
