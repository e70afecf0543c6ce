"""Checking a whole list."""

from __future__ import annotations

import asyncio
import copy
import csv
import json
import pickle
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dns_server import closed_port
from mailflows._dns import Resolver
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.recipients import (
    Advice,
    Deliverability,
    ListReport,
    Overrides,
    RecipientChecker,
    Trait,
    check_list,
)
from mailflows.recipients._bounce_rate import CLASSES, judge, known_policies, predict, sample_size
from mailflows.recipients._spool import DomainCache
from mailflows.testing import FakeDns, FixedClock

if TYPE_CHECKING:
    from pathlib import Path

RECORDS: dict[str, Any] = {
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


def checker(**settings: Any) -> RecipientChecker:
    """Return a checker over a DNS from memory."""
    return RecipientChecker(resolver=FakeDns(RECORDS), flow=Flow.MARKETING, **settings)


def test_what_a_report_says() -> None:
    """Counts, typing errors, duplicates, dead domains and providers."""
    report = checker().check_list(ROWS)
    assert (report.rows, report.addresses, report.bad_rows) == (11, 10, 1)
    assert report.bad_row_examples == ((9, "empty"),)
    assert report.verdicts == {
        Deliverability.DELIVERABLE: 4,
        Deliverability.UNKNOWN: 1,
        Deliverability.RISKY: 2,
        Deliverability.UNDELIVERABLE: 3,
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
    """What was asked before is not asked again; "no answer" is. The file holds domains, no addresses."""
    cache = tmp_path / "domains.cache"

    class Stop(Exception):  # noqa: N818 -- of this test
        pass

    def interrupt(done: int, _: int) -> None:
        if done == 250:
            raise Stop

    rows = [f"lovelace@d{n}.fr" for n in range(400)] + ["e@slow.fr"]
    with pytest.raises(Stop):
        RecipientChecker(resolver=FakeDns(RECORDS)).check_list(rows, cache=cache, progress=interrupt)
    second = FakeDns(RECORDS)
    RecipientChecker(resolver=second).check_list(rows, cache=cache)
    assert 150 <= len({q.name for q in second.asked if q.name.startswith("d")}) <= 201
    third = FakeDns(RECORDS)
    RecipientChecker(resolver=third).check_list(rows, cache=cache)
    assert {q.name for q in third.asked if not q.name.endswith((".com", ".net"))} == {"slow.fr"}
    assert b"lovelace@" not in cache.read_bytes()


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
    assert report.verdicts[Deliverability.UNKNOWN] == 200
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
    assert report.verdicts[Deliverability.UNDELIVERABLE] == 0


def test_a_resolver_without_the_internet_calls_nobody_bad() -> None:
    """The system's resolver that does not know .com says nothing about any domain."""
    dns = FakeDns()
    dns.is_system = True  # type: ignore[attr-defined]
    report = RecipientChecker(resolver=dns).check_list(["ada@shop.fr"])
    assert ".com" in report.resolver_trouble
    assert report.verdicts[Deliverability.UNKNOWN] == 1


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


@pytest.mark.parametrize("is_own", [True, False], ids=["own axes", "new axes"])
@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_a_plot_can_be_read_on_its_page(*, dark: bool, is_own: bool) -> None:
    """Words, ticks and the line stand out from the ground, on axes that somebody made, too."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.colors import to_rgb

    given = plt.subplots()[1] if is_own else None
    drawn = checker().check_list(ROWS).plot(given, dark=dark)
    ground = sum(to_rgb(drawn.get_facecolor())) / 3
    legend = drawn.get_legend()
    told = [drawn.title, drawn.xaxis.label, *drawn.get_xticklabels(), *drawn.get_yticklabels()]
    shades = [sum(to_rgb(word.get_color())) / 3 for word in told]
    shades += [sum(to_rgb(line.get_color())) / 3 for line in drawn.get_lines()]
    assert (ground < 0.1) is dark
    assert all(abs(shade - ground) > 0.7 for shade in shades)
    inside = sum(to_rgb(legend.get_frame().get_facecolor())) / 3
    assert all(abs(sum(to_rgb(word.get_color())) / 3 - inside) > 0.7 for word in legend.get_texts())
    plt.close(drawn.figure)


def test_an_empty_list() -> None:
    """Nothing to mail is no fault."""
    report = check_list([], dns=False)
    assert (report.rows, report.prediction.rate) == (0, 0.0)
    assert list(report.clean()) == []
    str(report)


def test_memory_stays_flat() -> None:
    """Once the caches are full, twice the rows do not take forty bytes more each."""

    def peak(count: int) -> int:
        rng = random.Random(1)
        rows = (f"user{rng.randrange(10**9)}@d{n % 300}.fr" for n in range(count))
        tracemalloc.start()
        checker(dns=False).check_list(rows)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2_000)
    small, large = peak(10_000), peak(20_000)
    assert large < small + 40 * 10_000


GOOD = [f"{first}@firm{n}.fr" for n, first in enumerate(("ada", "bob", "carla", "dora", "emil") * 8)]
GOOD += [f"{first}.{n}moreau@gmail.com" for n, first in enumerate(("ines", "jan", "karl", "lena"))]
BAD = {
    "disposable": "p@yopmail.com",
    "typing error": "bob@gmial.com",
    "no mail host": "ada@implicit.fr",
    "dead domain": "ada@gone.fr",
    "null MX": "ada@null.fr",
    "silent domain": "ada@slow.fr",
    "made up": "qwerty@shop.fr",
    "no address": "nothing",
    "empty": "",
    "not text": 7,
    "suppressed": "known@shop.fr",
    "provider's grammar": "a_b@gmail.com",
    "parked": "ada@parked.fr",
    "markup": "u003eada@shop.fr",
    "role": "info@shop.fr",
    "no-reply": "noreply@shop.fr",
    "SMS gateway": "3125550100@vtext.com",
    "unknown ending": "ada@shop.qqq",
    "look-alike": "ada@gm\N{CYRILLIC SMALL LETTER A}il.com",
    "long local part": f"{'a' * 65}@shop.fr",
    "not ASCII": "\u00e9lodie@shop.fr",
    "host of a disposable service": "ada@fresh.fr",
    "for documentation": "ada@example.org",
    "special use": "ada@shop.internal",
    "broken mail hosts": "ada@broken.fr",
    "several, one bad": "ada@gone.fr; x",
    "spam trap": "trap@shop.fr",
}
WORLD = {
    **RECORDS,
    **{address.partition("@")[2]: {"MX": ["10 mx.host.fr"]} for address in GOOD},
    "yopmail.com": {"MX": ["10 mx.host.fr"]},
    "implicit.fr": {"A": ["93.184.216.34"]},
    "parked.fr": {"MX": ["10 mx.parkingcrew.net"]},
    "fresh.fr": {"MX": ["10 mail.mailinator.com"]},
    "mail.mailinator.com": {"A": ["93.184.216.34"]},
    "broken.fr": {"MX": ["10 mx.gone.fr"]},
    "vtext.com": {"MX": ["10 mx.host.fr"]},
    "mx.parkingcrew.net": {"A": ["93.184.216.34"]},
}


def judged(rows: list[object]) -> ListReport:
    """Return the report on rows from a small world."""
    made = RecipientChecker(
        resolver=FakeDns(WORLD),
        flow=Flow.MARKETING,
        bounced={"known@shop.fr"},
        overrides=Overrides.of(traps={"trap@shop.fr"}),
    )
    return made.check_list(rows)


@pytest.mark.property
@settings(max_examples=60, deadline=None)
@given(
    good=st.integers(1, len(GOOD)),
    others=st.lists(st.sampled_from(sorted(BAD)), max_size=40),
    bad=st.sampled_from(sorted(BAD)),
)
def test_a_good_row_replaced_by_a_bad_one_never_improves_a_verdict(
    good: int, others: list[str], bad: str
) -> None:
    """For every kind of bad row, every policy and any mix, also where all the others are bad."""
    order = list(Advice)
    rest = [*GOOD[: good - 1], *(BAD[name] for name in others)]
    before = judged([GOOD[good - 1], *rest])
    after = judged([BAD[bad], *rest])
    for one, other in zip(before.policies, after.policies, strict=True):
        assert order.index(other.advice) >= order.index(one.advice), one.policy.name


@pytest.mark.property
@settings(max_examples=100, deadline=None)
@given(
    counts=st.fixed_dictionaries(
        {name: st.integers(0, 3_000) for name in ("provider", "ordinary", *CLASSES)}
    ),
    good=st.sampled_from(["provider", "ordinary"]),
    worse=st.sampled_from(sorted(set(CLASSES) - {"delivered"})),
    dead=st.integers(0, 300),
    asked=st.integers(0, 3_000),
)
def test_one_ordinary_address_less_never_lowers_an_end(
    counts: dict[str, int], good: str, worse: str, dead: int, asked: int
) -> None:
    """The law behind it: both ends of the interval rise, for lists of any length."""
    counts[good] += 1
    evidence = {"dead": dead, "asked": dead + asked + 1, "delivered": counts["delivered"]}
    before = predict(counts, **evidence)
    replaced = {**counts, good: counts[good] - 1, worse: counts[worse] + 1}
    if good == "ordinary":  # its domain counted among the list's own, and now as a dead one or not at all
        evidence["dead" if worse == "undeliverable" else "asked"] += 1 if worse == "undeliverable" else -1
    after = predict(replaced, **evidence)
    assert after.low >= before.low - 1e-9
    assert after.high >= before.high - 1e-9


@pytest.mark.property
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_the_order_of_the_rows_does_not_matter(data: st.DataObject) -> None:
    """Counts, prediction and policies are those of the list, not of its order."""
    rows: list[object] = [*GOOD[:10], *BAD.values(), "ADA@firm0.fr", "Ada+x@firm0.fr"]
    first, second = judged(rows), judged(data.draw(st.permutations(rows)))
    assert first.prediction == second.prediction
    assert first.policies == second.policies
    assert (first.verdicts, first.reasons, first.duplicates) == (
        second.verdicts,
        second.reasons,
        second.duplicates,
    )


def test_several_processes_give_the_same_report() -> None:
    """Read in other processes, the rows come back in order, with the user's own lists."""
    rows = [*GOOD, *BAD.values(), *(f"user{n:05}@shop.fr" for n in range(3_000)), "x@own.fr; y@shop.fr"]
    made = RecipientChecker(
        resolver=FakeDns(WORLD), clock=FixedClock(), overrides=Overrides.of(disposable={"own.fr"})
    )
    one, two = made.check_list(rows), made.check_list(rows, n_jobs=2)
    assert one == two
    assert list(one.reports()) == list(two.reports())
    assert one.traits[Trait.DISPOSABLE] == 4  # yopmail.com, gmial.com, a host of Mailinator, and own.fr
    with pytest.raises(ConfigurationError) as caught:
        made.check_list(rows, n_jobs=0)
    assert caught.value.field == "n_jobs"


def test_a_domain_is_new_once() -> None:
    """Also when there are more of them than memory keeps."""
    domains = DomainCache(None, now=0.0)
    names = [f"firm{n}.fr" for n in range(200_010)]
    assert all(map(domains.is_new, names))
    assert not any(map(domains.is_new, names[:20] + names[-20:]))
    domains.close()


@pytest.mark.parametrize("rows", [[], [None, ""], [7]])
def test_nothing_to_mail_is_no_go(rows: list[object]) -> None:
    """An empty list, empty cells, what is no text."""
    assert all(verdict.advice is Advice.STOP for verdict in judged(rows).policies)


def test_good_corporate_rows_can_reach_go() -> None:
    """Ten thousand people at firms whose domains all live: every policy that knows no largest mailing."""
    prediction = predict({"ordinary": 10_000}, dead=0, asked=4_000)
    assert {
        judge(policy, prediction).advice for policy in known_policies() if policy.max_recipients is None
    } == {Advice.GO}


def test_a_sample_that_did_well_is_believed() -> None:
    """The sample that a policy asks for settles it: its outcome goes back as history."""
    strict = next(policy for policy in known_policies() if policy.name == "Brevo")
    size, _ = sample_size(10_000, strict.hard_bounce)
    history = predict({"ordinary": 10_000 - size, "delivered": size}, asked=2_000, delivered=size)
    assert judge(strict, history).advice is Advice.GO


def test_a_numbered_list_is_told() -> None:
    """Addresses that differ only in a number are made up; people's names with a year are not."""
    counted = judged([f"user{n:05}@shop.fr" for n in range(500)])
    assert counted.findings[0].code == "serial-addresses"
    assert counted.traits[Trait.SERIAL] == 500
    people = judged([f"{a}.{b}{n % 90}@shop.fr" for n, (a, b) in enumerate(NAMES)])
    assert "serial-addresses" not in [finding.code for finding in people.findings]


FIRST = "ada bob carla dora emil fritz greta hugo ines jan karl lena max nora otto paula rosa sven".split()
LAST = "adler bauer conti duval ebert fischer garcia huber ivanov jansen keller lopez meyer novak".split()
NAMES = [(first, last) for first in FIRST for last in LAST]


def test_a_report_is_a_value(tmp_path: Path) -> None:
    """It compares, copies, pickles, is saved and loaded, and holds what was judged."""
    report = judged([*GOOD[:5], *BAD.values()])
    report.save(tmp_path / "report.db")
    for other in (
        pickle.loads(pickle.dumps(report)),
        copy.deepcopy(report),
        ListReport.load(tmp_path / "report.db"),
    ):
        assert other == report
        assert other.to_dict() == report.to_dict()
        assert list(other.reports()) == list(report.reports())
        assert list(other.clean(risky=True)) == list(report.clean(risky=True))
    with pytest.raises(FileExistsError):
        report.save(tmp_path / "report.db")
    (tmp_path / "other.db").write_text("no report")
    with pytest.raises(ConfigurationError, match="not a saved list report"):
        ListReport.load(tmp_path / "other.db")


def test_the_rows_are_those_of_single_checks() -> None:
    """What a list says of an address is what a check of it alone says."""
    alone = [text for text in BAD.values() if isinstance(text, str) and text and ";" not in text]
    rows = [*GOOD[:5], *GOOD[-2:], *alone]
    made = RecipientChecker(
        resolver=FakeDns(WORLD), flow=Flow.MARKETING, bounced={"known@shop.fr"}, clock=FixedClock()
    )
    listed = [report for _, report, _ in made.check_list(rows).reports()]
    assert listed == [made.check(text) for text in rows]


def test_clean_does_not_judge_anew() -> None:
    """A history that grows later changes nothing in a report that was made."""
    bounced: set[str] = set()
    report = RecipientChecker(resolver=FakeDns(WORLD), bounced=bounced).check_list(GOOD[:3])
    bounced.update(GOOD)
    assert list(report.clean()) == GOOD[:3]


def test_suggestions_are_applied_on_request() -> None:
    """Where the mailbox that was meant does not stand in the list; each once."""
    rows: list[object] = [
        "bob.smith@gmial.com",
        "bob.smith@gmal.com",
        "carla.jones@gmial.com",
        "carla.jones@gmail.com",
    ]
    assert list(judged(rows).clean(apply_suggestions=True)) == [
        "bob.smith@gmail.com",
        "carla.jones@gmail.com",
    ]


def test_the_parts_of_a_list() -> None:
    """By who takes the mail, or by a column; a column that is not there is told."""
    report = checker().check_list(
        [{"email": "ada@shop.fr", "source": "fair"}, {"email": "x", "source": "web"}]
    )
    assert {part.name: part.undeliverable_share for part in report.segments("source")} == {
        "fair": 0,
        "web": 1,
    }
    assert report.segments()[0].name == "host.fr"
    risks = report.segments(by_risk=True)
    assert risks[0].name == "no issues found"
    assert sum(part.addresses for part in risks) == report.addresses
    with pytest.raises(ConfigurationError, match="not both"):
        report.segments("source", by_risk=True)
    with pytest.raises(ConfigurationError):
        report.segments("age")


async def _checked() -> ListReport:
    return await checker().acheck_list(ROWS)


def test_a_list_without_blocking_the_loop() -> None:
    """The same report as without."""
    assert asyncio.run(_checked()).verdicts == checker().check_list(ROWS).verdicts


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


def test_a_segment_of_empty_cells_has_a_name_in_print() -> None:
    """Rows without a city are a segment that a reader can see."""
    report = check_list([{"email": "ada@shop.fr", "city": ""}], dns=False)
    assert str(report.segments("city")[0]).startswith("(empty): 1 address ")
