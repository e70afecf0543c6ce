"""Reading answers: equal to dnspython, and safe on any bytes."""

from __future__ import annotations

import contextlib
import random
from ipaddress import ip_address
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailflows._dns._wire import (
    Answer,
    MalformedAnswer,
    Question,
    Status,
    TruncatedAnswer,
    read_answer,
    write_question,
)

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
RECORDS = st.one_of(
    st.tuples(
        st.just("MX"),
        st.lists(st.tuples(st.integers(0, 65_535), NAME).map(lambda r: f"{r[0]} {r[1]}."), max_size=6),
    ),
    st.tuples(st.just("A"), st.lists(st.ip_addresses(v=4).map(str), max_size=6)),
    st.tuples(st.just("AAAA"), st.lists(st.ip_addresses(v=6).map(str), max_size=6)),
)


def wire_of(
    name: str,
    kind: str,
    texts: list[str],
    *,
    alias: str | None = None,
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
) -> bytes:
    """Write an answer with dnspython."""
    query = dns.message.make_query(f"{name}.", kind)
    answer = dns.message.make_response(query)
    answer.set_rcode(rcode)
    owner = name
    if alias:
        answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{alias}."))
        owner = alias
    if texts:
        answer.answer.append(dns.rrset.from_text(f"{owner}.", 120, "IN", kind, *texts))
    return answer.to_wire(max_size=65_535)


@pytest.mark.property
@settings(max_examples=300)
@given(name=NAME, records=RECORDS, alias=st.none() | NAME)
def test_an_answer_is_read_as_dnspython_reads_it(
    name: str, records: tuple[str, list[str]], alias: str | None
) -> None:
    """Compressed names, CNAMEs and addresses of any form come out as in dnspython."""
    kind, texts = records
    alias = None if alias == name else alias
    wire = wire_of(name, kind, texts, alias=alias)
    answer = read_answer(wire, Question(name, kind))
    theirs = cast("dns.message.QueryMessage", dns.message.from_wire(wire)).resolve_chaining()
    if theirs.answer is None:
        assert answer.status is Status.NODATA
    else:
        expected = {record.to_text().removesuffix(".") for record in theirs.answer}
        assert set(answer.records) == (
            {str(ip_address(text)) for text in expected} if kind == "AAAA" else expected
        )


@pytest.mark.property
@settings(max_examples=500)
@given(
    damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8), cut=st.integers(0, 400)
)
def test_any_bytes_are_an_answer_or_an_error(damage: list[tuple[int, int]], cut: int) -> None:
    """Damaged answers raise only what the caller expects, and end in bounded time."""
    wire = bytearray(wire_of("shop.fr", "MX", ["10 mx.shop.fr.", "20 mx.other.org."], alias="shop.other.fr"))
    for place, byte in damage:
        wire[place % len(wire)] = byte
    with contextlib.suppress(MalformedAnswer, TruncatedAnswer):
        read_answer(bytes(wire[: cut or None]), Question("shop.fr", "MX"))


def test_a_question_is_written_as_dnspython_reads_it() -> None:
    """Name, kind, recursion wanted, and room for 1232 bytes."""
    query = dns.message.from_wire(write_question(Question("mail.shop.fr", "MX"), 4711))
    assert query.question[0].to_text() == "mail.shop.fr. IN MX"
    assert (query.id, query.payload) == (4711, 1232)
    assert query.flags & dns.flags.RD


def test_an_answer_to_another_question_is_refused() -> None:
    """A forged answer must have the question, too."""
    with pytest.raises(MalformedAnswer):
        read_answer(wire_of("shop.fr", "MX", ["10 mx.shop.fr."]), Question("shop.de", "MX"))


def test_pointers_that_go_round_are_refused() -> None:
    """A name that points to itself must not hang the reader."""
    wire = bytearray(wire_of("shop.fr", "A", ["192.0.2.1"]))
    start = 12 + len("shop.fr") + 2 + 4
    wire[start : start + 2] = (0xC000 | start).to_bytes(2)
    with pytest.raises(MalformedAnswer, match="form a loop"):
        read_answer(bytes(wire), Question("shop.fr", "A"))


@pytest.mark.parametrize(
    ("rcode", "status"),
    [
        (dns.rcode.NOERROR, Status.NODATA),
        (dns.rcode.NXDOMAIN, Status.NXDOMAIN),
        (dns.rcode.SERVFAIL, Status.SERVFAIL),
        (dns.rcode.REFUSED, Status.REFUSED),
        (dns.rcode.NOTIMP, Status.FORMERR),
    ],
)
def test_response_codes(rcode: dns.rcode.Rcode, status: Status) -> None:
    """Only "no error" and "no such name" are final."""
    assert read_answer(wire_of("shop.fr", "MX", [], rcode=rcode), Question("shop.fr", "MX")) == Answer(status)


def test_a_cut_answer_says_so() -> None:
    """The TC bit asks for TCP; over TCP it is let pass."""
    wire = bytearray(wire_of("shop.fr", "A", ["192.0.2.1"]))
    wire[2] |= 0x02
    with pytest.raises(TruncatedAnswer):
        read_answer(bytes(wire), Question("shop.fr", "A"))
    assert read_answer(bytes(wire), Question("shop.fr", "A"), over_tcp=True).records == ("192.0.2.1",)


def test_random_bytes_are_refused() -> None:
    """Noise is never an answer."""
    rng = random.Random(5)
    for _ in range(300):
        with pytest.raises((MalformedAnswer, TruncatedAnswer)):
            read_answer(rng.randbytes(rng.randrange(12, 90)), Question("shop.fr", "A"))
