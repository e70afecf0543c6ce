"""``mailflows lint``: check messages or templates for faults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._result import Severity, printable
from mailflows.cli._terminal import STATUS, complain, counted, say, say_json
from mailflows.cli.messages import messages, read_bytes
from mailflows.content import lint, lint_html
from mailflows.errors import MessageError
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from mailflows.content import LintReport

__all__ = ["PAGES", "add_command"]

PAGES = (".html", ".htm")
"""Endings of the files that are templates, not messages."""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "lint",
        help="check messages or templates for faults",
        description="Check messages, or templates (.html), for faults.",
        epilog=STATUS,
    )
    command.add_argument("messages", nargs="+", metavar="PATH", help="a message, a template, a folder, or -")
    command.add_argument("--flow", type=Flow, choices=list(Flow), help="the flow that they are for")
    command.add_argument(
        "--clients", default="default", help="mail clients: default, all, or names separated by commas"
    )
    command.add_argument("--ignore", default="", help="codes or families to ignore, separated by commas")
    command.add_argument("--all", action="store_true", help="also show informational findings")
    command.add_argument(
        "--json", action="store_true", help="write one JSON object per message, one per line"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Lint everything that is named; what cannot be read is said and the others go on."""
    status = 0
    for name, content in counted(_inputs(options.messages), "messages"):
        try:
            report = _linted(name, content, options)
        except MessageError as problem:
            complain(f"{printable(name)}: {problem}")
            status = 2
            continue
        if options.json:
            say_json({"file": name, **report.to_dict()})
        else:
            say(_shown(name, report, show_all=options.all))
        status = max(status, int(not report.ok))
    return status


def _inputs(names: Sequence[str]) -> Iterator[tuple[str, bytes | Path | MessageError]]:
    """Yield every message and template that is named, or lies in a folder that is."""
    for name in names:
        if name.lower().endswith(PAGES):
            yield name, Path(name)
            continue
        pages = [p for p in sorted(Path(name).rglob("*")) if p.suffix.lower() in PAGES] if name != "-" else []
        yield from ((str(page), page) for page in pages)
        for found, content in messages([name]):
            if not (pages and found == name and isinstance(content, MessageError)):  # a folder of templates
                yield found, content


def _linted(name: str, content: bytes | Path | MessageError, options: argparse.Namespace) -> LintReport:
    if isinstance(content, MessageError):
        raise content
    raw = read_bytes(str(content)) if isinstance(content, Path) else content
    wanted = [word for word in options.clients.split(",") if word]
    ignored = [word for word in options.ignore.split(",") if word]
    if name.lower().endswith(PAGES):
        return lint_html(raw, flow=options.flow, clients=wanted, ignore=ignored)
    return lint(raw, flow=options.flow, clients=wanted, ignore=ignored)


def _shown(name: str, report: LintReport, *, show_all: bool) -> str:
    findings = report.findings if show_all else report.at_least(Severity.WARNING)
    lines = [f"{printable(name)}: {report}", *(f"  {finding}" for finding in findings)]
    return "\n".join(lines)
