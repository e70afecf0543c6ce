"""``mailflows gate``: say whether messages may leave, by which relay, and why.

Exit status: 0 every message may leave, 1 one may not, or could not be read, 2 wrong usage or a bad file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._result import to_text
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.gate._gate import Gate
    from mailflows.gate._verdict import Verdict

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    gate = commands.add_parser(
        "gate",
        help="say whether messages may leave, by which route, and why",
        description="Say whether messages may leave. Nothing is sent, and no state is changed.",
        epilog="Exit status: 0 all may leave, 1 one may not, 2 wrong usage or a bad file.",
    )
    gate.add_argument("file", metavar="FLOWS.toml", help="a file with the flows, and the parts of the gate")
    gate.add_argument("messages", nargs="+", metavar="MESSAGE", help="a file, or - for standard input")
    gate.add_argument("--flow", choices=list(Flow), help="the flow that the messages are declared to be of")
    gate.add_argument("--client", metavar="IP", help="network address of who caused them")
    gate.add_argument("--form", metavar="NAME", help="the form that did")
    gate.add_argument("--account", metavar="NAME", help="who is logged in")
    gate.add_argument("--explain", action="store_true", help="show what every part says")
    gate.add_argument("--json", action="store_true", help="one JSON object per message and line")
    gate.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        gate = _gate(options.file)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        print(f"mailflows: {options.file}: {reason}", file=sys.stderr)
        return 2
    rows: list[list[str]] = []
    stopped = False
    for name in options.messages:
        verdict = _verdict(gate, name, options)
        stopped |= not verdict
        if options.json:
            print(json.dumps({"file": name, **verdict.to_dict()}, ensure_ascii=False))
        elif options.explain:
            print(f"{name}: {verdict}\n{verdict.explain()}\n")
        else:
            rows.append([name, str(verdict.decision), str(verdict.flow or "-"), _why(verdict)])
    if rows:
        print(to_text(["message", "decision", "flow", "why"], rows))
    return int(stopped)


def _gate(file: str) -> Gate:
    """Return the gate of a file over its own store, which is only looked at."""
    from mailflows._stores._read_only import ReadOnlyStore  # noqa: PLC0415 -- only for this command
    from mailflows.flows import FlowSet  # noqa: PLC0415
    from mailflows.flows._file import SettingsFile  # noqa: PLC0415
    from mailflows.gate._gate import Gate  # noqa: PLC0415
    from mailflows.gate._settings import parts_from_file, store_from_file  # noqa: PLC0415

    settings = SettingsFile(file)
    flows = FlowSet.from_file(settings, needs_passwords=False)
    parts = parts_from_file(settings, ReadOnlyStore(store_from_file(settings)))
    return Gate(flows, **parts | {"dry_run": False})


def _verdict(gate: Gate, name: str, options: argparse.Namespace) -> Verdict:
    return gate.check(
        sys.stdin.buffer.read() if name == "-" else Path(name),
        flow=options.flow,
        client=options.client,
        form=options.form,
        account=options.account,
    )


def _why(verdict: Verdict) -> str:
    """Return what stopped a message, or what is worth a look."""
    return "; ".join(f"{r.part}: {r.sentence}" for r in (verdict.why or verdict.findings)) or "-"
