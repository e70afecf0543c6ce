"""``mailflows gate``: say whether messages may be sent, by which relay, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mailflows._result import printable
from mailflows.cli._terminal import STATUS, complain, counted, say, say_json, say_table
from mailflows.cli.messages import messages
from mailflows.errors import MessageError
from mailflows.flow import Flow
from mailflows.gate import GateDecision

if TYPE_CHECKING:
    import argparse

    from mailflows.cli._terminal import Tone
    from mailflows.gate._check import Verdict
    from mailflows.gate._gate import Gate

__all__ = ["add_command"]

_TONES: dict[GateDecision, Tone] = {
    GateDecision.ACCEPT: "good",
    GateDecision.DEFER: "doubtful",
    GateDecision.HOLD: "doubtful",
    GateDecision.REJECT: "bad",
}


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    gate = commands.add_parser(
        "gate",
        help="check whether messages may be sent, by which route, and why",
        description=(
            "Check whether messages may be sent. Nothing is sent, and no state is changed. "
            "A dry_run in the file is ignored: the answer is what the gate decides without one."
        ),
        epilog=STATUS,
    )
    gate.add_argument("file", metavar="FLOWS.toml", help="a file with the flows, and the parts of the gate")
    gate.add_argument("messages", nargs="+", metavar="PATH", help="a message, a folder, an mbox, or -")
    gate.add_argument("--flow", choices=list(Flow), help="the flow that the application declares")
    gate.add_argument("--client", metavar="IP", help="IP address of the client that caused the messages")
    gate.add_argument("--form", metavar="NAME", help="the form that the messages come from")
    gate.add_argument("--account", metavar="NAME", help="the account that sends the messages")
    gate.add_argument("--explain", action="store_true", help="show the findings of every part")
    gate.add_argument("--json", action="store_true", help="write one JSON object per message, one per line")
    gate.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        gate = _gate(options.file)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        complain(f"{options.file}: {reason}")
        return 2
    rows: list[list[str]] = []
    status = 0
    tones: list[Tone] = []
    for name, content in counted(messages(options.messages), "messages"):
        source = Path(name) if isinstance(content, MessageError) else content  # the gate says what is wrong
        verdict = _verdict(gate, source, options)
        is_read = all(reason.code != "unreadable" for reason in verdict.why)
        status = max(status, 0 if verdict else 1 if is_read else 2)
        if options.json:
            say_json({"file": name, **verdict.to_dict()})
        elif options.explain:
            say(f"{printable(name)}: {verdict}\n{verdict.explain()}\n")
        else:
            rows.append([name, str(verdict.decision), str(verdict.flow or "-"), _why(verdict)])
            tones.append(_TONES[verdict.decision])
    if rows:
        say_table(["message", "decision", "flow", "why"], rows, tones)
    return status


def _gate(file: str) -> Gate:
    """Return the gate of a file over its own store, which is only looked at."""
    from mailflows._stores._read_only import ReadOnlyStore  # noqa: PLC0415 -- only for this command
    from mailflows.flows import FlowSet  # noqa: PLC0415
    from mailflows.flows._file import SettingsFile  # noqa: PLC0415
    from mailflows.gate._gate import Gate  # noqa: PLC0415
    from mailflows.gate._place import store_from_file  # noqa: PLC0415
    from mailflows.gate._settings import parts_from_file  # noqa: PLC0415

    settings = SettingsFile(file)
    flows = FlowSet.from_file(settings, needs_passwords=False)
    parts = parts_from_file(settings, ReadOnlyStore(store_from_file(settings)))
    return Gate(flows, **parts | {"dry_run": False})


def _verdict(gate: Gate, content: bytes | Path, options: argparse.Namespace) -> Verdict:
    return gate.check(
        content,
        flow=options.flow,
        client=options.client,
        form=options.form,
        account=options.account,
    )


def _why(verdict: Verdict) -> str:
    """Return what stopped a message, or what is worth a look."""
    return "; ".join(f"{r.part}: {r.sentence}" for r in (verdict.why or verdict.findings)) or "-"
