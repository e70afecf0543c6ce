"""``mailflows check``: check whether addresses can be mailed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from mailflows.cli._store import STORES, add_secret, store_named
from mailflows.cli._terminal import STATUS, say_json, say_table
from mailflows.feedback import SuppressionList
from mailflows.flow import Flow
from mailflows.recipients import Deliverability, Overrides, RecipientChecker

if TYPE_CHECKING:
    from mailflows.cli._terminal import Tone
    from mailflows.recipients import RecipientReport

__all__ = ["add_checker_options", "add_command", "checker_of"]

_TONES: dict[Deliverability, Tone] = {
    Deliverability.DELIVERABLE: "good",
    Deliverability.UNKNOWN: "",
    Deliverability.RISKY: "doubtful",
    Deliverability.UNDELIVERABLE: "bad",
}


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    check = commands.add_parser(
        "check",
        help="check whether addresses can be mailed",
        description="Check whether addresses can be mailed.",
        epilog=STATUS,
    )
    check.add_argument(
        "addresses", nargs="+", metavar="ADDRESS", help="an address, or - for one per line on standard input"
    )
    check.set_defaults(run=_run)
    add_checker_options(check)


def add_checker_options(command: argparse.ArgumentParser, *, default: Flow | None = None) -> None:
    """Add the options about DNS and flow that ``check`` and ``list`` share."""
    command.add_argument(
        "--no-dns", action="store_true", help="make no DNS queries: nothing leaves this machine"
    )
    command.add_argument("--json", action="store_true", help="write JSON")
    command.add_argument(
        "--flow",
        type=Flow,
        choices=list(Flow),
        default=default,
        help=f"the flow to be sent; for marketing, role accounts are risky (default: {default or 'none'})",
    )
    command.add_argument(
        "--nameserver", action="append", metavar="IP", help="query this resolver (may be repeated)"
    )
    command.add_argument(
        "--internal-domain",
        action="append",
        default=[],
        metavar="DOMAIN",
        help="a domain of your own network, such as firm.lan (may be repeated)",
    )
    command.add_argument(
        "--suppressions", metavar="FILE", help=f"your suppression list, which is only read: {STORES}"
    )
    add_secret(command)
    command.add_argument(
        "--list", metavar="NAME", help="the mailing list, by its name in the suppression list, such as news"
    )
    command.add_argument("--port", type=_port, default=53, help="port of the resolver")


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65_536:
        msg = "a port must be a number from 1 to 65535"
        raise argparse.ArgumentTypeError(msg)
    return port


def _run(options: argparse.Namespace) -> int:
    """Check the addresses that are named."""
    checker = checker_of(options)
    addresses = [line for name in options.addresses for line in (_lines() if name == "-" else [name])]
    reports = [checker.check(address) for address in addresses]
    if options.json:
        for report in reports:
            say_json(report.to_dict())
    else:
        tones = [_TONES[report.verdict] for report in reports]
        say_table(["address", "verdict", "did you mean", "why"], [_row(report) for report in reports], tones)
    return int(any(report.verdict is Deliverability.UNDELIVERABLE for report in reports))


def _row(report: RecipientReport) -> list[str]:
    why = "; ".join(reason.sentence.rstrip(".") for reason in report.reasons)
    return [report.address, str(report.verdict), report.suggestion or "-", why or "-"]


def _lines() -> list[str]:
    return [line.rstrip("\r\n") for line in sys.stdin]


def checker_of(options: argparse.Namespace) -> RecipientChecker:
    """Return the checker that the options ask for."""
    resolver = None
    if options.nameserver:
        from mailflows._dns import Resolver  # noqa: PLC0415 -- only where it is needed

        resolver = Resolver(options.nameserver, port=options.port)
    own = Overrides.of(internal_domains=options.internal_domain)
    return RecipientChecker(
        resolver=resolver,
        dns=not options.no_dns,
        flow=options.flow,
        list=options.list,
        bounced=_suppressions(options),
        overrides=own,
    )


def _suppressions(options: argparse.Namespace) -> SuppressionList | None:
    """Return the suppression list that is named, to look at."""
    if not options.suppressions:
        return None
    return SuppressionList(store_named(options.suppressions, options.secret_env, read_only=True))
