"""``mailflows list``: check a whole mailing list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows.cli._terminal import STATUS, complain, say, say_json
from mailflows.cli.check import add_checker_options, checker_of
from mailflows.errors import ConfigurationError, MissingExtra
from mailflows.flow import Flow
from mailflows.recipients import Advice

if TYPE_CHECKING:
    import argparse

    from mailflows.recipients import ListReport

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    base = commands.add_parser(
        "list",
        help="check a whole mailing list",
        description="Check a file of addresses: counts, predicted bounces, the limits of providers.",
        epilog=STATUS,
    )
    base.add_argument(
        "file",
        metavar="FILE",
        help="a file of CSV, plain text, JSON or Excel, compressed or not; - for standard input",
    )
    base.add_argument("--column", help="name of the column with the addresses; found by default")
    base.add_argument("--out", metavar="FILE.csv", help="write every row with its verdict to this file")
    base.add_argument(
        "--clean",
        metavar="FILE",
        help="write the safe rows to this file: whole ones if it ends in .csv, else the addresses",
    )
    base.add_argument(
        "--cache", metavar="FILE", help="keep DNS answers here, to resume after an interruption"
    )
    base.set_defaults(run=_run)
    add_checker_options(base)


def _run(options: argparse.Namespace) -> int:
    """Check the file that is named."""
    checker = checker_of(options, default=Flow.MARKETING)
    try:
        _require_apart(options)
        rows = sys.stdin.buffer if options.file == "-" else options.file
        report = checker.check_list(rows, column=options.column, cache=options.cache)
        if options.out:
            report.to_csv(options.out)
        if options.clean:
            _write_clean(report, options.clean)
    except (ConfigurationError, MissingExtra) as problem:
        complain(f"{problem}")
        return 2
    except OSError as problem:
        complain(f"{problem.filename or options.file}: {problem.strerror or problem}")
        return 2
    if options.json:
        say_json(report.to_dict())
    else:
        say(report)
    return int(report.advice is not Advice.GO)


def _write_clean(report: ListReport, name: str) -> None:
    """Write the safe rows: whole ones to a .csv file, else the addresses alone."""
    if name.lower().endswith(".csv") and report.columns:
        report.clean_to_csv(name)
        return
    with Path(name).open("w", encoding="utf-8", newline="") as opened:
        rows = report.clean()
        opened.writelines(f"{row if isinstance(row, str) else row[report.column]}\n" for row in rows)


def _require_apart(options: argparse.Namespace) -> None:
    """Refuse to write over the list that is read, or two results into one file."""
    named = [options.file, options.out, options.clean, options.cache]
    paths = [Path(name).resolve() for name in named if name and name != "-"]
    if len(set(paths)) < len(paths):
        msg = "two of the list, --out, --clean and --cache are the same file"
        raise ConfigurationError(msg, field="out")
    for path in paths[1:]:
        if not path.parent.is_dir():
            msg = f"{path.parent} is not a folder to write into"
            raise ConfigurationError(msg, field="out")
