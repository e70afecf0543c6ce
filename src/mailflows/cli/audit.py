"""``mailflows audit``: say what the flows lack in the DNS, and what they share.

Exit status: 0 nothing is wrong, 1 there is an error or a warning, 2 wrong usage or a file that cannot
be read.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mailflows.audit import AUDIT_BUDGET, audit
from mailflows.flows import FlowSet

if TYPE_CHECKING:
    import argparse

    from mailflows._dns import Resolver

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "audit",
        help="say what the flows lack, and what they share",
        description="Look up what flows have published, and say what is missing, weak or shared.",
        epilog="Exit status: 0 nothing is wrong, 1 an error or a warning, 2 wrong usage or a bad file.",
    )
    command.add_argument(
        "file", metavar="FLOWS.toml", help="a file with a table [flows.marketing] for each flow"
    )
    command.add_argument("--json", action="store_true", help="write JSON")
    command.add_argument("--explain", action="store_true", help="show evidence, advice and reference of each")
    command.add_argument(
        "--nameserver", action="append", metavar="IP", help="ask this resolver (may be repeated)"
    )
    command.add_argument("--port", type=int, default=53, help="port of the resolver")
    command.add_argument(
        "--budget", type=float, default=AUDIT_BUDGET, metavar="SECONDS", help="wait no longer than this"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        flows = FlowSet.from_toml(options.file, needs_passwords=False)
    except (OSError, UnicodeDecodeError) as problem:
        print(f"mailflows: {options.file}: {getattr(problem, 'strerror', None) or problem}", file=sys.stderr)
        return 2
    report = audit(flows, resolver=_resolver(options), budget=options.budget)
    if options.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    elif options.explain:
        for found in report:
            print("\n    ".join([str(found), *found.evidence, f"→ {found.advice} ({found.reference})"]))
        print(report.summary)
    else:
        print(report)
    return int(not report.ok)


def _resolver(options: argparse.Namespace) -> Resolver | None:
    if not options.nameserver:
        return None
    from mailflows._dns import Resolver  # noqa: PLC0415 -- only where it is needed

    return Resolver(options.nameserver, port=options.port)
