"""``mailflows resume``: send the mail of a stopped flow again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.cli._terminal import STATUS, complain, say, say_json, settings_of
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    resume = commands.add_parser(
        "resume",
        help="send the mail of a stopped flow again",
        description="Close the breaker of a flow, of a part of it, or of its mail to one provider: mail "
        "that status shows as stopped is sent again at once.",
        epilog=STATUS,
    )
    resume.add_argument("file", metavar="FLOWS.toml", help="the file of the gate")
    resume.add_argument("flow", choices=list(Flow), metavar="FLOW", help=f"one of {', '.join(Flow)}")
    resume.add_argument("--scope", metavar="KIND:NAME", help="only a part of the flow, such as form:signup")
    resume.add_argument("--provider", metavar="NAME", help="only its mail to one provider, such as google")
    resume.add_argument("--json", action="store_true", help="write JSON")
    resume.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from mailflows.flows import FlowSet  # noqa: PLC0415 -- only for this command
    from mailflows.gate._place import store_from_file  # noqa: PLC0415
    from mailflows.reputation import BreakerState, Reputation  # noqa: PLC0415

    file = settings_of(options.file)
    if file is None:
        return 2
    flow, place = Flow(options.flow), {"scope": options.scope, "provider": options.provider}
    declared = [str(route.flow) for route in FlowSet.from_file(file, needs_passwords=False)]
    if flow not in declared:
        complain(f"{file.path}: it declares no {flow} flow: choose from {', '.join(declared)}")
        return 2
    reputation = Reputation(store_from_file(file))
    was_stopped = reputation.check(flow, **place).state is not BreakerState.CLOSED
    standing = reputation.close(flow, **place)
    # A bad campaign stops its flow and, on their own, its mail to some providers.
    rest = [one.scope for one in reputation.stopped() if one.scope.split()[0] == flow]
    if options.json:
        say_json(standing.to_dict() | {"still_stopped": rest})
    else:
        say(f"{standing.scope}: {'sending again' if was_stopped else 'it was not stopped'}")
        if rest:
            say(f"still stopped or on trial: {', '.join(rest)} (resume each with --provider or --scope)")
    return int(not was_stopped)
