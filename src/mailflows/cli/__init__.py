"""The command line: ``mailflows`` or ``python -m mailflows``, with one file for each command."""

from __future__ import annotations

import argparse
import io
import logging
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from mailflows import __version__
from mailflows._suggestion import did_you_mean
from mailflows.cli import (
    audit,
    bounces,
    check,
    classify,
    fix,
    forget,
    gate,
    held,
    limits,
    lint,
    resume,
    senders,
    stats,
    status,
    suppress,
    train,
    webhook,
)
from mailflows.cli import list as list_command
from mailflows.cli._terminal import STATUS, complain
from mailflows.errors import MailflowsError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Example:
        >>> main(["check", "--no-dns", "ada@"])
        address  verdict        did you mean  why
        ada@     undeliverable  -             There is nothing after the @ sign
        1
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot write must not end a run
            stream.reconfigure(errors="backslashreplace")
    options = _parser().read(sys.argv[1:] if arguments is None else arguments)
    log = _Log()
    logging.getLogger("mailflows").addHandler(log)
    try:
        return _ran(options, log)
    finally:
        logging.getLogger("mailflows").removeHandler(log)
        log.tell()


class _Log(logging.Handler):
    """Writes the library's log messages to standard error; a failing store is reported once, at the end.

    The command that fails because of it reports that itself.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.outages: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or keep it until the command is over."""
        problems = [one for one in record.args or () if isinstance(one, StoreError)]
        if problems:
            self.outages[str(problems[0])] = record.getMessage()
        else:
            complain(record.getMessage())

    def tell(self) -> None:
        """Write the lines that were held back."""
        for line in self.outages.values():
            complain(line)


def _ran(options: argparse.Namespace, log: _Log) -> int:
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough
        sys.stderr.close()
        return 0
    except MailflowsError as problem:
        log.outages.pop(str(problem), None)
        complain(problem)
        return 2


_UNKNOWN_WORD = re.compile(r"argument ([^:]*): invalid [\w ]*(?:choice|value): '([^']*)'")


class _Parser(argparse.ArgumentParser):
    """A parser that says which command or option was probably meant."""

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the parsed options; for an option that does not exist, suggest the one meant."""
        options, unknown = self.parse_known_args(words)
        if unknown:
            option = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
            parsers = [*self._line(words)]
            known = [name for one in parsers for name in one._option_string_actions]  # noqa: SLF001 -- of this class
            hint = f"; {did_you_mean(option, known)}" if option else ""
            parsers[-1].error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return options

    def error(self, message: str) -> NoReturn:
        """Exit with status 2, and say what is wrong and what was probably meant."""
        wrong = _UNKNOWN_WORD.match(message)
        action = next((one for one in self._actions if wrong and _is_called(one, wrong[1])), None)
        if wrong and action and action.choices:
            message = (
                f"{wrong[2]!r} is not a valid choice: {did_you_mean(wrong[2], map(str, action.choices))}"
            )
        complain(f"{message}\nTry '{self.prog} --help'.")
        raise SystemExit(2)

    def _line(self, words: Sequence[str]) -> Iterator[_Parser]:
        """Yield this parser, and those of the commands that are named."""
        yield self
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 -- argparse has no other name for it
                named = next((word for word in words if word in action.choices), None)
                if named is not None:
                    yield from action.choices[named]._line(words)  # noqa: SLF001 -- of the same class


def _is_called(action: argparse.Action, name: str) -> bool:
    """Return whether argparse calls an argument so in an error."""
    return name in {"/".join(action.option_strings), action.metavar, action.dest}


def _parser() -> _Parser:
    parser = _Parser(
        prog="mailflows",
        description="Keep professional, marketing and transactional mail apart.",
        epilog=STATUS,
    )
    parser.add_argument("--version", action="version", version=f"mailflows {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    everyday = (classify, check, list_command, lint, fix, audit, gate)
    for command in (
        *everyday,
        bounces,
        webhook,
        stats,
        train,
        held,
        limits,
        senders,
        status,
        resume,
        suppress,
        forget,
    ):
        command.add_command(commands)
    return parser
