"""A report on a list in words: what was checked, what is left out and why, what to expect, what to do."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from browser import visited
from mailflows import check_list
from mailflows.cli import main
from mailflows.errors import ConfigurationError
from mailflows.recipients import Advice, RecipientChecker
from mailflows.testing import FakeDns

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("ada", "anna.berg", "bob", "clara.roth", "emil", "eve", "jan.kok", "kim", "lea", "paul.petit")
SOUND = [f"{name}@firm{number}.fr" for name in NAMES[:2] for number in range(3000)]
MIXED = (
    "email,status\nada@shop.fr,subscribed\nADA@shop.fr,subscribed\nbob@gmial.com,subscribed\n,subscribed\n"
    "nothing,subscribed\neve@shop.fr,unsubscribed\nkim@shop.fr,subscribed\n"
)


def world() -> FakeDns:
    """Return a DNS in which every firm takes mail."""
    firms: dict[str, object] = {f"firm{number}.fr": {"MX": ["10 mx.host.fr"]} for number in range(3000)}
    return FakeDns({**firms, "mx.host.fr": {"A": ["93.184.216.34"]}})  # type: ignore[dict-item]


def test_a_list_in_words() -> None:
    """The counts add up to the rows, each with its cause, and the last sentence says what to do."""
    report = check_list(io.StringIO(MIXED), dns=False)
    text = report.explain()
    assert text.startswith('7 rows were read from the column "email"')
    assert "2 rows are safe to send to" in text
    assert "5 rows are left out" in text
    for why in ("repeated", "risky", "undeliverable", "without an address", "unsubscribed"):
        assert f"1 {why}" in text
    assert f"{report.prediction.rate:.1%}" in text
    assert "1 address looks mistyped" in text
    assert "DNS" in text
    assert "\n" not in text


def test_each_advice_has_its_next_step() -> None:
    """Go, sample first and stop end in something to do; so do an empty list and a silent resolver."""
    good = RecipientChecker(resolver=world()).check_list(SOUND)
    assert good.advice is Advice.GO
    assert good.explain().endswith("That is within every limit: send.")
    lossy = RecipientChecker(resolver=world()).check_list([*SOUND, SOUND[0]])
    assert "write the safe rows with clean_to_csv(), and send." in lossy.explain()
    sample = check_list(SOUND, dns=False)
    assert sample.advice is Advice.SAMPLE_FIRST
    then = r"random sample of \d+ first, and continue if (none|at most \d+) of it"
    assert re.search(then, sample.explain())
    assert "clean_to_csv" not in sample.explain()  # nothing is left out of it
    assert "clean_to_csv" in check_list([*SOUND, SOUND[0]], dns=False).explain()
    stop = check_list(["nothing"] * 5, dns=False)
    assert stop.advice is Advice.STOP
    assert "Do not send to it" in stop.explain()
    assert "nobody to send to" in check_list([], dns=False).explain()
    few = check_list(["nothing", "info@shop.fr", "ada@shop.fr"], dns=False)
    assert "sample of 1 first" in few.explain()
    none = check_list(["info@shop.fr"], dns=False)
    assert "no row is left" in none.explain()
    silent = RecipientChecker(resolver=FakeDns({}, default="timeout")).check_list(SOUND)
    assert "Check the list again" in silent.explain()
    assert "dns=False" in silent.explain()
    assert list(silent.clean()) == []
    assert "could not be checked" in silent.explain()


def test_the_views_show_it(tmp_path: Path) -> None:
    """The paragraph stands in the text, in the notebook and on the page, which has a title."""
    report = check_list(io.StringIO(MIXED), dns=False)
    assert report.explain() in str(report)
    assert "2 rows are safe to send to" in report._repr_html_()
    report.save_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<title>Mailing list: 6 addresses; advice: stop - mailflows</title>" in page
    assert page.count("<h1>") == 1
    assert "2 rows are safe to send to" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_limit_that_is_not_published() -> None:
    """Of a provider that publishes none the report says so, and applies the strictest that others publish."""
    report = check_list(SOUND, dns=False)
    for name in ("Mailchimp", "postmark", "Mailgun"):
        verdict = report.policy(name)
        assert verdict.policy.ours
        assert verdict.policy.hard_bounce == min(one.policy.hard_bounce for one in report.policies)
        assert f"{name} publishes no bounce limit" in verdict.policy.rule
        assert verdict.advice is report.policy("brevo").advice
    assert report.policy("HubSpot").policy.hard_bounce == 0.05
    with pytest.raises(ConfigurationError, match="known for 'nobody'"):
        report.policy("nobody")


def test_the_command_line_takes_such_a_provider(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--provider` lets the limit that is applied decide."""
    file = tmp_path / "list.csv"
    file.write_text(MIXED, "utf-8")
    assert main(["list", str(file), "--no-dns", "--provider", "mailchimp"]) == 1
    assert "Mailchimp publishes no bounce limit" in capsys.readouterr().out


def test_the_page_is_legible_in_a_browser(tmp_path: Path) -> None:
    """A real browser reads the page as it was written, and finds nothing to load."""
    report = check_list(io.StringIO(MIXED), dns=False)
    report.save_html(tmp_path / "page.html")
    seen = visited((tmp_path / "page.html").as_uri(), tmp_path)
    assert "<h1>Mailing list: 6 addresses; advice: stop</h1>" in seen
    assert "color-scheme:light dark" in seen
    assert "2 rows are safe to send to" in seen
