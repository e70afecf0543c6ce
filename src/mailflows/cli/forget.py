"""``mailflows forget``: erase what a gate keeps of one person, and say what stays and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.cli._terminal import STATUS, say, say_json
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows.feedback._entry import Suppression
    from mailflows.gate import Gate

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "forget",
        help="erase the data about one person (GDPR, article 17)",
        description="Erase what a gate stores about one person: limits, sender, suppressions, "
        "reputation, templates, held messages. People who complained or unsubscribed stay suppressed by a "
        "keyed hash alone, because without it they would be sent mail again. Consents and statistics are "
        "yours to erase: they are kept under your own IDs.",
        epilog=STATUS,
    )
    command.add_argument("file", metavar="FLOWS.toml", help="the file of the gate")
    command.add_argument("address", metavar="ADDRESS", help="the address, in any spelling; or an account")
    command.add_argument("--json", action="store_true", help="write JSON")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Erase the person who is named."""
    from mailflows.gate._gate import Gate  # noqa: PLC0415 -- only for this command

    gate = Gate.from_toml(options.file)
    erased = gate.forget(options.address)
    kept = _kept(gate, options.address) if "@" in options.address else []
    if options.json:
        stays = [{"scope": entry.scope, "reason": entry.reason} for entry in kept]
        say_json({"erased": erased.to_dict(), "kept": stays})
        return 0
    say(erased)
    for entry in kept:
        why = f"{entry.reason}, {entry.scope}"
        say(f"kept: a keyed hash without the address ({why}), so that no {entry.purpose} is sent there again")
    return 0


def _kept(gate: Gate, address: str) -> list[Suppression]:
    """Return what stays on the suppression list."""
    suppressions = gate.suppressions
    if suppressions is None:
        return []
    lists = {entry.list for entry in suppressions if entry.list is not None}
    scopes: list[dict[str, str]] = [{"flow": flow} for flow in Flow]
    scopes += [{"list": name} for name in sorted(lists)]
    found = [suppressions.find(address), *(suppressions.find(address, **scope) for scope in scopes)]
    return list({entry.scope: entry for entry in found if entry is not None}.values())
