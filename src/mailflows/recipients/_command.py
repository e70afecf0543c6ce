"""The commands ``check`` and ``list`` of ``python -m mailflows``.

Exit status: 0 nothing is bad, 1 something is (an undeliverable address; a list that should not be mailed
as it is), 2 wrong usage or a file that cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._report import to_text
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.recipients._checker import RecipientChecker
from mailflows.recipients._policies import Advice
from mailflows.recipients._report import Verdict

if TYPE_CHECKING:
    from mailflows.recipients._report import RecipientReport

__all__ = ["add_commands"]

_STATUS = "Exit status: 0 nothing is bad, 1 something is, 2 wrong usage or a file that cannot be read."


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two commands to a parser; each sets ``run``, which returns the exit status."""
    check = commands.add_parser(
        "check",
        help="say whether to write to addresses",
        description="Say whether to write to addresses.",
        epilog=_STATUS,
    )
    check.add_argument(
        "addresses", nargs="+", metavar="ADDRESS", help="an address, or - for one a line on standard input"
    )
    check.set_defaults(run=run_check)
    base = commands.add_parser(
        "list",
        help="say what a mailing base is worth",
        description="Check a CSV file of addresses: counts, predicted bounces, each provider's rule.",
        epilog=_STATUS,
    )
    base.add_argument("file", metavar="FILE.csv", help="a CSV file, or - for standard input")
    base.add_argument("--column", help="name of the column with the addresses; found by default")
    base.add_argument("--out", metavar="FILE.csv", help="write every row with its verdict to this file")
    base.add_argument("--clean", metavar="FILE.txt", help="write the safe addresses to this file, one a line")
    base.add_argument(
        "--cache", metavar="FILE", help="keep what the DNS said here, to go on after an interruption"
    )
    base.set_defaults(run=run_list)
    for command in (check, base):
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


def _require_apart(options: argparse.Namespace) -> None:
    """Refuse to write over the list that is read, or two results into one file."""
    named = [options.file, options.out, options.clean, options.cache]
    paths = [Path(name).resolve() for name in named if name and name != "-"]
    if len(set(paths)) < len(paths):
        msg = "the list, --out, --clean and --cache name the same file"
        raise ConfigurationError(msg, field="out")
    for path in paths[1:]:
        if not path.parent.is_dir():
            msg = f"{path.parent} is no folder to write into"
            raise ConfigurationError(msg, field="out")


def run_check(options: argparse.Namespace) -> int:
    """Check the addresses that are named."""
    checker = _checker(options, default=None)
    addresses = [line for name in options.addresses for line in (_lines() if name == "-" else [name])]
    reports = [checker.check(address) for address in addresses]
    if options.json:
        for report in reports:
            print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        print(to_text(["address", "verdict", "did you mean", "why"], [_row(report) for report in reports]))
    return int(any(report.verdict is Verdict.UNDELIVERABLE for report in reports))


def _row(report: RecipientReport) -> list[str]:
    why = "; ".join(reason.sentence.rstrip(".") for reason in report.reasons)
    return [report.address, str(report.verdict), report.suggestion or "-", why or "-"]


def run_list(options: argparse.Namespace) -> int:
    """Check the file that is named."""
    checker = _checker(options, default=Flow.MARKETING)
    try:
        _require_apart(options)
        rows = sys.stdin.buffer if options.file == "-" else options.file
        report = checker.check_list(rows, column=options.column, cache=options.cache)
        if options.out:
            report.to_csv(options.out)
        if options.clean:
            with open(options.clean, "w", encoding="utf-8", newline="\n") as opened:  # noqa: PTH123 -- as the user names it
                opened.writelines(f"{address}\n" for address in report.clean())
    except ConfigurationError as problem:
        print(f"mailflows: {problem}", file=sys.stderr)
        return 2
    except OSError as problem:
        print(
            f"mailflows: {problem.filename or options.file}: {problem.strerror or problem}", file=sys.stderr
        )
        return 2
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else report)
    return int(report.advice is not Advice.GO)


def _lines() -> list[str]:
    return [line.rstrip("\r\n") for line in sys.stdin]


def _checker(options: argparse.Namespace, *, default: Flow | None) -> RecipientChecker:
    resolver = None
    if options.nameserver:
        from mailflows._dns import Resolver  # noqa: PLC0415 -- only where it is needed

        resolver = Resolver(options.nameserver, port=options.port)
    return RecipientChecker(resolver=resolver, dns=not options.no_dns, flow=options.flow or default)
