"""``mailflows held``: list, show, release and drop what waits for manual review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._result import number_of
from mailflows.cli._store import store_to_look_at
from mailflows.cli._terminal import STATUS, complain, say, say_json, settings_of
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.flows._file import SettingsFile
    from mailflows.held import HeldMail
    from mailflows.held._held import HeldMessage

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    held = commands.add_parser(
        "held",
        help="list, show, release or drop messages that wait for manual review",
        description="List the messages that wait for manual review, one per line, or decide about one.",
        epilog=STATUS,
    )
    held.add_argument("file", metavar="FLOWS.toml", help="the file of the gate that holds them")
    held.add_argument("action", nargs="?", choices=("list", *_ACTIONS), default="list")
    held.add_argument(
        "id", nargs="?", metavar="ID", help="the ID of the message, the first word of its line in the list"
    )
    held.add_argument("--flow", choices=list(Flow), help="release: the flow to send it through")
    held.add_argument("--all", action="store_true", help="list: also released and dropped messages")
    held.add_argument("--json", action="store_true", help="list: write one JSON object per line")
    held.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mailflows.gate._place import missing_from_file, store_from_file  # noqa: PLC0415
    from mailflows.held import HeldMail  # noqa: PLC0415

    file = settings_of(options.file)
    if file is None:
        return 2
    is_looked_at = options.action in {"list", "show"}
    held = HeldMail(store_to_look_at(file) if is_looked_at else store_from_file(file))
    if not held.is_lasting and missing_from_file(file) is None:
        complain(f'{file.path}: it names no store; write store = "state.db" in [gate]')
        return 2
    if options.action == "list":
        _list(held, options)
        return 0
    if options.id is None:
        complain(f"held FLOWS.toml {options.action} needs the ID of a message")
        return 2
    return _ACTIONS[options.action](held, file, options)


def _list(held: HeldMail, options: argparse.Namespace) -> None:
    found = held.list(every=options.all)
    for one in found:
        if options.json:
            say_json(one.to_dict())
        else:
            say(one)
    if not found and not options.json:
        complain("no message is held")  # on standard error: a line of the list is a message


def _show(held: HeldMail, _file: SettingsFile, options: argparse.Namespace) -> int:
    text = held.show(options.id).decode("utf-8", "replace")
    say("\n".join(text.splitlines()))
    return 0


def _release(held: HeldMail, file: SettingsFile, options: argparse.Namespace) -> int:
    one = held.release(options.id, flow=options.flow)
    if not one.is_taken:
        say(f"{one.id} will be sent through the {one.flow} flow with the sender's next attempt")
        return 0
    return _sent(held, file, one)


def _sent(held: HeldMail, file: SettingsFile, one: HeldMessage) -> int:
    """Send a message whose sender was told that it was taken: nobody else does."""
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


_ACTIONS = {"show": _show, "release": _release, "drop": _drop}
