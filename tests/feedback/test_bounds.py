"""Where what came back begins to mean something else: codes, shares, days, lengths."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Flow
from mailflows.feedback import (
    Action,
    BounceReason,
    Event,
    EventType,
    OutagePolicy,
    SuppressionList,
    export_suppressions,
    from_smtp_exception,
    from_webhook,
    import_suppressions,
    parse_autoreply,
    parse_bounce,
    read_reply,
)
from mailflows.feedback._entry import Suppression
from mailflows.feedback._expiry import LONGEST, end_of, lasts_longer, sensible
from mailflows.feedback._moment import DateOrder, moment_in
from mailflows.feedback._recorded import recorded
from mailflows.feedback._rows import Rows, split
from mailflows.limits import MemoryStore
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86400.0
ADA = "ada@one.example"


@pytest.mark.parametrize(
    ("code", "text", "found"),
    [
        (200, "", (None, "none", False)),
        (399, "", (None, "none", False)),
        (400, "", ("temporary", "retry", False)),
        (499, "", ("temporary", "retry", False)),
        (500, "", ("protocol", "fix-config", True)),
        (599, "", ("other", "none", True)),
        (500, "5.1.1 no such user", ("mailbox-unknown", "suppress", True)),
        (550, "4.7.0 wait", ("policy", "retry", True)),
    ],
)
def test_a_code_says_whether_a_message_was_taken(
    code: int, text: str, found: tuple[str | None, str, bool]
) -> None:
    """2xx and 3xx, 4xx, 5xx; a status of 4.x.x is not final."""
    reply = read_reply(code, text)
    assert (reply.reason and str(reply.reason), str(reply.action), reply.permanent) == found


@pytest.mark.parametrize("code", [199, 600, -550, 0])
def test_what_is_no_code_is_refused(code: int) -> None:
    """From 200 to 599 they are."""
    with pytest.raises(ConfigurationError, match="a number from 200 to 599"):
        read_reply(code)


class Failed(Exception):  # noqa: N818 -- as a library calls it
    """An exception of a mail library, with what it knows."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update(known)


class SenderRefused(Failed):
    """One about the sender."""


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"smtp_code": 400, "smtp_error": b"4.2.0 x"}, "deferred: ada@one.example (temporary 4.2.0), retry"),
        ({"smtp_code": 399, "smtp_error": b"x"}, "deferred: ada@one.example (connection), retry"),
        ({"code": 599, "message": "5.1.1 x"}, "bounced: ada@one.example (mailbox-unknown 5.1.1), suppress"),
        ({"code": 600, "message": "x"}, "deferred: ada@one.example (connection), retry"),
        ({"code": "550", "message": "x"}, "deferred: ada@one.example (connection), retry"),
        ({"recipients": {ADA: (199, b"x")}}, "deferred: ada@one.example (temporary 451), retry"),
        ({"recipients": {ADA: (200, b"x")}}, "sent: ada@one.example (200)"),
        ({"recipients": {ADA: (599, "5.1.1")}}, "bounced: ada@one.example (mailbox-unknown 5.1.1), suppress"),
        ({"recipients": {ADA: (600, b"x")}}, "deferred: ada@one.example (temporary 451), retry"),
        ({"recipients": {ADA: (550, b"5.1.1", 1)}}, "deferred: ada@one.example (temporary 451), retry"),
        (
            {"recipient": ADA, "code": 550, "message": "5.1.1"},
            "bounced: ada@one.example (mailbox-unknown 5.1.1), suppress",
        ),
        ({"recipient": ADA}, "deferred: ada@one.example (connection), retry"),
        ({}, "deferred: ada@one.example (connection), retry"),
    ],
)
def test_an_exception_is_read_for_its_reply(known: dict[str, Any], said: str) -> None:
    """Without one between 400 and 599, the connection broke."""
    assert [str(event) for event in from_smtp_exception(Failed(**known), recipients=[ADA])] == [said]


def test_a_reply_to_all_accuses_the_one_whom_it_names() -> None:
    """Nobody, where it names nobody; and never for what is said of the sender."""
    two = [ADA, "bob@one.example"]
    unnamed = from_smtp_exception(Failed(smtp_code=550, smtp_error="5.1.1 no user"), recipients=two)
    assert [event.action for event in unnamed] == [Action.NONE] * 2
    named = Failed(smtp_code=550, smtp_error=f"5.1.1 <{ADA.upper()}> unknown")
    assert [event.action for event in from_smtp_exception(named, recipients=two)] == [
        Action.SUPPRESS,
        Action.NONE,
    ]
    both = Failed(smtp_code=550, smtp_error=f"5.1.1 <{ADA}> unknown, ask x@y.example")
    assert [event.action for event in from_smtp_exception(both, recipients=two)] == [Action.NONE] * 2
    sender = SenderRefused(smtp_code=550, smtp_error="5.1.1 no user")
    (event,) = from_smtp_exception(sender, recipients=[ADA])
    assert (event.reason, event.action) == (BounceReason.SENDER_INVALID, Action.FIX_CONFIG)


@pytest.mark.parametrize(
    ("fields", "is_one"),
    [
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: (a) auto-replied (b); owner=x", True),
        ("Auto-Submitted: auto-generated", False),
        ("Auto-Submitted: no", False),
        ("X-Autoreply: yes", True),
        ("X-Autoreply: no", False),
        ("Precedence: auto_reply", True),
        ("Precedence: bulk", False),
        ("X-Auto-Response-Suppress: All", False),
        ("Subject: Out of office", True),
        ("Subject: Out of office: back on Monday", True),
        ("Subject: Out of office plans", False),
        ("Subject: Re: Out of office", False),
        ("Auto-Submitted: auto-replied\nX-Failed-Recipients: b@x.example", False),
        ("Auto-Submitted: auto-replied\nReturn-Path: <>", True),
    ],
)
def test_an_automatic_answer_is_told_by_its_fields(fields: str, *, is_one: bool) -> None:
    """By what RFC 3834 says, by what programs write instead, and by its subject."""
    answer = parse_autoreply(f"From: ada@one.example\n{fields}\n\nBack on Monday.".encode())
    assert (answer is not None) is is_one


def test_an_automatic_answer_says_what_it_answers() -> None:
    """Where it does."""
    head = b"From: Ada <ada@one.example>\nAuto-Submitted: auto-replied\n"
    named = parse_autoreply(head + b"In-Reply-To: <1@x.example>\n\nx")
    assert named is not None
    assert (named.recipient, named.message_id) == (ADA, "1@x.example")
    unnamed = parse_autoreply(head + b"\nx")
    assert unnamed is not None
    assert unnamed.message_id is None


def report(*fields: str, text: str = "") -> bytes:
    """Return a delivery report with some fields about one recipient."""
    return (
        "From: MAILER-DAEMON@mx.example\nSubject: Report\nContent-Type: multipart/report; "
        "report-type=delivery-status; boundary=b\n\n--b\n\n"
        f"{text}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        f"Final-Recipient: rfc822; {ADA}\n" + "\n".join(fields) + "\n--b--\n"
    ).encode()


def test_a_delivery_has_its_status() -> None:
    """Where the report says one."""
    (said,) = parse_bounce(report("Action: delivered", "Status: 2.1.5"))
    assert (said.type, said.status) == (EventType.DELIVERED, "2.1.5")
    (unsaid,) = parse_bounce(report("Action: relayed"))
    assert (unsaid.type, unsaid.status) == (EventType.DELIVERED, None)


def test_what_a_server_said_is_kept_on_one_line_of_a_thousand_letters() -> None:
    """However long it was."""
    long = "Diagnostic-Code: smtp; 550 5.1.1 " + " ".join(["word"] * 400)
    (event,) = parse_bounce(report("Action: failed", "Status: 5.1.1", long))
    assert len(event.smtp_reply) == 1000
    assert event.smtp_reply.startswith("550 5.1.1 word word")
    (short,) = parse_bounce(report("Action: failed", "Status: 5.1.1", "Diagnostic-Code: smtp; 550\n  no"))
    assert short.smtp_reply == "550 no"


@pytest.mark.parametrize(
    ("text", "reason"), [("", "other"), ("The mailbox is full.", "mailbox-full"), ("Nothing known.", "other")]
)
def test_where_fields_say_little_the_text_is_read(text: str, reason: str) -> None:
    """It is for people, and says more."""
    (event,) = parse_bounce(report("Action: failed", "Status: 5.0.0", text=text))
    assert str(event.reason) == reason


@pytest.mark.parametrize(
    ("said", "text", "reason"),
    [
        ("over", "552 5.2.2 The mailbox is full.", "mailbox-full"),
        ("550 5.1.1", "552 5.2.2 The mailbox is full.", "mailbox-unknown"),
        ("550 User unknown", "552 5.2.2 The mailbox is full.", "mailbox-unknown"),
        ("user unknown", "552 5.2.2 The mailbox is full.", "mailbox-full"),
        ("there is no such user at this server", "552 5.2.2 The mailbox is full.", "mailbox-unknown"),
    ],
)
def test_a_servers_reply_counts_before_the_text_for_people(said: str, text: str, reason: str) -> None:
    """Unless it is two words without a code: a robot's own, and less than it tells people."""
    (event,) = parse_bounce(report("Action: failed", f"Diagnostic-Code: smtp; {said}", text=text))
    assert str(event.reason) == reason


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("smtp; 550 no; go away", "550 no; go away"),
        (" X-Postfix ;550 no", "550 no"),
        ("550 no such user; go away", "550 no such user; go away"),
        ("550 no", "550 no"),
        (f"{'x' * 29}; 550 no", "550 no"),
        (f"{'x' * 30}; 550 no", f"{'x' * 30}; 550 no"),
    ],
)
def test_what_was_said_stands_behind_its_type(field: str, said: str) -> None:
    """A type is one short word before a semicolon (RFC 3464 section 2.1.2); a sentence is none."""
    (event,) = parse_bounce(report("Action: failed", "Status: 5.0.0", f"Diagnostic-Code: {field}"))
    assert event.smtp_reply == said


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (100_000_000_000, "5138-11-16T09:46:40+00:00"),
        (100_000_000_001, "1973-03-03T09:46:40.001000+00:00"),
        ("1581670800.5", "2020-02-14T09:00:00.500000+00:00"),
        (True, None),
        ("nan", None),
        ("inf", None),
        ("2020-02-14T10:00:00+01:00", "2020-02-14T09:00:00+00:00"),
        ("2020-02-14 09:00 UTC", "2020-02-14T09:00:00+00:00"),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_time_is_read_in_seconds_or_milliseconds(value: object, found: str | None) -> None:
    """Above a hundred thousand millions it is milliseconds."""
    moment = moment_in(value)
    assert (moment and moment.isoformat()) == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("14.02.2020", "2020-02-14T00:00"),
        ("14/02/2020", "2020-02-14T00:00"),
        ("02/14/2020", "2020-02-14T00:00"),
        ("12.02.2020", "2020-02-12T00:00"),
        ("02/02/2020", "2020-02-02T00:00"),
        ("12/13/2020", "2020-12-13T00:00"),
        ("13/12/2020", "2020-12-13T00:00"),
        ("14-02-2020", "2020-02-14T00:00"),
        ("02-14-2020", "2020-02-14T00:00"),
        ("14.02.2020 9:05", "2020-02-14T09:05"),
        ("2/14/2020 9:05 PM", "2020-02-14T21:05"),
        ("2/14/2020 12:05 a.m.", "2020-02-14T00:05"),
        ("2/14/2020 12:05:07 pm", "2020-02-14T12:05"),
        ("14/02/2020 09:05+02:00", "2020-02-14T07:05"),
        ("14/02/2020, 9:05 Uhr", "2020-02-14T09:05"),
    ],
)
def test_a_date_that_has_one_reading_needs_no_other(cell: str, found: str) -> None:
    """A number above twelve is a day; dots stand behind a day; the clock is in any usual form."""
    order = DateOrder()
    (row,) = order.settled([cell], lambda row: [row])
    moment = order.moment(row)
    assert moment is not None
    assert f"{moment:%Y-%m-%dT%H:%M}" == found


@pytest.mark.parametrize(
    ("cells", "dates", "found"),
    [
        (["02/03/2020", "02/14/2020", "05/06/2020"], None, ["02-03", "02-14", "05-06"]),
        (["02/03/2020", "14/02/2020", "05/06/2020"], None, ["03-02", "02-14", "06-05"]),
        (["02/03/2020", "2020-07-01", "3.4.2020", "12/13/2020"], None, ["02-03", "07-01", "04-03", "12-13"]),
        (["02/03/2020", "", "14/15/2020", "12/13/2020"], None, ["02-03", None, None, "12-13"]),
        (["02/14/2020", "14/02/2020"], None, ["02-14", None]),
        (["14/02/2020", "02/14/2020"], None, ["02-14", None]),
        (["02/03/2020"], "month-first", ["02-03"]),
        (["02/03/2020"], "day-first", ["03-02"]),
        (["14/02/2020"], "month-first", [None]),
    ],
)  # fmt: skip
def test_the_dates_of_a_column_have_one_order(
    cells: list[str], dates: str | None, found: list[str | None]
) -> None:
    """One row with a day above twelve decides about all, also about those before it."""
    order = DateOrder(dates)
    moments = [order.moment(row) for row in order.settled(cells, lambda row: [row])]
    assert [moment and f"{moment:%m-%d}" for moment in moments] == found


def test_dates_that_can_be_read_in_both_ways_are_told() -> None:
    """Where no row decides, the day is taken to be first, and the warning says how to tell."""
    order = DateOrder()
    with pytest.warns(UserWarning, match=r'03/04/2026.*dates="month-first"'):
        rows = list(order.settled(["05/05/2026", "03/04/2026", "2/3/2026"], lambda row: [row]))
    assert [order.moment(row).month for row in rows] == [5, 4, 3]  # type: ignore[union-attr]
    with pytest.raises(ConfigurationError, match="month-first"):
        DateOrder("us")


def test_rows_wait_only_while_nothing_is_known() -> None:
    """What is before the first date of two readings is handed on at once, as is what follows the decision."""
    order = DateOrder()
    taken: list[str] = []

    def rows() -> Iterator[str]:
        for row in ("", "2020-07-01", "02/03/2020", "02/14/2020", "04/05/2020"):
            taken.append(row)
            yield row

    given = order.settled(rows(), lambda row: [row])
    steps = [(next(given), len(taken)) for _ in range(5)]
    assert steps == [("", 1), ("2020-07-01", 2), ("02/03/2020", 4), ("02/14/2020", 4), ("04/05/2020", 5)]


def test_not_all_rows_wait() -> None:
    """Memory is bounded: so many rows without a decision are taken to have the day first, and told."""
    order = DateOrder()
    rows = chain(repeat("02/03/2020", 60_000), ["02/14/2020"])
    with pytest.warns(UserWarning, match="02/03/2020"):
        read = [order.moment(row) for row in order.settled(rows, lambda row: [row])]
    assert len(read) == 60_001
    assert read[0] is not None
    assert read[0].month == 3
    assert read[-1] is None


@pytest.mark.parametrize(
    ("line", "delimiter", "cells"),
    [
        ("a,b", ",", ["a", "b"]),
        ('"a,b",c', ",", ["a,b", "c"]),
        ('"a', ",", None),
        ("", ",", [""]),
        ("a;b", ";", ["a", "b"]),
        ('"Ada" Byron,b', ",", ["Ada Byron", "b"]),
        ('a "quoted" word,b', ",", ['a "quoted" word', "b"]),
    ],
)
def test_a_row_is_split_at_its_delimiter(line: str, delimiter: str, cells: list[str] | None) -> None:
    """Unless it stands in quotation marks; one that is left open makes no row."""
    assert split(line, delimiter) == cells


@pytest.mark.parametrize(
    ("text", "delimiter", "header"),
    [
        ("sep=;\na;b\n", ";", ["a", "b"]),
        ("SEP=|\na|b\n", "|", ["a", "b"]),
        ("sep=;;\na;b\n", ";", ["a", "b"]),
        ("sep=\n", ",", ["sep="]),
        ("\ufeffa\tb\n", "\t", ["a", "b"]),
        ("a\n", ",", ["a"]),
    ],
)
def test_the_first_line_of_a_file_says_how_it_is_separated(
    text: str, delimiter: str, header: list[str]
) -> None:
    """In Excel's words, or by what parts it into most cells."""
    rows = Rows.of(io.StringIO(text))
    assert (rows.delimiter, list(rows.header)) == (delimiter, header)


def test_a_quoted_cell_may_go_on_for_fifty_lines() -> None:
    """Beyond, its mark is a stray one, and the lines are rows again."""
    for lines, is_whole in ((50, True), (51, False)):
        text = 'a,b\nx,"' + "y\n" * lines + '"\nz,w\n'
        rows = list(Rows.of(io.StringIO(text)))
        assert (rows[0][1] is not None) is is_whole
        assert rows[-1][1] == ["z", "w"]


@pytest.mark.parametrize(("named", "is_taken"), [(10, False), (11, True)])
def test_a_column_is_that_of_addresses_where_most_of_it_are(named: int, *, is_taken: bool) -> None:
    """Half of them are not most."""
    rows = "".join(f"1,{'ada@x.example' if at < named else 'nobody'}\n" for at in range(20))
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    if is_taken:
        assert import_suppressions(suppressions, io.StringIO(f"one,two\n{rows}")).added == named
    else:
        with pytest.raises(ConfigurationError, match="no column"):
            import_suppressions(suppressions, io.StringIO(f"one,two\n{rows}"))


def test_a_short_row_does_not_hide_the_column_of_addresses() -> None:
    """Cells that a row lacks are left out of the count."""
    text = "name,who\nAda,ada@x.example\nBob\n\nEve,eve@x.example\n"
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    assert import_suppressions(suppressions, io.StringIO(text)).added == 2


def test_a_problem_is_told_a_hundred_times() -> None:
    """The rest is counted."""
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    found = import_suppressions(suppressions, io.StringIO("email\n" + "nobody\n" * 102 + "a@x.example\n"))
    assert (found.added, found.skipped, len(found.problems)) == (1, 102, 100)
    assert found.problems[-1].startswith("line 101: ")


def test_an_export_holds_one_flow_and_what_is_for_all() -> None:
    """In our format everything without a flow; a provider gets no list's, and nothing of another flow."""
    suppressions = SuppressionList(MemoryStore(), clear=True, clock=FixedClock())
    suppressions.add("all@x.example")
    suppressions.add("news@x.example", flow=Flow.MARKETING)
    suppressions.add("list@x.example", list="club")

    def exported(**how: Any) -> set[str]:
        file = io.StringIO()
        count = export_suppressions(suppressions, file, **how)
        rows = file.getvalue().splitlines()[1:]
        assert count == len(rows)
        return {name for name in ("all", "news", "list") if any(f"{name}@x.example" in row for row in rows)}

    assert exported() == {"all", "news", "list"}
    assert exported(flow=Flow.TRANSACTIONAL) == {"all", "list"}
    assert exported(provider="postmark") == {"all"}
    assert exported(provider="postmark", flow=Flow.MARKETING) == {"all", "news"}
    assert exported(provider="postmark", flow=Flow.TRANSACTIONAL) == {"all"}


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_entry_ends_when_it_is_said() -> None:
    """In seconds, as a timedelta or at a moment; never beyond a century."""
    assert end_of(None, NOW) is None
    assert end_of(60, NOW) == end_of(timedelta(seconds=60), NOW) == NOW + timedelta(seconds=60)
    assert end_of(-5, NOW) == NOW
    assert end_of(NOW, NOW + timedelta(1)) == NOW
    assert end_of(LONGEST, NOW) == NOW + timedelta(seconds=LONGEST)
    assert end_of(LONGEST + 1, NOW) is None
    for wrong in ("60", float("nan")):
        with pytest.raises(ConfigurationError):
            end_of(wrong, NOW)


@pytest.mark.parametrize("name", ["soft_window", "remember", "soft_expires"])
def test_what_is_remembered_lasts(name: str) -> None:
    """Above nothing, and at most a century."""
    for seconds, is_one in ((0, False), (0.5, True), (LONGEST, True), (LONGEST + 1, False), ("1", False)):
        settings: Any = {name: seconds}
        if is_one:
            SuppressionList(MemoryStore(), **settings)
        else:
            with pytest.raises(ConfigurationError, match=name):
                SuppressionList(MemoryStore(), **settings)


def test_an_event_happened_between_1970_and_now() -> None:
    """Whatever a report says."""
    assert sensible(None, NOW) == NOW
    assert sensible(NOW + timedelta(1), NOW) == NOW
    assert sensible(NOW - timedelta(1), NOW) == NOW - timedelta(1)
    assert sensible(datetime(1960, 1, 1), NOW) == datetime(1970, 1, 1, tzinfo=UTC)  # noqa: DTZ001 -- without a zone


def test_of_two_entries_the_longer_one_stays() -> None:
    """A held one gives way to a decided one; the same one is written once."""

    def entry(expires: datetime | None, *, held: bool = False) -> Suppression:
        return Suppression("k", "manual", NOW, expires=expires, held=held)

    soon, late = NOW + timedelta(1), NOW + timedelta(2)
    assert lasts_longer(entry(None), entry(soon))
    assert lasts_longer(entry(None), entry(None))
    assert not lasts_longer(entry(soon), entry(None))
    assert lasts_longer(entry(late), entry(soon))
    assert lasts_longer(entry(soon), entry(soon))
    assert not lasts_longer(entry(soon), entry(late))
    assert not lasts_longer(entry(None, held=True), entry(soon))
    assert lasts_longer(entry(None, held=True), entry(soon, held=True))


def soft(at: datetime, reason: BounceReason = BounceReason.MAILBOX_FULL) -> Event:
    """Return a bounce of a mailbox that is full."""
    return Event(EventType.BOUNCED, ADA, reason=reason, action=Action.RETRY, time=at)


@pytest.mark.parametrize(
    ("reason", "days"), [(BounceReason.MAILBOX_FULL, 5), (BounceReason.MAILBOX_DISABLED, 2)]
)
def test_days_with_a_soft_bounce_are_counted(reason: BounceReason, days: int) -> None:
    """One a day; the last of them suppresses, for half a year."""
    clock = FixedClock()
    suppressions = SuppressionList(MemoryStore(clock=clock), clock=clock)
    for day in range(days):
        assert not suppressions.is_suppressed(ADA)
        for _ in range(3):
            caused = suppressions.apply(soft(clock.now, reason))
        assert (caused is not None) is (day == days - 1)
        clock.advance(DAY)
    assert suppressions.is_suppressed(ADA)
    clock.advance(179 * DAY - 1)
    assert suppressions.is_suppressed(ADA)
    clock.advance(1)
    assert not suppressions.is_suppressed(ADA)


@pytest.mark.parametrize(("gap", "is_suppressed"), [(29, True), (30, False)])
def test_days_are_counted_within_a_window(gap: int, *, is_suppressed: bool) -> None:
    """Of thirty days, the first not among them."""
    clock = FixedClock()
    suppressions = SuppressionList(MemoryStore(clock=clock), soft_limit=2, clock=clock)
    first = clock.now
    clock.advance(gap * DAY)
    suppressions.apply(soft(first))
    suppressions.apply(soft(clock.now))
    assert suppressions.is_suppressed(ADA) is is_suppressed


def dead(address: str, clock: FixedClock) -> Event:
    """Return a bounce of an address that its provider calls unknown."""
    return Event(
        EventType.BOUNCED,
        address,
        reason=BounceReason.MAILBOX_UNKNOWN,
        action=Action.SUPPRESS,
        time=clock.now,
    )


def wave(
    unknown: int,
    delivered: int,
    *,
    earlier: bool = True,
    days: int = 1,
    policy: OutagePolicy | None = None,
) -> bool:
    """Return whether addresses that a provider calls unknown are held."""
    clock = FixedClock()
    told: list[object] = []
    suppressions = SuppressionList(
        MemoryStore(clock=clock), outage=policy or OutagePolicy(), on_outage=told.append, clock=clock
    )
    if earlier:
        suppressions.apply(Event(EventType.DELIVERED, "x@big.example", time=clock.now))
        clock.advance(days * DAY)
    for number in range(delivered):
        suppressions.apply(Event(EventType.DELIVERED, f"d{number}@big.example", time=clock.now))
    for number in range(unknown):
        suppressions.apply(dead(f"u{number}@big.example", clock))
    held = suppressions.find("u0@big.example")
    assert held is not None
    assert held.held is bool(told)
    return bool(told)


@pytest.mark.parametrize(
    ("unknown", "delivered", "is_outage"), [(19, 0, False), (20, 0, True), (20, 46, True), (20, 47, False)]
)
def test_a_wave_of_unknown_addresses_is_an_outage(unknown: int, delivered: int, *, is_outage: bool) -> None:
    """From twenty on, where they are three in ten of what the provider answered."""
    assert wave(unknown, delivered) is is_outage


def test_a_provider_that_never_took_mail_is_believed() -> None:
    """It may be dead; one that took mail only today has no earlier day either."""
    assert not wave(30, 0, earlier=False)
    assert not wave(30, 5, earlier=False)


@pytest.mark.parametrize(("days", "is_outage"), [(1, True), (7, True), (8, False)])
def test_a_provider_that_took_mail_within_a_week_is_known(days: int, *, is_outage: bool) -> None:
    """Before that, nothing is known of it."""
    assert wave(20, 0, days=days) is is_outage


@pytest.mark.parametrize(("later", "told"), [(-1.0, 1), (0.0, 2)])
def test_an_outage_ends_with_its_pause(later: float, told: int) -> None:
    """Whatever comes at its end is another one, and told again."""
    clock = FixedClock()
    outages: list[Any] = []
    policy = OutagePolicy(least=1, window=DAY, pause=600.0)
    suppressions = SuppressionList(
        MemoryStore(clock=clock), outage=policy, on_outage=outages.append, clock=clock
    )
    suppressions.apply(Event(EventType.DELIVERED, "x@big.example", time=clock.now))
    clock.advance(2 * DAY)
    suppressions.apply(dead("u0@big.example", clock))
    clock.advance(600.0 + later)
    suppressions.apply(dead("u1@big.example", clock))
    assert len(outages) == told


@pytest.mark.parametrize(
    ("setting", "value", "is_one"),
    [
        ("share", 1.0, True),
        ("share", 1.01, False),
        ("share", 0, False),
        ("least", 1, True),
        ("least", 0, False),
        ("window", 0.1, True),
        ("window", 0, False),
        ("pause", float("inf"), False),
        ("hold", -1, False),
        ("hold", "1", False),
    ],
)
def test_a_policy_for_outages_has_bounds(setting: str, value: Any, *, is_one: bool) -> None:
    """Numbers above nothing, and a share of at most all."""
    if is_one:
        assert getattr(OutagePolicy(**{setting: value}), setting) == value
    else:
        with pytest.raises(ConfigurationError, match=setting):
            OutagePolicy(**{setting: value})


def test_a_table_shows_what_is_known_of_an_event() -> None:
    """And nothing that is empty; the report itself is not in it."""
    event = Event(EventType.BOUNCED, ADA, status="5.1.1", provider="dsn", raw={"x": 1})
    assert {str(name): value for name, value in event._table()[2]} == {
        "type": "bounced",
        "recipient": ADA,
        "status": "5.1.1",
        "action": "none",
        "provider": "dsn",
    }


def test_a_refusal_of_a_provider_is_in_its_own_words() -> None:
    """A reply of a server inside them counts before them."""

    def mailgun(**more: Any) -> Event:
        told = {"event": "failed", "severity": "permanent", "recipient": ADA, "timestamp": 1.0, **more}
        (event,) = from_webhook("mailgun", {"event-data": told, "signature": {}})
        return event

    dead = mailgun(**{"delivery-status": {"code": 550, "message": "5.1.1 no such user"}})
    assert (dead.reason, dead.action) == (BounceReason.MAILBOX_UNKNOWN, Action.SUPPRESS)
    full = mailgun(severity="temporary", **{"delivery-status": {"code": 452, "message": "4.2.2 full"}})
    assert (full.type, full.reason, full.action) == (
        EventType.DEFERRED,
        BounceReason.MAILBOX_FULL,
        Action.RETRY,
    )


@pytest.mark.parametrize(
    ("reason", "held", "is_bounce"),
    [
        ("mailbox-unknown", False, True),
        ("mailbox-unknown", True, False),
        ("hard bounce", False, True),
        ("complained", False, False),
        ("complained", True, False),
        ("unsubscribed", False, False),
    ],
)
def test_an_entry_is_a_bounce_where_a_server_is_believed(reason: str, *, held: bool, is_bounce: bool) -> None:
    """Not where a person asked for it, and not while it is held."""
    assert Suppression("k" * 32, reason=reason, time=FixedClock().now, held=held).is_bounce is is_bounce


@pytest.mark.parametrize("flow", [None, Flow.MARKETING, Flow.TRANSACTIONAL])
def test_somebody_comes_back_to_the_flow_that_was_left(flow: Flow | None) -> None:
    """To marketing, where the event names none."""
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    for left in (Flow.MARKETING, Flow.TRANSACTIONAL):
        suppressions.apply(
            Event(EventType.UNSUBSCRIBED, ADA, action=Action.SUPPRESS, flow=left, provider="brevo")
        )
    suppressions.apply(Event(EventType.SUBSCRIBED, ADA, flow=flow, provider="brevo"))
    stay = {f for f in (Flow.MARKETING, Flow.TRANSACTIONAL) if suppressions.is_suppressed(ADA, flow=f)}
    assert stay == {Flow.MARKETING, Flow.TRANSACTIONAL} - {flow or Flow.MARKETING}


@pytest.mark.parametrize(
    ("word", "said", "reason"),
    [
        ("hard_bounce", "no such user", "mailbox-unknown"),
        ("blocked", "no such user", "other"),
        ("blocked", "550 5.1.1 no such user", "mailbox-unknown"),
    ],
)
def test_a_providers_own_words_are_no_reply_of_a_server(word: str, said: str, reason: str) -> None:
    """Where it did not even try, only a code shows that a server spoke."""
    (event,) = from_webhook("brevo", {"event": word, "email": ADA, "ts_event": 1.0, "reason": said})
    assert str(event.reason) == reason


BOUNCED: dict[str, Any] = {
    "eventType": "Bounce",
    "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": ADA}]},
    "mail": {"messageId": "m", "timestamp": "2026-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("more", [{}, {"detail": {"x": 1}}, {"detail-type": "x"}, {"Type": "x"}])
def test_a_notification_of_amazon_may_have_a_field_of_an_envelope(more: dict[str, Any]) -> None:
    """An envelope has both of its fields."""
    (event,) = from_webhook("amazon_ses", {**BOUNCED, **more})
    assert event.recipient == ADA


@pytest.mark.parametrize(
    ("kind", "message", "events"),
    [
        ("Notification", json.dumps(BOUNCED), 1),
        ("Notification", "Successfully validated SNS topic for Amazon SES event publishing.", 0),
        ("SubscriptionConfirmation", json.dumps(BOUNCED), 0),
        ("SubscriptionConfirmation", "You have chosen to subscribe", 0),
    ],
)
def test_only_a_notification_of_sns_holds_events(kind: str, message: str, events: int) -> None:
    """And only JSON: the rest is about the subscription itself."""
    envelope = {"Type": kind, "MessageId": "n", "TopicArn": "arn", "Message": message}
    assert len(from_webhook("amazon_ses", envelope)) == events


def test_the_headers_of_a_webhook_are_looked_up_by_name() -> None:
    """In any case; another header, and what is no header at all, is passed over."""
    headers: list[Any] = ["X-Tag", {"name": "x-tag", "value": "spring"}, {"name": "Subject", "value": "Hi"}]
    (event,) = from_webhook("amazon_ses", {**BOUNCED, "mail": {**BOUNCED["mail"], "headers": headers}})
    assert event.tags == ("spring",)


@pytest.mark.parametrize(
    ("disposition", "reason"),
    [
        ("", "mailbox-full"),
        ("Content-Disposition: inline\n", "mailbox-full"),
        ("Content-Disposition: attachment; filename=log.txt\n", "other"),
    ],
)
def test_an_attached_file_does_not_say_why(disposition: str, reason: str) -> None:
    """What stands in a report's own text parts does."""
    told = f"--b\nContent-Type: text/plain\n{disposition}\nThe mailbox is full.\n"
    image = "--b\nContent-Type: image/png\n\nThe user is unknown.\n"
    raw = report("Action: failed", "Status: 5.0.0", text="Sorry.").replace(b"--b\nContent", b"@@", 1)
    (event,) = parse_bounce(raw.replace(b"@@", f"{told}{image}--b\nContent".encode(), 1))
    assert str(event.reason) == reason


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("Final-Recipient: rfc822; ada@one.example", (ADA, None)),
        ("Original-Recipient: rfc822; ada@one.example", (ADA, None)),
        (
            "Original-Recipient: rfc822; Ada@one.example\nFinal-Recipient: rfc822; ada@one.example",
            (ADA, None),
        ),
        (
            "Original-Recipient: rfc822; all@one.example\nFinal-Recipient: rfc822; ada@one.example",
            (ADA, "all@one.example"),
        ),
        ("X-Recipient: ada", None),
    ],
)
def test_a_refusal_by_a_mail_program_names_whom_it_can(fields: str, found: Any) -> None:
    """The final recipient, or the original one where only that is named (RFC 8098 section 3.2)."""
    raw = (
        "From: ada@one.example\nSubject: Rejected\nContent-Type: multipart/report; boundary=b; "
        "report-type=disposition-notification\n\n--b\n\nYour message was automatically rejected by Sieve.\n"
        f"--b\nContent-Type: message/disposition-notification\n\n{fields}\n"
        "Disposition: automatic-action/MDN-sent-automatically; deleted\n\n--b--\n"
    )
    events = [(e.recipient, e.original_recipient) for e in parse_bounce(raw)]
    assert events == ([] if found is None else [found])


@pytest.mark.parametrize(
    ("subject", "is_one"),
    [
        ("Ada Lovelace is out of the office", True),
        ("Is out of the office a good title?", False),
        ("x" * 70 + " is out of the office", True),
        ("x" * 90 + " is out of the office", False),
    ],
)
def test_somebody_who_is_away_is_named_first(subject: str, *, is_one: bool) -> None:
    """And early in the subject."""
    raw = f"From: {ADA}\nTo: news@sender.example\nSubject: {subject}\n\nBack on Monday."
    assert (parse_autoreply(raw) is not None) is is_one


@pytest.mark.parametrize(("seconds", "holds"), [(-1.0, False), (0.0, False), (1.0, True)])
def test_an_entry_that_ends_now_is_not_kept(seconds: float, *, holds: bool) -> None:
    """It would be there for no moment."""
    clock = FixedClock()
    suppressions = SuppressionList(MemoryStore(clock=clock), clock=clock)
    entry = suppressions.entry(ADA, reason="manual", expires=clock.now + timedelta(seconds=seconds))
    assert suppressions.put(entry) is holds
    assert suppressions.is_suppressed(ADA) is holds


@pytest.mark.parametrize(
    ("left", "back"),
    [
        ({"time": datetime(2025, 12, 1, tzinfo=UTC)}, {"time": None}),
        ({"time": None}, {"time": datetime(2025, 12, 1, tzinfo=UTC)}),
        ({"time": datetime(2025, 12, 1, tzinfo=UTC)}, {"time": datetime(2025, 12, 1, tzinfo=UTC)}),
    ],
)
def test_somebody_comes_back_where_a_moment_is_not_known(left: dict[str, Any], back: dict[str, Any]) -> None:
    """Or is the same; only what is known to be older than the departure changes nothing."""
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    suppressions.apply(Event(EventType.UNSUBSCRIBED, ADA, action=Action.SUPPRESS, provider="brevo", **left))
    assert suppressions.is_suppressed(ADA, flow=Flow.MARKETING)
    suppressions.apply(Event(EventType.SUBSCRIBED, ADA, provider="brevo", **back))
    assert not suppressions.is_suppressed(ADA, flow=Flow.MARKETING)


def test_who_left_again_stays_away() -> None:
    """An older return that is posted late."""
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    left, back = datetime(2025, 12, 1, tzinfo=UTC), datetime(2025, 11, 30, tzinfo=UTC)
    suppressions.apply(
        Event(EventType.UNSUBSCRIBED, ADA, action=Action.SUPPRESS, provider="brevo", time=left)
    )
    suppressions.apply(Event(EventType.SUBSCRIBED, ADA, provider="brevo", time=back))
    assert suppressions.is_suppressed(ADA, flow=Flow.MARKETING)


class Racing(MemoryStore):
    """A store in which something happens between a look at all entries and what is done with them."""

    then: Any = None

    def scan(self, prefix: str) -> Any:
        """Return what was there before."""
        found = list(super().scan(prefix))
        if self.then is not None:
            self.then()
        return iter(found)


def test_what_became_something_else_meanwhile_is_not_undone() -> None:
    """Somebody complained after the bounces were listed."""
    clock, store = FixedClock(), Racing()
    suppressions = SuppressionList(store, clock=clock)
    suppressions.add(ADA, reason="mailbox-unknown")
    suppressions.add("bob@one.example", reason="mailbox-unknown")
    store.then = lambda: (suppressions.remove(ADA), suppressions.add(ADA, reason="manual"))
    undone = suppressions.undo(domain="one.example")
    assert (undone.undone, suppressions.is_suppressed(ADA)) == (1, True)
    assert not suppressions.is_suppressed("bob@one.example")


@pytest.mark.parametrize("empty", ["", "   ", "\t", None, float("nan")])
def test_a_cell_that_says_nothing_is_none(empty: object) -> None:
    """Spaces say nothing."""
    (event,) = recorded([{"type": "delivered", "recipient": ADA, "campaign": empty, "url": "x"}])
    assert (event.campaign, event.url) == (None, "x")


@pytest.mark.parametrize("given", ["x", 5, ["x"], {}, [], None])
def test_metadata_are_an_object_or_nothing(given: object) -> None:
    """Whatever stands in their place."""
    told = {"RecordType": "Delivery", "Recipient": ADA, "Metadata": given}
    (event,) = from_webhook("postmark", told)
    assert event.metadata == {}


def test_the_signature_of_a_payload_is_kept_with_its_event() -> None:
    """For whoever looks at what was posted."""
    told = {"event": "delivered", "recipient": ADA, "timestamp": 1.0}
    (event,) = from_webhook("mailgun", {"event-data": told, "signature": {"token": "t"}})
    assert isinstance(event.raw, dict)
    assert event.raw["signature"] == {"token": "t"}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("@relay.example,@mx.example:ada@one.example", ADA),
        ("@relay.example:ada@one.example", ADA),
        ("ada@one.example", ADA),
    ],
)
def test_a_source_route_is_not_part_of_an_address(said: str, found: str) -> None:
    """It goes up to its colon (RFC 5321 appendix C)."""
    (event,) = parse_bounce(report("Action: failed", "Status: 5.1.1").replace(ADA.encode(), said.encode()))
    assert event.recipient == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no such user", "mailbox-unknown"),
        ("xno such user", "other"),
        ("ano such user", "other"),
        ("zno such user", "other"),
        ("(no such user)", "mailbox-unknown"),
        ("{no such user", "mailbox-unknown"),
        ("`no such user", "mailbox-unknown"),
    ],
)
def test_a_phrase_begins_with_a_word(text: str, reason: str) -> None:
    """Not with a part of one; signs may stand before it."""
    assert str(read_reply(599, text).reason) == reason


def imported(text: str, **how: Any) -> str:
    """Return the reason of the one entry of a file."""
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    import_suppressions(suppressions, io.StringIO(text), **how)
    (entry,) = suppressions
    return entry.reason


def test_a_row_says_its_reason_in_a_word_of_ours_or_its_own() -> None:
    """Or the file does, or whoever imports it."""
    assert imported("email,reason\nada@one.example,hard bounce\n") == "bounced"
    assert imported("email,reason\nada@one.example,legal-hold\n", reason="manual") == "legal-hold"
    assert imported("email,reason\nada@one.example,\n", reason="from-elsewhere") == "from-elsewhere"
    assert imported("email\nada@one.example\n", reason="from-elsewhere") == "from-elsewhere"


@pytest.mark.parametrize("name", [None, "news"])
def test_somebody_comes_back_to_one_list(name: str | None) -> None:
    """To the list of the event; without one, to none of those that were left by name."""
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    for one in ("news", "offers"):
        suppressions.apply(
            Event(EventType.UNSUBSCRIBED, ADA, action=Action.SUPPRESS, provider="brevo"), list=one
        )
    suppressions.apply(Event(EventType.SUBSCRIBED, ADA, provider="brevo"), list=name)
    left = {one for one in ("news", "offers") if suppressions.is_suppressed(ADA, list=one)}
    assert left == {"news", "offers"} - {name}


def test_what_is_no_address_can_be_removed_as_it_was_added() -> None:
    """An import of long ago may hold what is refused today."""
    suppressions = SuppressionList(MemoryStore(), clock=FixedClock())
    suppressions.add(ADA)
    assert suppressions.remove("Ada@ONE.example")
    assert not suppressions.remove("Ada@ONE.example")
    assert not suppressions.remove("no address")


def test_a_pipe_is_named_by_the_text_where_there_is_one_of_each() -> None:
    """Of two hidden recipients and two named ones nobody knows which is which."""
    hidden = report("Action: failed", "Status: 5.1.1", text="ada@one.example: no such user\n")
    hidden = hidden.replace(b"rfc822; ada@one.example", b"rfc822; |/usr/bin/procmail")
    assert [event.recipient for event in parse_bounce(hidden)] == [ADA]


@pytest.mark.parametrize(("values", "found"), [(["one"], "one"), (["one", "two"], "two"), ("one", "one")])
def test_of_several_values_of_a_field_the_last_counts(values: object, found: str) -> None:
    """As of a header that stands there twice."""
    told = {"event": "bounce", "email": ADA, "timestamp": 1.0, "category": values, "type": "bounce"}
    (event,) = from_webhook("sendgrid", told)
    assert event.campaign == found
