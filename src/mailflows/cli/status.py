"""``mailflows status``: show the state of flows, senders, held mail, suppressions and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._result import to_text
from mailflows.cli._store import store_to_look_at
from mailflows.cli._terminal import STATUS, complain, say, say_json, settings_of
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.flows._file import SettingsFile

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    status = commands.add_parser(
        "status",
        help="show the state of flows, senders, held mail, suppressions and limits",
        description="Show the state of everything, or close a breaker so that mail is sent again.",
        epilog=STATUS,
    )
    status.add_argument("file", metavar="FLOWS.toml", help="the file of the gate")
    status.add_argument("action", nargs="?", choices=("show", "close"), default="show")
    status.add_argument("flow", nargs="?", choices=list(Flow), metavar="FLOW", help="close: the flow")
    status.add_argument(
        "--scope", metavar="KIND:NAME", help="close: only a smaller scope of the flow, such as form:signup"
    )
    status.add_argument(
        "--provider", metavar="NAME", help="close: only for mail to one provider, such as google"
    )
    status.add_argument("--all", action="store_true", help="show: also unused limits and rare reasons")
    status.add_argument("--json", action="store_true", help="write JSON")
    status.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:

    file = settings_of(options.file)
    if file is None:
        return 2
    if options.action == "show":
        return _show(file, every=options.all, as_json=options.json)
    if options.flow is None:
        complain("status FLOWS.toml close needs a flow, such as marketing")
        return 2
    return _close(file, options)


def _show(file: SettingsFile, *, every: bool, as_json: bool) -> int:
    from mailflows._stores._read_only import ReadOnlyStore  # noqa: PLC0415 -- only for this command
    from mailflows.flows import FlowSet  # noqa: PLC0415
    from mailflows.gate import Gate  # noqa: PLC0415
    from mailflows.gate._settings import parts_from_file  # noqa: PLC0415

    flows = FlowSet.from_file(file, needs_passwords=False)
    gate = Gate(flows, **parts_from_file(file, ReadOnlyStore(store_to_look_at(file))))
    found = gate.status()
    if as_json:
        say_json(found.to_dict())
    else:
        title, header, rows = found._table(every=every)  # noqa: SLF001 -- what a notebook shows
        say(f"{title}\n\n{to_text(header, rows)}")
    return int(not found.ok)


def _close(file: SettingsFile, options: argparse.Namespace) -> int:
    from mailflows.gate._place import store_from_file  # noqa: PLC0415 -- only for this command
    from mailflows.reputation import Reputation  # noqa: PLC0415

    reputation = Reputation(store_from_file(file))
    standing = reputation.close(Flow(options.flow), scope=options.scope, provider=options.provider)
    if options.json:
        say_json(standing.to_dict())
    else:
        say(standing)
    return 0
