"""``mailflows audit``: say what the flows lack in the DNS, and what they share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._result import Severity
from mailflows.audit import audit, read_reports
from mailflows.audit._audit import AUDIT_BUDGET
from mailflows.cli._terminal import STATUS, complain, say, say_json
from mailflows.flows import FlowSet
from mailflows.message import Message

if TYPE_CHECKING:
    import argparse

    from mailflows._dns import Resolver
    from mailflows.audit import AuditReport

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "audit",
        help="check the DNS records of flows, and what they share",
        description="Check the DNS records of flows: what is missing, weak or shared.",
        epilog=STATUS,
    )
    command.add_argument(
        "file", metavar="FLOWS.toml", help="a file with a table [flows.marketing] for each flow"
    )
    command.add_argument("--json", action="store_true", help="write JSON")
    command.add_argument(
        "--explain", action="store_true", help="show the evidence, advice and reference of each finding"
    )
    command.add_argument(
        "--nameserver", action="append", metavar="IP", help="query this resolver (may be repeated)"
    )
    command.add_argument("--port", type=int, default=53, help="port of the resolver")
    command.add_argument(
        "--budget", type=float, default=AUDIT_BUDGET, metavar="SECONDS", help="give up after this time"
    )
    command.add_argument(
        "--blocklist", action="append", default=[], metavar="ZONE", help="also query this DNS blocklist"
    )
    command.add_argument(
        "--sample", action="append", default=[], metavar="FILE", help="also check this sent message"
    )
    command.add_argument(
        "--reports",
        action="append",
        default=[],
        metavar="PATH",
        help="read DMARC aggregate reports, to see who else sends",
    )
    command.add_argument(
        "--fail-on",
        choices=("error", "warning"),
        default="warning",
        help="lowest severity that gives exit status 1",
    )
    command.add_argument("--quiet", action="store_true", help="write nothing if nothing needs attention")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        flows = FlowSet.from_toml(options.file, needs_passwords=False)
        samples = [Message.read(Path(path)) for path in options.sample]
        reports = read_reports(*options.reports) if options.reports else None
    except (OSError, UnicodeDecodeError) as problem:
        name = getattr(problem, "filename", None) or options.file
        complain(f"{name}: {getattr(problem, 'strerror', None) or problem}")
        return 2
    report = audit(
        flows,
        resolver=_resolver(options),
        budget=options.budget,
        blocklists=options.blocklist,
        samples=samples,
        reports=reports,
    )
    status = _status(report, options.fail_on)
    if status or not options.quiet:
        _show(report, options)
    return status


def _show(report: AuditReport, options: argparse.Namespace) -> None:
    if options.json:
        say_json(report.to_dict())
    elif options.explain:
        for found in report:
            told = [str(found), *found.evidence, f"→ {found.advice} ({found.reference})"]
            told += [f"required by {', '.join(found.required_by)}"] if found.required_by else []
            told += [f"publish: {found.record}"] if found.record else []
            say("\n    ".join(told))
        say(report.summary)
    else:
        say(report)


def _status(report: AuditReport, fail_on: str) -> int:
    """Return 2 where the DNS did not answer everything, 1 where something needs attention."""
    if not report.is_checked:
        return 2
    wanted = Severity(fail_on).weight
    return int(any(found.severity.weight >= wanted for found in report))


def _resolver(options: argparse.Namespace) -> Resolver | None:
    if not options.nameserver:
        return None
    from mailflows._dns import Resolver  # noqa: PLC0415 -- only where it is needed

    return Resolver(options.nameserver, port=options.port)
