"""``mailflows suppress``: show a suppression list, and undo what an outage suppressed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mailflows._result import number_of, to_text
from mailflows.cli._store import add_store, store_of
from mailflows.cli._terminal import STATUS, say, say_json
from mailflows.feedback import SuppressionList
from mailflows.flow import Flow

if TYPE_CHECKING:
    import argparse

    from mailflows._result import Cell

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "suppress",
        help="show a suppression list, and undo an outage",
        description="Show how many addresses are suppressed and why; undo or confirm reports.",
        epilog=STATUS,
    )
    verbs = command.add_subparsers(required=True, metavar="VERB")
    show = verbs.add_parser("list", help="count the entries by scope and reason")
    _add_place(show)
    show.set_defaults(run=_list)
    find = verbs.add_parser("show", help="show why an address is suppressed")
    _add_place(find)
    find.add_argument("address", metavar="ADDRESS")
    find.add_argument("--flow", choices=[str(flow) for flow in Flow], help="look it up for mail of this flow")
    find.set_defaults(run=_show)
    for name, text, run in (
        ("undo", "unsuppress addresses that an outage suppressed", _undo),
        ("confirm", "suppress the addresses of held bounces after all", _confirm),
    ):
        verb = verbs.add_parser(name, help=text)
        _add_place(verb)
        _add_selection(verb)
        verb.set_defaults(run=run)
        if name == "undo":
            verb.add_argument("--preview", action="store_true", help="change nothing, only show the effect")


def _add_place(parser: argparse.ArgumentParser) -> None:
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--domain", help="the domain of the addresses")
    parser.add_argument("--mailbox-provider", metavar="NAME", help="the mailbox provider, such as google")
    parser.add_argument("--esp", metavar="NAME", help="the source of the event: sendgrid, dsn, smtp, ...")
    parser.add_argument("--since", metavar="TIME", type=_moment, help="such as 2026-11-20T09:00Z")
    parser.add_argument("--until", metavar="TIME", type=_moment, help="such as 2026-11-20T10:00Z")
    parser.add_argument("--reason", help="such as mailbox-unknown; all bounces by default")


def _moment(text: str) -> datetime:
    """Return a moment; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _open(options: argparse.Namespace, *, read_only: bool = False) -> SuppressionList:
    return SuppressionList(store_of(options, read_only=read_only))


def _chosen(options: argparse.Namespace) -> dict[str, object]:
    names = ("domain", "mailbox_provider", "esp", "since", "until", "reason")
    return {name: getattr(options, name) for name in names}


def _list(options: argparse.Namespace) -> int:
    counts = _open(options, read_only=True).counts()
    if options.json:
        found = [{"scope": scope, "reason": reason, "entries": n} for (scope, reason), n in counts.items()]
        say_json(found)
    else:
        say(to_text(["scope", "reason", "entries"], [[*key, count] for key, count in counts.items()]))
    return 0


def _show(options: argparse.Namespace) -> int:
    entry = _open(options, read_only=True).find(options.address, flow=options.flow)
    if options.json:
        say_json(entry.to_dict() if entry else None)
    else:
        say(entry or "not suppressed")
    return 0 if entry else 1


def _undo(options: argparse.Namespace) -> int:
    suppressions = _open(options, read_only=options.preview)
    result = suppressions.undo(**_chosen(options), preview=options.preview)  # type: ignore[arg-type]
    rows: list[list[Cell]] = [[domain, count] for domain, count in list(result.by_domain.items())[:20]]
    if options.json:
        say_json(result.to_dict())
    else:
        say(result)
        if rows:
            say(to_text(["domain", "entries"], rows))
    return 0 if result.undone else 1


def _confirm(options: argparse.Namespace) -> int:
    count = _open(options).confirm(**_chosen(options))  # type: ignore[arg-type]
    if options.json:
        say_json({"confirmed": count})
    else:
        say(f"{number_of(count, 'entry', 'entries')} confirmed")
    return 0 if count else 1
