"""``mailflows held``: list, show, release and drop what waits for manual review."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from mailflows._result import number_of
from mailflows.cli._store import store_to_look_at
from mailflows.cli._terminal import STATUS, complain, say, say_json, settings_of
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from mailflows.flows._file import SettingsFile
    from mailflows.held import HeldMail
    from mailflows.held._held import HeldMessage

__all__ = ["add_command"]

Verb: TypeAlias = "Callable[[HeldMail, SettingsFile, argparse.Namespace], int]"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    held = commands.add_parser(
        "held",
        help="list, show, release or drop messages that wait for manual review",
        description="List the messages that wait for manual review, one per line, or decide about one.",
        epilog=STATUS,
    )
    verbs = held.add_subparsers(required=True, metavar="VERB")
    listing = _verb(verbs, "list", _list, "list what is held, one message per line")
    listing.add_argument("--all", action="store_true", help="also released and dropped messages")
    listing.add_argument("--json", action="store_true", help="write one JSON object per line")
    for name, run, text in (
        ("show", _show, "show a message"),
        ("release", _release, "release a message, so that it is sent"),
        ("drop", _drop, "drop a message, so that its next attempt is refused"),
    ):
        verb = _verb(verbs, name, run, text)
        verb.add_argument(
            "id", metavar="ID", help="the ID of the message: the first word of its line in the list"
        )
        if name == "release":
            verb.add_argument("--flow", choices=list(Flow), help="the flow to send it through")


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Verb, text: str
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text)
    verb.add_argument("file", metavar="FLOWS.toml", help="the file of the gate that holds them")
    verb.set_defaults(run=partial(_run, run, is_looked_at=name in {"list", "show"}))
    return verb


def _run(verb: Verb, options: argparse.Namespace, *, is_looked_at: bool) -> int:
    from mailflows.gate._place import missing_from_file, store_from_file  # noqa: PLC0415
    from mailflows.held import HeldMail  # noqa: PLC0415

    file = settings_of(options.file)
    if file is None:
        return 2
    held = HeldMail(store_to_look_at(file) if is_looked_at else store_from_file(file))
    if not held.is_lasting and missing_from_file(file) is None:
        complain(f'{file.path}: it names no store; write store = "state.db" in [gate]')
        return 2
    return verb(held, file, options)


def _list(held: HeldMail, _file: SettingsFile, options: argparse.Namespace) -> int:
    found = held.list(every=options.all)
    for one in found:
        if options.json:
            say_json(one.to_dict())
        else:
            say(one)
    if not found and not options.json:
        complain("no message is held")  # on standard error: a line of the list is a message
    return 0


def _show(held: HeldMail, _file: SettingsFile, options: argparse.Namespace) -> int:
    text = held.show(options.id).decode("utf-8", "replace")
    say("\n".join(text.splitlines()))
    return 0


def _release(held: HeldMail, file: SettingsFile, options: argparse.Namespace) -> int:
    one = held.release(options.id, flow=options.flow)
    if not one.is_taken:
        say(f"{one.id} will be sent through the {one.flow} flow at the sender's next attempt")
        return 0
    return _sent(held, file, one)


def _sent(held: HeldMail, file: SettingsFile, one: HeldMessage) -> int:
    """Send a message that was accepted from its sender, who will not retry it."""
    from mailflows.errors import Refused  # noqa: PLC0415 -- only for this command
    from mailflows.gate import Gate  # noqa: PLC0415
    from mailflows.integrations.smtplib import GateSMTP  # noqa: PLC0415

    try:
        with GateSMTP(Gate.from_toml(file.path)) as smtp:
            refused = smtp.sendmail(one.mail_from, one.recipients, held.show(one.id), flow=one.flow)
    except (Refused, OSError) as problem:  # smtplib.SMTPException is an OSError
        why = str(problem) if isinstance(problem, Refused) else type(problem).__name__
        complain(f"{one.id} could not be sent: {why}; release it again")
        return 1
    number = len(one.recipients) - len(refused)
    of = number_of(len(one.recipients), "recipient")
    say(f"{one.id} was sent through the {one.flow} flow to {number} of {of}")
    return 0


def _drop(held: HeldMail, _file: SettingsFile, options: argparse.Namespace) -> int:
    one = held.drop(options.id)
    say(f"{one.id} is dropped; the sender's next attempt will be refused")
    return 0
