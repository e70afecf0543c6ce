"""How a campaign is shown: tables for a notebook and a page, and drawings."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from mailflows._drawing import axes, darken
from mailflows._html.tree import parse
from mailflows._mail.edit import Edit, edited
from mailflows._result import Bar, to_html, to_page
from mailflows.tracking._tables import percent
from mailflows.tracking._tally import untagged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from mailflows._result import Cell
    from mailflows.tracking._tables import Group, LinkClicks, Moment, Rate

__all__ = [
    "DAYS",
    "HEADER",
    "click_map",
    "drawn_differences",
    "drawn_rates",
    "drawn_timeline",
    "page",
    "rate_row",
    "tables",
]

HEADER = ("rate", "share", "count", "of", "from", "to", "total")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

# choice: rows of a table that a reader looks at; to_pandas() has them all
_ROWS = 20
# Blue and red of equal weight on white and on black: contrast of at least 3 to both (WCAG 2.2, 1.4.11).
_BLUE, _RED, _GREY = "#4c78a8", "#d62f3f", "#808080"


def rate_row(rate: Rate, *, bar: bool = False) -> list[Cell]:
    """Return a rate as a row of the table of rates."""
    share = "-" if rate.share is None else percent(rate.share)
    drawn = Bar(rate.share, share) if bar and rate.share is not None else share
    return [rate.name, drawn, rate.count, rate.of, percent(rate.low), percent(rate.high), rate.total]


def tables(  # noqa: PLR0913 -- the tables that there are
    title: str,
    *,
    rates: Sequence[Rate],
    links: Sequence[LinkClicks],
    groups: Mapping[str, Sequence[Group]],
    counts: Sequence[tuple[str, str, Mapping[str, int]]],
    week: Sequence[Sequence[int]],
    zone: str,
) -> list[str]:
    """Return what a campaign achieved as small escaped tables.

    Args:
        title: Of the first table.
        rates: Its rows.
        links: What people clicked.
        groups: Recipients by what they are grouped by.
        counts: Tables of a name and a count: title, what the name is, and the rows.
        week: Clicks by weekday and hour.
        zone: The time zone of the hours.
    """
    pieces = [to_html(title, HEADER, [rate_row(rate, bar=True) for rate in rates])]
    clickers = next((rate.count for rate in rates if rate.name == "clicked"), 0) or 1
    rows: list[list[Cell]] = []
    for row in links[:_ROWS]:
        share = row.people / clickers
        rows.append([row.url or "(unknown link)", Bar(share, percent(share)), row.people, row.total])
    if rows:
        header = ["link", "share of those who clicked", "recipients", "clicks"]
        pieces.append(to_html("Links that people clicked", header, rows))
    for kind, members in groups.items():
        if members:
            header = [kind, "sent", "delivered", "opened by people", "clicked", "complained", "bounced"]
            table = to_html(f"By {kind}", header, [_group_row(row) for row in members[:_ROWS]])
            pieces.append(f"<div class='wide'>{table}</div>")
    pieces += [
        to_html(name, [column, "count"], list(found.items())) for name, column, found in counts if found
    ]
    if any(map(any, week)):
        pieces.append(_week_table(week, zone))
    return pieces


# What a reader looks for first; the table below has them all.
_FIRST = ("delivered", "opened by people", "clicked", "unsubscribed", "complained", "hard bounces")


# Text and bars have a contrast of at least 4.5 and 3 to what is behind them, in light and in dark (WCAG 2.2,
# 1.4.3 and 1.4.11); tests/tracking/test_page.py measures it. A narrow page scrolls its tables, not itself.
_STYLE = """<style>
:root { --paper: #f6f7f9; --card: #fff; --ink: #1c2126; --quiet: #57606a; --line: #d5dae0 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --card: #1d2125; --ink: #e6e9ec; --quiet: #a3acb5; --line: #3a4149 }
}
* { box-sizing: border-box }
body { font-size: 14px; line-height: 1.45; font-variant-numeric: tabular-nums;
  color: var(--ink); background: var(--paper); max-width: 80rem; margin: 0 auto; padding: 1.25rem }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere }
p { margin: .25rem 0 1rem; color: var(--quiet) }
main { display: grid; gap: 1rem; align-items: start; max-width: none; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)) }
main > div, dl > div { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  margin: 0; padding: .75rem 1rem }
main > .wide { grid-column: 1 / -1 }
dl { display: grid; gap: .75rem; margin: 0 0 1rem;
  grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)) }
dt, dd small { color: var(--quiet); font-size: .8rem }
dd { margin: 0; font-size: 1.5rem; font-weight: 600; line-height: 1.3 }
dd small { display: block; font-weight: 400 }
table { margin: .5rem 0 0; width: 100%; font-size: 1em }
th, td { padding: .25rem .5rem .25rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--quiet); font-size: .8rem; vertical-align: bottom; border-bottom-color: var(--line) }
</style>"""


def page(heading: str, note: str, rates: Sequence[Rate], pieces: Sequence[str]) -> str:
    """Return a campaign as a page of its own.

    Args:
        heading: The name of the campaign, as a reader knows it.
        note: What the figures mean.
        rates: Of which the first stand above the tables.
        pieces: The tables, escaped.
    """
    cards = "".join(_card(rate) for rate in rates if rate.name in _FIRST)
    return to_page(
        heading,
        f"<header><h1>{escape(heading)}</h1><p>{escape(note)}</p></header>"
        f"<dl>{cards}</dl><main>{''.join(pieces)}</main>",
        _STYLE,
    )


def _card(rate: Rate) -> str:
    """Return a rate as a figure with what it is of."""
    share = "-" if rate.share is None else percent(rate.share)
    span = f"{percent(rate.low)} to {percent(rate.high)}"
    return (
        f"<div><dt>{escape(rate.name)}</dt><dd>{share}"
        f"<small>{rate.count:,} of {rate.of:,}</small><small>{span}</small></dd></div>"
    )


def _group_row(group: Group) -> list[Cell]:
    rates = [
        f"{rate.count} ({percent(rate.low)} to {percent(rate.high)})"
        for rate in (group.clicked, group.complained)
    ]
    return [group.name, group.sent, group.delivered, group.opened, *rates, group.bounced]


def click_map(html: str, counts: Mapping[str, int], clickers: int) -> str:
    """Return a page that shows a message with how many clicked at each of its links.

    The message stands in a frame in which nothing runs.

    Args:
        html: The message as it was before its links were tracked.
        counts: Who clicked, by link without the parameters of campaigns.
        clickers: Who clicked any.
    """
    edits = []
    for element in parse(html).elements:
        if element.name == "a" and (url := element.get("href").strip())[:4].lower() == "http":
            badge = _badge(counts.get(untagged(url), 0), clickers)
            edits.append(Edit(element.inner, element.inner, badge))
    frame = (
        f"<iframe sandbox title='message' srcdoc=\"{escape(edited(html, edits))}\" style='{_FRAME}'></iframe>"
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Clicks</title>"
        f"<body style='margin:0'>{frame}</body></html>\n"
    )


_FRAME = "border:0;width:100%;height:100vh"
_BADGE = "background:#35618e;color:#fff;font:bold 12px sans-serif;padding:1px 5px;border-radius:3px"


def _badge(people: int, clickers: int) -> str:
    share = f" ({percent(people / clickers)})" if people else ""
    return f"<span style='{_BADGE}'>{people}{share}</span> "


def _week_table(counts: Sequence[Sequence[int]], zone: str) -> str:
    """Return clicks by weekday and hour as a table whose cells are the darker, the more there are."""
    most = max(map(max, counts))
    head = "".join(f"<th>{hour}</th>" for hour in range(24))
    rows = "".join(
        f"<tr><th style='border:0'>{escape(day)}</th>{''.join(_shade(count, most) for count in row)}</tr>"
        for day, row in zip(DAYS, counts, strict=True)
    )
    return (
        "<div class='wide' style='max-width:100%;overflow-x:auto'>"
        f"<strong>First clicks by weekday and hour ({escape(zone)})</strong>"
        f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _shade(count: int, most: int) -> str:
    strength = count / most * 0.7
    return f"<td style='text-align:right;background:rgba(76,120,168,{strength:.2f})'>{count or ''}</td>"


def drawn_rates(rates: Sequence[Rate], campaign: str, ax: Any, *, dark: bool) -> Any:  # noqa: ANN401 -- as above
    """Draw shares with their intervals."""
    shown = [rate for rate in rates if rate.of and rate.name != "delivered"]
    with axes(ax, (8, 0.4 * len(shown) + 1.2), dark=dark) as drawn:
        for place, rate in enumerate(shown):
            drawn.plot([rate.low, rate.high], [place, place], color=_BLUE, linewidth=3)
            drawn.plot(rate.count / rate.of, place, "o", color=_BLUE)
        drawn.set_yticks(range(len(shown)), [rate.name for rate in shown])
        drawn.invert_yaxis()
        drawn.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        drawn.set_xlabel("share of recipients (%), with its interval")
        drawn.set_ylabel("rate")
        drawn.set_title(_title(campaign))
    return drawn


def drawn_differences(
    rows: Sequence[tuple[str, float, float, float, bool]],
    title: str,
    ax: Any,  # noqa: ANN401 -- as above
    *,
    dark: bool,
) -> Any:  # noqa: ANN401 -- as above
    """Draw differences with their intervals around "no difference"; what is not clear is grey.

    Args:
        rows: What is compared, the lower end, the difference, the upper end, and whether it is clear.
        title: Of the drawing.
        ax: The axes to draw on.
        dark: Whether to draw for a dark page.
    """
    with axes(ax, (8, 0.4 * len(rows) + 1.2), dark=dark) as drawn:
        drawn.axvline(0, color=_GREY, linewidth=1, linestyle=":")
        for place, (_, low, gap, high, is_clear) in enumerate(rows):
            colour = _BLUE if is_clear else _GREY
            drawn.plot([100 * low, 100 * high], [place, place], color=colour, linewidth=3)
            drawn.plot(100 * gap, place, "o", color=colour)
        drawn.set_yticks(range(len(rows)), [name.replace("$", r"\$") for name, *_ in rows])
        drawn.invert_yaxis()
        drawn.set_xlabel("difference (percentage points), with its interval; blue where it is clear")
        drawn.set_ylabel("rate")
        drawn.set_title(title.replace("$", r"\$"))
    return drawn


def drawn_timeline(  # noqa: PLR0913 -- what is drawn, and on what
    rows: Sequence[Moment],
    campaign: str,
    ax: Any,  # noqa: ANN401 -- as above
    *,
    step: timedelta,
    zone: str,
    dark: bool,
) -> Any:  # noqa: ANN401 -- as above
    """Draw opens and clicks on one axis, unsubscribes and complaints, which are few, on another."""
    starts = [row.start for row in rows]
    with axes(ax, (9, 3.5), dark=dark) as many:
        few = many.twinx()
        if ax is not None and dark:
            darken(few)
            few.set_facecolor("none")  # it lies on the other one
        sides = (
            (many, "left", _BLUE, ("opened", "clicked")),
            (few, "right", _RED, ("unsubscribed", "complained")),
        )
        for axis, side, colour, names in sides:
            for name, line in zip(names, (":", "-"), strict=True):
                counts = [getattr(row, name) for row in rows]
                axis.plot(starts, counts, line, color=colour, label=f"{name} ({side})")
            axis.set_ylim(bottom=0)
        many.set_xlabel(f"time ({zone})")
        many.set_ylabel(f"opened, clicked (recipients per {step})")
        few.set_ylabel(f"unsubscribed, complained (recipients per {step})")
        handles = [*many.get_lines(), *few.get_lines()]
        few.legend(handles, [handle.get_label() for handle in handles], loc="upper right")
        many.set_title(_title(campaign))
    return many


def _title(campaign: str) -> str:
    """Return a title; a dollar sign would be read as mathematics."""
    return (campaign or "all events").replace("$", r"\$")
