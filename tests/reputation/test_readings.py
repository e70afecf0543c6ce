"""What big providers measure, read from their exports, and held against their own thresholds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows import ConfigurationError
from mailflows.limits import MemoryStore
from mailflows.reputation import BreakerState, ProviderReading, Reputation, read_readings
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from pathlib import Path


NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)


def google(*rates: float, metric: str = "SPAM_RATE") -> str:
    """Return an answer of domainStats.query with a rate a day."""
    return json.dumps(
        {
            "domainStats": [
                {
                    "name": "domains/news.example.org/domainStats/a1",
                    "metric": metric,
                    "date": {"year": 2026, "month": 6, "day": number},
                    "value": {"doubleValue": rate},
                }
                for number, rate in enumerate(rates, 1)
            ],
            "nextPageToken": "",
        }
    )


YAHOO = """Date,DKIM Domain,Inbox Delivered,Spam Complaint Rate
2026-06-01,news.example.org,"12,000",0.45%
2026-06-02,news.example.org,"11,000",0.40%
"""
_SAMPLES = "out.example.org,b@example.org,"
SNDS = (
    f"192.0.2.20,6/1/2026 1:00 AM,6/2/2026 12:00 AM,9120,9001,9050,GREEN,< 0.1%,,,0,{_SAMPLES}\n"
    f"192.0.2.20,6/2/2026 1:00 AM,6/3/2026 12:00 AM,9120,9001,9050,RED,0.9%,,,3,{_SAMPLES}\n"
)


def reputation() -> Reputation:
    """Return an empty reputation, some days into June 2026."""
    clock = FixedClock(NOON)
    return Reputation(MemoryStore(clock=clock), clock=clock)


def test_googles_rates_are_of_its_inbox() -> None:
    """A rate a day, without a volume; other metrics are left out."""
    found = read_readings(google(0.0041, 0.001))
    assert [reading.complaints for reading in found] == [0.0041, 0.001]
    assert found[0].subject == "news.example.org"
    assert found[0].total is None
    assert "inbox" in found[0].denominator
    assert read_readings(google(0.99, metric="DKIM_SUCCESS_RATE")) == ()
    batch = json.dumps({"results": [{"response": json.loads(google(0.002))}]})
    assert [reading.complaints for reading in read_readings(batch)] == [0.002]


def test_yahoos_export_has_a_volume() -> None:
    """Rates in percent beside the messages that reached the inbox."""
    found = read_readings(YAHOO.encode())
    assert [reading.complaints for reading in found] == [pytest.approx(0.0045), pytest.approx(0.004)]
    assert [reading.total for reading in found] == [12_000, 11_000]


def test_snds_bounds_are_no_measurements(tmp_path: Path) -> None:
    """Less than 0.1 % is certain of nothing; traps and the colour are kept."""
    path = tmp_path / "data.csv"
    path.write_text(SNDS, "utf-8")
    first, second = read_readings(path)
    assert (first.complaints, first.total, first.words) == (0.0, 9050, "GREEN")
    assert second.complaints == pytest.approx(0.009)
    assert (second.traps, second.words) == (3, "RED")
    assert str(second) == "outlook on 2026-06-02: 0.90% of 9050 reported as spam (192.0.2.20)"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "{", '{"kind": "x"', "From: ada@example.org\n\nHello"])
def test_what_is_no_export_is_refused(text: str) -> None:
    """Another file is misuse, and the error names the three that are read."""
    if text == "":
        with pytest.raises(ConfigurationError):
            read_readings(text)
    else:
        with pytest.raises(ConfigurationError, match=r"JSON|export"):
            read_readings(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever stands in a file, nothing but readings or a refusal comes out."""
    try:
        found = read_readings(text)
    except ConfigurationError:
        return
    assert all(isinstance(reading, ProviderReading) for reading in found)


@pytest.mark.parametrize(
    ("export", "provider"),
    [(google(0.0041, 0.0035), "google"), (YAHOO, "yahoo"), (SNDS, "outlook")],
)
def test_a_rate_above_the_providers_own_stops_the_mail_to_it(export: str, provider: str) -> None:
    """What a provider measured stops the mail to it, and to nobody else."""
    found = reputation()
    noted = found.note("marketing", read_readings(export))
    assert [standing.scope for standing in noted] == [f"marketing to {provider}"]
    assert "reported as spam" in noted[0].reason
    assert found.check("marketing").state is BreakerState.CLOSED
    assert found.check("marketing", provider=provider).state is BreakerState.OPEN
    assert found.note("marketing", read_readings(export)) == ()
    assert found.close("marketing", provider=provider).state is BreakerState.CLOSED
    assert found.stopped() == ()


@pytest.mark.parametrize(
    "export",
    [
        google(0.0041),
        google(0.002, 0.0029, 0.001),
        YAHOO.replace("0.4", "0.04"),
        SNDS.replace("0.9%", "0.1%"),
    ],
)
def test_a_rate_below_or_of_one_day_stops_nothing(export: str) -> None:
    """One bad day without a volume, and rates below the threshold, are no reason."""
    found = reputation()
    assert found.note("marketing", read_readings(export)) == ()
    assert found.stopped() == ()


def test_old_readings_do_not_count() -> None:
    """What was measured before the window says nothing about now."""
    clock = FixedClock(NOON + timedelta(days=30))
    found = Reputation(MemoryStore(clock=clock), clock=clock)
    assert found.note("marketing", read_readings(google(0.01, 0.01))) == ()


def test_a_reading_can_be_stored() -> None:
    """A reading is plain data."""
    reading = read_readings(YAHOO)[0]
    assert reading.to_dict()["day"] == "2026-06-01"
    assert reading.to_dict()["total"] == 12_000
