"""What is asked about a domain, and how files of lists are written, answer by answer and cell by cell."""

from __future__ import annotations

from typing import Any

import pytest

from mailflows._dns._wire import Answer, Question, Status
from mailflows.recipients._csv import delimiter_of, dialect_of, records
from mailflows.recipients._domain import DomainFacts, ask_about
from mailflows.recipients._report import DomainState

PUBLIC, PRIVATE = "93.184.216.34", "192.168.0.1"
GONE, EMPTY, SILENT = Answer(Status.NXDOMAIN), Answer(Status.NODATA), Answer(Status.TIMEOUT)


def address(text: str) -> Answer:
    """Return the answer that a host has an address."""
    return Answer(Status.OK, (text,))


def talk(mx: Answer, hosts: dict[str, Answer]) -> tuple[DomainFacts, list[list[str]]]:
    """Return what comes of some answers, and what was asked together; a host that is not named is gone."""
    conversation = ask_about("shop.fr")
    asked: list[list[str]] = []
    answers: Any = None
    while True:
        try:
            questions = conversation.send(answers)
        except StopIteration as done:
            return done.value, asked
        asked.append([f"{question.name} {question.kind}" for question in questions])
        answers = {question: _answer(question, mx, hosts) for question in questions}


def _answer(question: Question, mx: Answer, hosts: dict[str, Answer]) -> Answer:
    if question.kind == "MX":
        return mx
    return hosts.get(f"{question.name} {question.kind}", hosts.get(question.name, GONE))


def hosts_of(count: int) -> Answer:
    """Return MX records of so many hosts, the first preferred."""
    return Answer(Status.OK, tuple(f"{10 + at} h{at}.shop.fr" for at in range(count)))


@pytest.mark.parametrize(
    ("mx", "hosts", "state"),
    [
        (GONE, {}, DomainState.NXDOMAIN),
        (SILENT, {}, DomainState.UNKNOWN),
        (Answer(Status.SERVFAIL), {}, DomainState.UNKNOWN),
        (EMPTY, {"shop.fr": address(PUBLIC)}, DomainState.IMPLICIT),
        (EMPTY, {"shop.fr A": EMPTY, "shop.fr AAAA": address("2606:2800::1")}, DomainState.IMPLICIT),
        (EMPTY, {"shop.fr": address(PRIVATE)}, DomainState.NO_MAIL),
        (EMPTY, {"shop.fr": EMPTY}, DomainState.NO_MAIL),
        (EMPTY, {"shop.fr": SILENT}, DomainState.UNKNOWN),
        (EMPTY, {"shop.fr A": address(PRIVATE), "shop.fr AAAA": SILENT}, DomainState.UNKNOWN),
        (Answer(Status.OK, ("0 ",)), {}, DomainState.NULL_MX),
        (Answer(Status.OK, ("10 .",)), {}, DomainState.NULL_MX),
        (hosts_of(1), {"h0.shop.fr": address(PUBLIC)}, DomainState.OK),
        (hosts_of(1), {"h0.shop.fr": address(PRIVATE)}, DomainState.MX_PRIVATE),
        (hosts_of(1), {}, DomainState.MX_BROKEN),
        (hosts_of(1), {"h0.shop.fr": SILENT}, DomainState.UNKNOWN),
        (hosts_of(2), {"h1.shop.fr": address(PUBLIC)}, DomainState.OK),
        (hosts_of(2), {"h0.shop.fr": address(PRIVATE)}, DomainState.MX_PRIVATE),
        (hosts_of(2), {"h0.shop.fr": address(PRIVATE), "h1.shop.fr": SILENT}, DomainState.UNKNOWN),
        (Answer(Status.OK, ("10 192.0.2.1",)), {}, DomainState.MX_BROKEN),
        (Answer(Status.OK, ("10 " + "x" * 64 + ".fr",)), {}, DomainState.MX_BROKEN),
    ],
)
def test_answers_make_a_state(mx: Answer, hosts: dict[str, Answer], state: DomainState) -> None:
    """One host that can be reached is enough; silence settles nothing."""
    assert talk(mx, hosts)[0].state is state


def test_hosts_are_asked_in_their_order_a_few_at_a_time() -> None:
    """The preferred one alone, the others by fives; the second kind of address only where it can help."""
    mx = Answer(Status.OK, ("20 b.shop.fr", "10 a.shop.fr", "20 b.shop.fr", "30 c.shop.fr"))
    facts, asked = talk(mx, {"c.shop.fr": address(PUBLIC), "b.shop.fr A": EMPTY})
    assert facts.mail_hosts == ("a.shop.fr", "b.shop.fr", "c.shop.fr")
    assert asked == [["shop.fr MX"], ["a.shop.fr A"], ["b.shop.fr A", "c.shop.fr A"]]
    _, asked = talk(hosts_of(12), {})
    assert [len(group) for group in asked] == [1, 1, 5, 5, 1]
    facts, asked = talk(hosts_of(1), {"h0.shop.fr A": EMPTY, "h0.shop.fr AAAA": address("2606:2800::1")})
    assert (facts.state, asked[1:]) == (DomainState.OK, [["h0.shop.fr A"], ["h0.shop.fr AAAA"]])


def test_a_domain_is_judged_after_ten_hosts_that_answer() -> None:
    """Those that are gone do not count; of hundreds, thirty are looked up."""
    private = {f"h{at}.shop.fr": address(PRIVATE) for at in range(40)}
    _, asked = talk(hosts_of(40), private)
    assert sum(len(group) for group in asked[1:]) == 2 * 11
    facts, asked = talk(hosts_of(40), {})
    assert sum(len(group) for group in asked[1:]) == 30
    assert (facts.state, facts.evidence) == (DomainState.UNKNOWN, "the first 30 of 40 mail hosts are gone")
    assert talk(hosts_of(30), {})[0].state is DomainState.MX_BROKEN
    assert talk(hosts_of(11), private)[0].state is DomainState.MX_PRIVATE
    assert talk(hosts_of(12), private)[0].state is DomainState.UNKNOWN


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        ("a;b\nc;d\n", ";"),
        ("a,b;c\nd;e\n", ";"),
        ("a\tb\nc\td\n", "\t"),
        ("a|b\n", "|"),
        ("ada@shop.fr\n", ","),
        ("", ","),
        ("a;b;c\nd\ne\nf\n", ";"),
    ],
)
def test_a_delimiter_divides_lines_evenly(sample: str, delimiter: str) -> None:
    """Or occurs at all."""
    assert delimiter_of(sample) == delimiter


@pytest.mark.parametrize(
    ("sample", "found"),
    [
        ("a;b\r\nc;d\r\n", (";", "\r\n", False, False)),
        ("a;b\nc;d\n", (";", "\n", False, False)),
        ("a;b", (";", "\r\n", False, False)),
        ("sep=|\na|b\n", ("|", "\n", False, True)),
        ("SEP=;\r\na;b\r\n", (";", "\r\n", False, True)),
        ("sep=\na\tb\n", ("\t", "\n", False, True)),
        ("sep=ab\na,b\n", (",", "\n", False, False)),
        ('"a","b"\n', (",", "\n", True, False)),
        ('"a",b\n', (",", "\n", False, False)),
        ('"\n', (",", "\n", False, False)),
        ('sep=;\n"a";"b"\n', (";", "\n", True, True)),
    ],
)
def test_how_a_file_is_written_is_told_by_its_beginning(
    sample: str, found: tuple[str, str, bool, bool]
) -> None:
    """What is made of it opens where it was opened."""
    dialect = dialect_of(sample, "utf-8")
    assert (dialect.delimiter, dialect.line_end, dialect.quotes_all, dialect.names_delimiter) == found


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\nc,d\n", [(1, ["a", "b"], ""), (2, ["c", "d"], "")]),
        ("\na\n", [(1, [], ""), (2, ["a"], "")]),
        ('"a\nb",c\nd,e\n', [(1, ["a\nb", "c"], ""), (3, ["d", "e"], "")]),
        (
            'a,"b\nc,d\ne,f\n',
            [
                (1, ["a", '"b'], "a quotation mark is never closed"),
                (2, ["c", "d"], ""),
                (3, ["e", "f"], ""),
            ],
        ),
        ('"Ada" <a@shop.fr>,1\n', [(1, ['"Ada" <a@shop.fr>', "1"], "")]),
    ],
)
def test_a_stray_quotation_mark_costs_its_own_line(text: str, rows: list[tuple[int, list[str], str]]) -> None:
    """A cell may go on over lines; a mark that nothing closes takes none of them along."""
    found = list(records(text.splitlines(keepends=True), ","))
    assert found == rows
