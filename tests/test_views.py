"""What a notebook shows: small tables that fit a screen, in light and dark, and lists that are no walls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from browser import dumped
from mailflows import Results, classify
from mailflows.feedback import Event, EventType, SuppressionList, from_reply
from mailflows.limits import MemoryStore, presets
from mailflows.pacing import Pacer
from mailflows.testing import FixedClock
from mailflows.tracking import CampaignStats, compare
from test_results import results
from three_flows import three_flows

if TYPE_CHECKING:
    from pathlib import Path

MAIL = b"From: ada@lovelace.example\nSubject: Tuesday\n\nDear Charles, could we meet at noon? Ada"


def campaign(name: str, clicks: int) -> CampaignStats:
    """Return a campaign of a thousand."""
    sent = [Event(EventType.DELIVERED, recipient_id=str(n)) for n in range(1000)]
    return CampaignStats.from_events(
        sent + [Event(EventType.CLICKED, recipient_id=str(n), campaign=name) for n in range(clicks)]
    )


def test_a_list_of_results_is_a_line_each() -> None:
    """IPython shows a result in a list by one line, not by all its fields."""
    pretty = pytest.importorskip("IPython.lib.pretty")
    result = classify(MAIL)
    assert pretty.pretty([result, result]).count(str(result)) == 2
    assert "probabilities" not in pretty.pretty([result])


def test_results_are_a_table() -> None:
    """Many results are one table of twenty rows that says how many there are."""
    many = Results(classify(MAIL) for _ in range(30))
    shown = many._repr_html_()
    assert (shown.count("<tr>"), "30 results" in shown, "to_frame()" in shown) == (21, True, True)
    assert "<th style='text-align:left'>flow</th>" in shown
    assert repr(many) == "<30 results: Classification>"
    assert len(many.to_text().splitlines()) == 31


def test_results_become_a_frame() -> None:
    """A row a result and a column a plain field; reasons stay in the results."""
    pandas = pytest.importorskip("pandas")
    frame = Results([classify(MAIL), classify(b"%PDF-1.7")]).to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["likely"].isna().tolist() == [False, True]
    assert {"flow", "confidence", "probabilities.marketing"} <= set(frame.columns)
    assert not [name for name in frame.columns if "reasons" in name]


def test_results_of_nothing() -> None:
    """No result at all is said."""
    assert "0 results" in Results(())._repr_html_()


def test_flows_limits_and_suppressions_show_themselves() -> None:
    """What is long-lived shows what it is made of, and no address."""
    store = MemoryStore()
    suppressions = SuppressionList(store)
    suppressions.apply(from_reply(550, "5.1.1 User unknown", recipient="ada@babbage.example"))
    shown = suppressions._repr_html_()
    assert "1 suppressed address" in shown
    assert "mailbox-unknown" in shown
    assert "ada" not in shown
    assert "notify.lovelace.example" in three_flows(transactional="smtp://127.0.0.1")._repr_html_()
    limiter = presets.web_form(store)
    assert limiter._repr_html_().count("<tr>") == len(limiter.limits) + 1


def test_a_pacer_shows_who_was_slowed_down() -> None:
    """A provider that deferred has a line with its present pace; others have none."""
    clock = FixedClock()
    pacer = Pacer(MemoryStore(clock=clock), rates={"yahoo": "3/s"}, clock=clock)
    pacer.schedule("ada@gmail.com").result(421, "4.7.28 Our system has detected an unusual rate of mail")
    shown = pacer._repr_html_()
    assert re.findall(r">(google|yahoo|microsoft)<", shown) == ["google", "yahoo"]
    assert "3 a second" in shown


def test_a_comparison_is_drawn() -> None:
    """Each rate has a row with its difference, in the table and in the drawing."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    found = compare(campaign("a", 40), campaign("b", 80))
    assert "+4.0" in found._repr_html_()
    rows = [one for one in found if one.gap is not None]
    drawn = found.plot(dark=True)
    assert [label.get_text() for label in drawn.get_yticklabels()] == [one.name for one in rows]
    several = compare(campaign("a", 40), campaign("b", 80), campaign("c", 90)).plot()
    assert len(several.get_yticklabels()) == 3 * len(rows)
    pyplot.close("all")


MEASURE = """<script>
document.body.dataset.tall = [...document.querySelectorAll("section")]
  .filter(one => one.offsetHeight > 800 || one.scrollWidth > one.clientWidth + 1)
  .map(one => one.id + " " + one.offsetHeight + " high").join("; ");
document.body.dataset.faint = [...document.querySelectorAll("td, th, strong")]
  .filter(one => getComputedStyle(one).color !== getComputedStyle(document.body).color).length;
document.body.dataset.shown = document.querySelectorAll("section").length;
</script>"""


@pytest.mark.parametrize("colours", ["background:#fff;color:#111", "background:#111;color:#eee"])
def test_every_view_fits_a_screen(colours: str, tmp_path: Path) -> None:
    """In a browser each view is at most 800 pixels high in a column of 900, in the colours of its page."""
    views = {name: found[0]._repr_html_() for name, found in results().items()}
    store = MemoryStore()
    views["Limiter"] = presets.web_form(store)._repr_html_()
    views["Results"] = Results(classify(MAIL) for _ in range(30))._repr_html_()
    style = f"<style>body{{{colours};font:13px sans-serif}}section{{width:900px}}</style>"
    sections = "".join(f"<section id='{name}'>{html}</section>" for name, html in views.items())
    shown = dumped(f"{style}{sections}{MEASURE}", tmp_path)
    assert f'data-shown="{len(views)}"' in shown
    assert 'data-faint="0"' in shown
    assert re.findall(r'data-tall="([^"]*)"', shown) == [""]
