"""``mailflows status``: say how flows, senders, held mail, suppressions and limits stand.

Exit status: 0 nothing waits for somebody, 1 a breaker is open, a sender is blocked or a message is held,
2 wrong usage or a bad file.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mailflows._result import to_text
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.flows._file import SettingsFile

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    status = commands.add_parser(
        "status",
        help="say how flows, senders, held mail, suppressions and limits stand",
        description="Say how everything stands, or let a flow that was stopped go on.",
        epilog="Exit status: 0 nothing waits for somebody, 1 something does, 2 wrong usage or a bad file.",
    )
    status.add_argument("file", metavar="FLOWS.toml", help="the file of the gate")
    status.add_argument("action", nargs="?", choices=("show", "close"), default="show")
    status.add_argument("flow", nargs="?", choices=list(Flow), metavar="FLOW", help="close: the flow")
    status.add_argument("--json", action="store_true", help="write JSON")
    status.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mailflows.flows._file import SettingsFile  # noqa: PLC0415 -- only for this command

    try:
        file = SettingsFile(options.file)
    except OSError as problem:
        print(f"mailflows: {options.file}: {problem.strerror or problem}", file=sys.stderr)
        return 2
    if options.action == "show":
        return _show(file, as_json=options.json)
    if options.flow is None:
        print("mailflows: status … close needs a flow", file=sys.stderr)
        return 2
    return _close(file, Flow(options.flow))


def _show(file: SettingsFile, *, as_json: bool) -> int:
    from mailflows._stores._read_only import ReadOnlyStore  # noqa: PLC0415 -- only for this command
    from mailflows.flows import FlowSet  # noqa: PLC0415
    from mailflows.gate import Gate  # noqa: PLC0415
    from mailflows.gate._settings import parts_from_file, store_from_file  # noqa: PLC0415

    flows = FlowSet.from_file(file, needs_passwords=False)
    gate = Gate(flows, **parts_from_file(file, ReadOnlyStore(store_from_file(file))))
    found = gate.status()
    if as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        title, header, rows = found._table()  # noqa: SLF001 -- what a notebook shows
        print(f"{title}\n\n{to_text(header, rows)}")
    return int(not found.ok)


def _close(file: SettingsFile, flow: Flow) -> int:
    from mailflows.gate._settings import store_from_file  # noqa: PLC0415 -- only for this command
    from mailflows.reputation import Reputation  # noqa: PLC0415

    print(Reputation(store_from_file(file)).close(flow))
    return 0
