"""``mailflows check``: say whether to write to addresses.

Exit status: 0 nothing is bad, 1 an address is undeliverable, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from mailflows._result import to_text
from mailflows.flow import Flow
from mailflows.recipients import Deliverability, RecipientChecker

if TYPE_CHECKING:
    from mailflows.recipients import RecipientReport

__all__ = ["STATUS", "add_checker_options", "add_command", "checker_of"]

STATUS = "Exit status: 0 nothing is bad, 1 something is, 2 wrong usage or a file that cannot be read."


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    check = commands.add_parser(
        "check",
        help="say whether to write to addresses",
        description="Say whether to write to addresses.",
        epilog=STATUS,
    )
    check.add_argument(
        "addresses", nargs="+", metavar="ADDRESS", help="an address, or - for one a line on standard input"
    )
    check.set_defaults(run=_run)
    add_checker_options(check)


def add_checker_options(command: argparse.ArgumentParser) -> None:
    """Add what ``check`` and ``list`` are told about the DNS and the flow."""
    command.add_argument("--no-dns", action="store_true", help="ask no DNS: nothing leaves this machine")
    command.add_argument("--json", action="store_true", help="write JSON")
    command.add_argument(
        "--flow", type=Flow, choices=list(Flow), help="what is sent; in marketing role accounts are risky"
    )
    command.add_argument(
        "--nameserver", action="append", metavar="IP", help="ask this resolver (may be repeated)"
    )
    command.add_argument("--port", type=_port, default=53, help="port of the resolver")


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_536:
        msg = "a port is a number from 1 to 65535"
        raise argparse.ArgumentTypeError(msg)
    return port


def _run(options: argparse.Namespace) -> int:
    """Check the addresses that are named."""
    checker = checker_of(options, default=None)
    addresses = [line for name in options.addresses for line in (_lines() if name == "-" else [name])]
    reports = [checker.check(address) for address in addresses]
    if options.json:
        for report in reports:
            print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        print(to_text(["address", "verdict", "did you mean", "why"], [_row(report) for report in reports]))
    return int(any(report.verdict is Deliverability.UNDELIVERABLE for report in reports))


def _row(report: RecipientReport) -> list[str]:
    why = "; ".join(reason.sentence.rstrip(".") for reason in report.reasons)
    return [report.address, str(report.verdict), report.suggestion or "-", why or "-"]


def _lines() -> list[str]:
    return [line.rstrip("\r\n") for line in sys.stdin]


def checker_of(options: argparse.Namespace, *, default: Flow | None) -> RecipientChecker:
    """Return the checker that the options ask for."""
    resolver = None
    if options.nameserver:
        from mailflows._dns import Resolver  # noqa: PLC0415 -- only where it is needed

        resolver = Resolver(options.nameserver, port=options.port)
    return RecipientChecker(resolver=resolver, dns=not options.no_dns, flow=options.flow or default)
