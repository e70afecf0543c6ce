"""``mailflows status``: show the state of flows, senders, held mail, suppressions and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._result import to_text
from mailflows.cli._store import store_to_look_at
from mailflows.cli._terminal import STATUS, say, say_json, settings_of

if TYPE_CHECKING:
    import argparse

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    status = commands.add_parser(
        "status",
        help="show the state of flows, senders, held mail, suppressions and limits",
        description="Show the outcomes of each flow's mail, and what is stopped, held or suppressed.",
        epilog=STATUS,
    )
    status.add_argument("file", metavar="FLOWS.toml", help="the file of the gate")
    status.add_argument("--all", action="store_true", help="also show unused limits and rare reasons")
    status.add_argument("--json", action="store_true", help="write JSON")
    status.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mailflows._stores._read_only import ReadOnlyStore  # noqa: PLC0415 -- only for this command
    from mailflows.flows import FlowSet  # noqa: PLC0415
    from mailflows.gate import Gate  # noqa: PLC0415
    from mailflows.gate._settings import parts_from_file  # noqa: PLC0415

    file = settings_of(options.file)
    if file is None:
        return 2
    flows = FlowSet.from_file(file, needs_passwords=False)
    gate = Gate(flows, **parts_from_file(file, ReadOnlyStore(store_to_look_at(file))))
    found = gate.status()
    if options.json:
        say_json(found.to_dict())
    else:
        title, header, rows = found._table(every=options.all)  # noqa: SLF001 -- what a notebook shows
        say(f"{title}\n\n{to_text(header, rows)}")
    return int(not found.ok)
