"""``mailflows stats``: read what a provider posted about campaigns, and say what they achieved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows.cli._payloads import Payloads
from mailflows.cli._terminal import STATUS, complain, say, say_json

if TYPE_CHECKING:
    import argparse

    from mailflows.tracking import CampaignStats

__all__ = ["add_command"]


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser; it sets ``run``, which returns the exit status."""
    command = commands.add_parser(
        "stats",
        help="measure campaigns from webhook payloads of a provider",
        description="Measure campaigns from webhook payloads of a provider: each rate with its interval, and "
        "two or more campaigns side by side. Signatures are not checked.",
        epilog=STATUS,
    )
    command.add_argument("provider", metavar="PROVIDER", help="such as sendgrid, brevo or postmark")
    command.add_argument(
        "paths", nargs="+", metavar="PATH", help="a payload, a folder of payloads, or - for standard input"
    )
    command.add_argument(
        "--campaign", action="append", metavar="NAME", help="only this campaign (may be repeated)"
    )
    command.add_argument(
        "--html", metavar="FILE", help="write a report on the first campaign as a standalone page"
    )
    command.add_argument(
        "--json", action="store_true", help="write one JSON object per campaign, one per line"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Count what can be read; what cannot be read is said and the others go on."""
    from mailflows.tracking import CampaignStats, compare  # noqa: PLC0415 -- only where it is needed

    payloads = Payloads(options.provider, options.paths)
    events = [event for _, event in payloads]
    names = options.campaign or sorted({event.campaign for event in events if event.campaign})
    found = [CampaignStats.from_events(events, campaign=name) for name in names]
    if not events or not any(stats.rate("delivered").of for stats in found):
        complain("no event names a campaign")
        return 2
    for stats in found:
        _show(stats, as_json=options.json)
    if len(found) > 1 and not options.json:
        say(f"\n{compare(*found)}")
    if options.html:
        found[0].save_html(options.html)
    return payloads.status


def _show(stats: CampaignStats, *, as_json: bool) -> None:
    if as_json:
        say_json(stats.to_dict())
    else:
        say(stats)
