"""``mailflows list``: check a whole mailing list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._result import number_of
from mailflows.cli._terminal import STATUS, complain, say, say_json
from mailflows.cli.check import add_checker_options, checker_of
from mailflows.errors import ConfigurationError, MissingExtra
from mailflows.flow import Flow
from mailflows.recipients import Advice
from mailflows.recipients._csv import PLAIN
from mailflows.recipients._tables import dialect_for, writing

if TYPE_CHECKING:
    import argparse

    from mailflows.recipients import ListReport

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    base = commands.add_parser(
        "list",
        help="check a whole mailing list",
        description="Check a file of addresses: counts, predicted bounces, and providers' limits.",
        epilog=STATUS,
    )
    base.add_argument(
        "file",
        metavar="FILE",
        help="a CSV, plain text, JSON or Excel file, compressed or not; - for standard input",
    )
    base.add_argument("--column", help="name of the column with the addresses; detected by default")
    base.add_argument("--out", metavar="FILE.csv", help="write every row with its verdict to this file")
    base.add_argument(
        "--clean",
        metavar="FILE",
        help="write the safe rows to this file: whole rows if it ends in .csv or .tsv, "
        "otherwise only the addresses",
    )
    base.add_argument(
        "--ignore-status",
        action="store_true",
        help="keep rows whose status column says unsubscribed, bounced, blocked, …",
    )
    base.add_argument(
        "--delimiter", metavar="CHARACTER", help="the delimiter to write; by default that of FILE"
    )
    base.add_argument(
        "--encoding", help="encoding to write, such as utf-8-sig for Excel; by default that of FILE"
    )
    base.add_argument(
        "--provider",
        metavar="NAME",
        help="judge by this provider's bounce limit, such as brevo; by default by the strictest",
    )
    base.add_argument(
        "--cache", metavar="FILE", help="keep DNS answers here, to resume after an interruption"
    )
    base.set_defaults(run=_run)
    add_checker_options(base, default=Flow.MARKETING)


def _run(options: argparse.Namespace) -> int:
    """Check the file that is named."""
    checker = checker_of(options)
    written = None
    try:
        _require_apart(options)
        rows = sys.stdin.buffer if options.file == "-" else options.file
        report = checker.check_list(rows, column=options.column, cache=options.cache)
        policy = report.policy(options.provider) if options.provider else None
        advice = report.advice if policy is None else policy.advice
        if options.out:
            report.to_csv(options.out, delimiter=options.delimiter, encoding=options.encoding)
        if options.clean:
            written = _write_clean(report, options)
    except (ConfigurationError, MissingExtra) as problem:
        complain(f"{problem}")
        return 2
    except OSError as problem:
        complain(f"{problem.filename or options.file}: {problem.strerror or problem}")
        return 2
    left_out = {} if written is None else report.left_out(ignore_status=options.ignore_status)
    if options.json:
        decides = {} if policy is None else {"decided_by": policy.to_dict()}
        clean = {} if written is None else {"clean": {"written": written, "left_out": left_out}}
        say_json(report.to_dict() | decides | clean)
    else:
        say(report)
        if policy is not None:
            say(f"\n{policy}\n{policy.policy.rule[0].upper()}{policy.policy.rule[1:]}.")
    if written is not None:
        _tell_clean(report, options, written, left_out)
    return int(advice is not Advice.GO)


def _write_clean(report: ListReport, options: argparse.Namespace) -> int:
    """Write the safe rows, whole ones to a table, else the addresses alone; return how many."""
    if options.clean.lower().endswith((".csv", ".tsv")) and report.columns:
        return report.clean_to_csv(
            options.clean,
            ignore_status=options.ignore_status,
            delimiter=options.delimiter,
            encoding=options.encoding,
        )
    count = 0
    dialect = dialect_for(PLAIN, options.delimiter, options.encoding)
    with writing(options.clean, dialect.encoding) as opened:
        for count, row in enumerate(report.clean(ignore_status=options.ignore_status), 1):  # noqa: B007 -- the count of the last one is returned
            opened.write(f"{row if isinstance(row, str) else row[report.column]}\n")
    return count


def _tell_clean(
    report: ListReport, options: argparse.Namespace, written: int, left_out: dict[str, int]
) -> None:
    """Account for every row that was read; complain where none was kept."""
    lost = sum(left_out.values())
    why = ", ".join(f"{count} {name}" for name, count in left_out.items())
    kept = report.rows - lost
    more = f", as {number_of(written, 'line')} with one address each" if written != kept else ""
    if not options.json:
        left = f"; {lost} left out: {why}" if lost else ""
        say(f"\n{options.clean}: {kept} of {number_of(report.rows, 'row')} written{more}{left}.")
    if not written:
        complain(f"{options.clean} has no rows: {_why_nothing(report, left_out)}")


def _why_nothing(report: ListReport, left_out: dict[str, int]) -> str:
    """Say why nothing was kept, and what to do."""
    most = max(left_out, key=left_out.__getitem__, default="")
    if report.resolver_trouble:
        return (
            f"{report.resolver_trouble}, so no domain could be confirmed; pass another resolver with "
            "--nameserver, or check without the DNS (--no-dns)"
        )
    if most in report.do_not_mail:
        columns = ", ".join(report.status_columns)
        return f"most are marked {most} ({columns}); export the subscribed contacts instead"
    return f"most are {most}; see the reasons above, or in the file of --out" if most else "the list is empty"


def _require_apart(options: argparse.Namespace) -> None:
    """Refuse to write over the list that is read, or two results into one file."""
    named = [options.file, options.out, options.clean, options.cache]
    paths = [Path(name).resolve() for name in named if name and name != "-"]
    if len(set(paths)) < len(paths):
        msg = "the list, --out, --clean and --cache must all be different files"
        raise ConfigurationError(msg, field="out")
    for path in paths[1:]:
        if not path.parent.is_dir():
            msg = f"{path.parent} is not a folder to write into"
            raise ConfigurationError(msg, field="out")
