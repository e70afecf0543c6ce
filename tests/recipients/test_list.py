"""Checking a whole list."""

from __future__ import annotations

import csv
import json
import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dns_server import closed_port
from mailflows._dns import Resolver
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.recipients import Advice, RecipientChecker, Trait, Verdict, check_list
from mailflows.recipients._policies import judge, known_policies, sample_size
from mailflows.recipients._prediction import CLASSES, predict
from mailflows.testing import FakeDns

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = {
    "shop.fr": {"MX": ["10 mx.host.fr"]},
    "gmail.com": {"MX": ["10 mx.host.fr"]},
    "gmial.com": {"MX": ["10 mx.host.fr"]},
    "mx.host.fr": {"A": ["93.184.216.34"]},
    "null.fr": {"MX": ["0 ."]},
    "slow.fr": "timeout",
}
ROWS = [
    "ada@shop.fr",
    "ADA@shop.fr",
    "bob@gmial.com",
    "info@shop.fr",
    "c@gone.fr",
    "d@null.fr",
    "e@slow.fr",
    "no address",
    None,
    "fiona.g@gmail.com",
    "fionag+x@gmail.com",
]


def checker(**settings: object) -> RecipientChecker:
    """Return a checker over a DNS from memory."""
    return RecipientChecker(resolver=FakeDns(RECORDS), flow=Flow.MARKETING, **settings)


def test_what_a_report_says() -> None:
    """Counts, typing errors, duplicates, dead domains and providers."""
    report = checker().check_list(ROWS)
    assert (report.rows, report.addresses, report.bad_rows) == (11, 10, 1)
    assert report.bad_row_examples == ((9, "empty"),)
    assert report.verdicts == {
        Verdict.DELIVERABLE: 4,
        Verdict.UNKNOWN: 1,
        Verdict.RISKY: 2,
        Verdict.UNDELIVERABLE: 3,
    }
    assert report.typos == (("bob@gmial.com", "bob@gmail.com"),)
    assert report.duplicates == 2
    assert report.traits[Trait.ROLE] == 1
    assert report.dead_domain_share == 0.2
    assert dict(report.worst_domains) == {"gone.fr": 1, "null.fr": 1}
    assert report.providers[0] == ("host.fr", 6)
    assert report.prediction.low <= report.prediction.rate <= report.prediction.high
    assert {verdict.policy.name for verdict in report.policies} == {
        policy.name for policy in known_policies()
    }


def test_the_safe_subset() -> None:
    """Only deliverable addresses, each mailbox once, as they were given."""
    report = checker().check_list(ROWS)
    assert list(report.clean()) == ["ada@shop.fr", "fiona.g@gmail.com"]
    assert "bob@gmial.com" in report.clean(risky=True)
    assert list(checker(dns=False).check_list(["ada@shop.fr", "x@yopmail.com"]).clean()) == ["ada@shop.fr"]


def test_each_domain_is_asked_once() -> None:
    """However many rows it has."""
    dns = FakeDns(RECORDS)
    RecipientChecker(resolver=dns).check_list(f"u{n}@{d}" for n in range(50) for d in ("shop.fr", "gone.fr"))
    asked = [question for question in dns.asked if question.name in ("shop.fr", "gone.fr")]
    assert len(asked) == len(set(asked)) == 2


def test_an_interrupted_list_goes_on_from_its_cache(tmp_path: Path) -> None:
    """What was asked before is not asked again; «no answer» is. The file holds domains, no addresses."""
    cache = tmp_path / "domains.cache"

    class Stop(Exception):  # noqa: N818 -- of this test
        pass

    def interrupt(done: int, _: int) -> None:
        if done == 250:
            raise Stop

    rows = [f"ada@d{n}.fr" for n in range(400)] + ["e@slow.fr"]
    with pytest.raises(Stop):
        RecipientChecker(resolver=FakeDns(RECORDS)).check_list(rows, cache=cache, progress=interrupt)
    second = FakeDns(RECORDS)
    RecipientChecker(resolver=second).check_list(rows, cache=cache)
    assert 150 <= len({q.name for q in second.asked if q.name.startswith("d")}) <= 201
    third = FakeDns(RECORDS)
    RecipientChecker(resolver=third).check_list(rows, cache=cache)
    assert {q.name for q in third.asked if not q.name.endswith((".com", ".net"))} == {"slow.fr"}
    assert b"ada@" not in cache.read_bytes()


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    """It is not overwritten."""
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but something that matters\n" * 100)
    with pytest.raises(ConfigurationError) as caught:
        checker().check_list(ROWS, cache=file)
    assert caught.value.field == "cache"
    assert file.read_text().startswith("not a database")


def test_a_resolver_that_is_down_calls_nobody_bad() -> None:
    """The verdict is unknown, the trouble is said once, and no policy says go."""
    down = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=closed_port()))
    report = down.check_list(f"ada@d{n}.fr" for n in range(200))
    assert report.verdicts[Verdict.UNKNOWN] == 200
    assert "no answer" in report.resolver_trouble
    assert all(verdict.advice is not Advice.GO for verdict in report.policies)
    assert str(report).count(report.resolver_trouble) == 1


def test_a_resolver_that_mostly_fails_calls_nobody_bad() -> None:
    """Where most queries fail, the rest is not believed either."""
    records = {f"d{n}.fr": "servfail" for n in range(60)} | {"good.fr": {"MX": ["10 mx.host.fr"]}, **RECORDS}
    report = RecipientChecker(resolver=FakeDns(records)).check_list(
        [f"a@d{n}.fr" for n in range(60)] + ["a@gone.fr", "a@good.fr"]
    )
    assert report.resolver_trouble
    assert report.verdicts[Verdict.UNDELIVERABLE] == 0


def test_a_resolver_without_the_internet_calls_nobody_bad() -> None:
    """The system's resolver that does not know .com says nothing about any domain."""
    dns = FakeDns()
    dns.is_system = True  # type: ignore[attr-defined]
    report = RecipientChecker(resolver=dns).check_list(["ada@shop.fr"])
    assert ".com" in report.resolver_trouble
    assert report.verdicts[Verdict.UNKNOWN] == 1


def test_history_lowers_and_sharpens_the_estimate() -> None:
    """Known bounces are not mailed again, and known deliveries tell of the rest."""
    rows = [f"u{n}@shop.fr" for n in range(2000)]
    blank = checker().check_list(rows).prediction
    bounced, delivered = set(rows[:10]), set(rows[10:800])
    known = checker(bounced=bounced).check_list(rows, delivered=delivered)
    assert known.known_bounces == 10
    assert known.prediction.addresses == 1990
    assert known.prediction.rate < blank.rate
    assert known.prediction.high - known.prediction.low < blank.high - blank.low


def test_the_table_and_the_frame(tmp_path: Path) -> None:
    """Every row with its verdict, and the line of the row that it duplicates."""
    report = checker().check_list(ROWS)
    report.to_csv(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as opened:
        table = list(csv.DictReader(opened))
    assert [row["line"] for row in table] == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]
    assert table[1]["duplicate_of"] == "1"
    assert table[2]["suggestion"] == "bob@gmail.com"
    pytest.importorskip("pandas")
    assert table[8]["verdict"] == "bad-row"
    assert len(report.to_pandas()) == 11


def test_displays_are_escaped_and_complete() -> None:
    """Rows are hostile text; JSON has everything."""
    report = checker().check_list([*ROWS, "<script>x</script>@gmial.com"])
    assert "<script>" not in report._repr_html_()
    data = json.loads(json.dumps(report.to_dict()))
    assert data["addresses"] == 11
    assert all(policy["source"].startswith("https://") for policy in data["policies"])
    assert "hard bounces predicted" in str(report)


def test_a_plot() -> None:
    """The limits of the policies and the interval of the list."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    axes = checker().check_list(ROWS).plot()
    assert len(axes.patches) >= len(known_policies())
    plt.close(axes.figure)


def test_an_empty_list() -> None:
    """Nothing to mail is no fault."""
    report = check_list([], dns=False)
    assert (report.rows, report.prediction.rate) == (0, 0.0)
    assert list(report.clean()) == []
    str(report)


def test_memory_stays_flat() -> None:
    """Four times the rows do not take more memory."""

    def peak(count: int) -> int:
        rng = random.Random(1)
        rows = (f"user{rng.randrange(10**9)}@d{n % 300}.fr" for n in range(count))
        tracemalloc.start()
        checker(dns=False).check_list(rows)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2_000)
    small, large = peak(10_000), peak(40_000)
    assert large < small * 1.2 + 2_000_000


COUNTS = st.fixed_dictionaries(
    {"ordinary": st.integers(0, 20_000)}
    | {name: st.integers(0, 500) for name in CLASSES if name != "delivered"}
)


@pytest.mark.property
@settings(max_examples=200, deadline=None)
@given(counts=COUNTS, added=st.sampled_from(sorted(set(CLASSES) - {"delivered"})), more=st.integers(1, 400))
def test_bad_rows_never_improve_a_verdict(counts: dict[str, int], added: str, more: int) -> None:
    """Whatever is added of whatever bad class, no policy becomes friendlier."""
    order = list(Advice)
    dead, asked = counts["undeliverable"], counts["undeliverable"] + counts["ordinary"]
    worse = {**counts, added: counts[added] + more}
    further = more if added == "undeliverable" else 0
    before = predict(counts, dead=dead, asked=asked)
    after = predict(worse, dead=dead + further, asked=asked + further)
    if not before.addresses:
        return
    for policy in known_policies():
        assert order.index(judge(policy, after).advice) >= order.index(judge(policy, before).advice)


def test_small_lists_cannot_prove_a_low_rate() -> None:
    """Without a history a hundred clean rows do not get a go from the strictest policy."""
    brevo = next(policy for policy in known_policies() if policy.name == "Brevo")
    assert judge(brevo, predict({"ordinary": 100})).advice is Advice.SAMPLE_FIRST
    assert sample_size(10**6, 0.02) == (149, 0)
    size, allowed = sample_size(200, 0.02, expected=0.01)
    assert size < 200
    assert allowed > 0


def test_a_rotten_list_is_stopped_and_a_proven_one_goes() -> None:
    """The clear cases are clear."""
    for policy in known_policies():
        if policy.max_recipients is None:
            assert judge(policy, predict({"ordinary": 5000, "undeliverable": 900})).advice is Advice.STOP
            proven = predict({"ordinary": 500, "delivered": 5000}, bounced=1, delivered=5000)
            assert judge(policy, proven).advice is Advice.GO
