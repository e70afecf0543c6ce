"""The command ``audit`` of ``python -m mailflows``.

Exit status: 0 nothing is wrong, 1 there is an error or a warning, 2 wrong usage or a file that cannot
be read.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mailflows.flows._set import AUDIT_BUDGET, FlowSet

if TYPE_CHECKING:
    import argparse

    from mailflows._dns import Resolver

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    audit = commands.add_parser(
        "audit",
        help="say what the flows lack, and what they share",
        description="Look up what flows have published, and say what is missing, weak or shared.",
        epilog="Exit status: 0 nothing is wrong, 1 an error or a warning, 2 wrong usage or a bad file.",
    )
    audit.add_argument(
        "file", metavar="FLOWS.toml", help="a file with a table [flows.marketing] for each flow"
    )
    audit.add_argument("--json", action="store_true", help="write JSON")
    audit.add_argument("--explain", action="store_true", help="show evidence, advice and reference of each")
    audit.add_argument(
        "--nameserver", action="append", metavar="IP", help="ask this resolver (may be repeated)"
    )
    audit.add_argument("--port", type=int, default=53, help="port of the resolver")
    audit.add_argument(
        "--budget", type=float, default=AUDIT_BUDGET, metavar="SECONDS", help="wait no longer than this"
    )
    audit.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        flows = FlowSet.from_toml(options.file)
    except (OSError, UnicodeDecodeError) as problem:
        print(f"mailflows: {options.file}: {getattr(problem, 'strerror', None) or problem}", file=sys.stderr)
        return 2
    report = flows.audit(resolver=_resolver(options), budget=options.budget)
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
