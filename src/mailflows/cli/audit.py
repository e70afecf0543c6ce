"""``mailflows audit``: say what the flows lack in the DNS, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.audit import audit
from mailflows.audit._audit import AUDIT_BUDGET
from mailflows.cli._terminal import STATUS, complain, say, say_json
from mailflows.flows import FlowSet

if TYPE_CHECKING:
    import argparse

    from mailflows._dns import Resolver

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "audit",
        help="check the DNS records of flows, and what flows share",
        description="Check the DNS records of flows: what is missing, weak or shared.",
        epilog=STATUS,
    )
    command.add_argument(
        "file", metavar="FLOWS.toml", help="a file with a table [flows.marketing] for each flow"
    )
    command.add_argument("--json", action="store_true", help="write JSON")
    command.add_argument("--explain", action="store_true", help="show evidence, advice and reference of each")
    command.add_argument(
        "--nameserver", action="append", metavar="IP", help="query this resolver (may be repeated)"
    )
    command.add_argument("--port", type=int, default=53, help="port of the resolver")
    command.add_argument(
        "--budget", type=float, default=AUDIT_BUDGET, metavar="SECONDS", help="give up after this time"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        flows = FlowSet.from_toml(options.file, needs_passwords=False)
    except (OSError, UnicodeDecodeError) as problem:
        complain(f"{options.file}: {getattr(problem, 'strerror', None) or problem}")
        return 2
    report = audit(flows, resolver=_resolver(options), budget=options.budget)
    if options.json:
        say_json(report.to_dict())
    elif options.explain:
        for found in report:
            say("\n    ".join([str(found), *found.evidence, f"→ {found.advice} ({found.reference})"]))
        say(report.summary)
    else:
        say(report)
    return int(not report.ok)


def _resolver(options: argparse.Namespace) -> Resolver | None:
    if not options.nameserver:
        return None
    from mailflows._dns import Resolver  # noqa: PLC0415 -- only where it is needed

    return Resolver(options.nameserver, port=options.port)
