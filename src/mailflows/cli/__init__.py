"""The command line: ``mailflows`` or ``python -m mailflows``, with one file for each command."""

from __future__ import annotations

import argparse
import io
import sys
from typing import TYPE_CHECKING

from mailflows.cli import (
    audit,
    bounces,
    check,
    classify,
    fix,
    gate,
    held,
    limits,
    lint,
    senders,
    status,
    suppress,
)
from mailflows.cli import list as list_command
from mailflows.errors import ConfigurationError, MailflowsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot write must not end a run
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough
        sys.stderr.close()
        return 0
    except ConfigurationError as problem:
        print(f"mailflows: {problem}", file=sys.stderr)
        return 2
    except MailflowsError as problem:
        print(f"mailflows: {problem}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mailflows", description="Keep professional, marketing and transactional mail apart."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    everyday = (classify, check, list_command, lint, fix, audit, gate)
    for command in (*everyday, bounces, held, limits, senders, status, suppress):
        command.add_command(commands)
    return parser
