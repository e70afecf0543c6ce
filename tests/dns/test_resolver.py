"""The DNS door, against a real name server on loopback."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from dns_server import DnsServer, closed_port
from mailflows._dns import Answer, Cache, Question, Resolver, Status
from mailflows.errors import ConfigurationError
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailflows._dns import Conversation

ZONE = """
$TTL 300
@ IN SOA ns h 1 3600 600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
host1 IN A 93.184.216.34
plain IN MX 10 host1
alias IN CNAME plain
text IN TXT "v=spf1 " "-all"
six IN AAAA 2606:2800:220:1::1
servfail-x IN MX 10 host1
silent-x IN MX 10 host1
flaky-x IN MX 10 host1
""" + "\n".join(f"many IN MX {n} a-rather-long-name-of-a-mail-host-{n}.scen.com." for n in range(60))


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    """Serve one zone."""
    with DnsServer(scen_com=ZONE) as running:
        yield running


@pytest.fixture
def resolver(server: DnsServer) -> Resolver:
    """Return a resolver with a cache of its own."""
    return Resolver(["127.0.0.1"], port=server.port)


def ask(resolver: Resolver, name: str, kind: str, budget: float = 5.0) -> Answer:
    """Ask one question."""
    question = Question(name, kind)
    return resolver.ask(question, budget=budget)[question]


def test_records_are_read_as_text(resolver: Resolver) -> None:
    """MX, addresses and TXT come as text, names in lower case without the last dot."""
    assert ask(resolver, "plain.scen.com", "MX").records == ("10 host1.scen.com",)
    assert ask(resolver, "host1.scen.com", "A").records == ("93.184.216.34",)
    assert ask(resolver, "six.scen.com", "AAAA").records == ("2606:2800:220:1::1",)
    assert ask(resolver, "text.scen.com", "TXT").records == ("v=spf1 -all",)


def test_an_alias_is_followed(resolver: Resolver) -> None:
    """The record behind a CNAME answers the question."""
    assert ask(resolver, "alias.scen.com", "MX").records == ("10 host1.scen.com",)


def test_nothing_and_nobody_are_told_apart(resolver: Resolver) -> None:
    """A name without the record is not a name that does not exist; both may be kept for the SOA minimum."""
    none, nobody = ask(resolver, "host1.scen.com", "MX"), ask(resolver, "gone.scen.com", "MX")
    assert (none.status, nobody.status) == (Status.NODATA, Status.NXDOMAIN)
    assert none.ttl == nobody.ttl == 300


def test_a_cut_answer_is_asked_for_again_over_tcp(server: DnsServer, resolver: Resolver) -> None:
    """Sixty mail hosts do not fit into a datagram."""
    answer = ask(resolver, "many.scen.com", "MX")
    assert len(answer.records) == 60
    assert ("many.scen.com", "MX", "tcp") in server.asked


def test_the_async_driver_gives_the_same(resolver: Resolver, server: DnsServer) -> None:
    """Both drivers hold the same conversations, over UDP and TCP."""
    questions = [
        Question(f"{name}.scen.com", "MX")
        for name in ("plain", "alias", "many", "gone", "host1", "servfail-x")
    ]
    other = Resolver(["127.0.0.1"], port=server.port)
    theirs, ours = asyncio.run(other.aask(*questions)), resolver.ask(*questions)
    for question in questions:
        assert theirs[question].status is ours[question].status
        assert sorted(theirs[question].records) == sorted(ours[question].records)


def test_servfail_is_tried_again_and_never_cached(server: DnsServer, resolver: Resolver) -> None:
    """A temporary failure says nothing about the domain."""
    before = len(server.asked)
    assert ask(resolver, "servfail-x.scen.com", "MX").status is Status.SERVFAIL
    assert len(server.asked) - before == 3
    assert len(resolver.cache) == 0


def test_a_lost_question_is_asked_again(resolver: Resolver) -> None:
    """One lost datagram does not make a domain silent."""
    assert ask(resolver, "flaky-x.scen.com", "MX").status is Status.OK


def test_the_budget_is_kept_when_nobody_answers(resolver: Resolver) -> None:
    """The wall clock rules, whatever the attempts would take."""
    started = time.monotonic()
    assert ask(resolver, "silent-x.scen.com", "MX", budget=0.3).status is Status.TIMEOUT
    # The other questions here have 5 s; the rest is for a busy machine.
    assert 0.25 < time.monotonic() - started < 3


def test_a_resolver_that_is_down_is_a_timeout_at_once() -> None:
    """Nobody listens: there is no point in waiting."""
    started = time.monotonic()
    down = Resolver(["127.0.0.1"], port=closed_port())
    assert ask(down, "plain.scen.com", "MX").status is Status.TIMEOUT
    assert (
        asyncio.run(down.aask(Question("plain.scen.com", "MX")))[Question("plain.scen.com", "MX")].records
        == ()
    )
    assert time.monotonic() - started < 3


def test_a_second_resolver_is_tried_where_the_first_is_down(server: DnsServer) -> None:
    """Attempts take turns between the resolvers."""
    both = Resolver(["127.0.0.2", "127.0.0.1"], port=server.port)
    assert ask(both, "plain.scen.com", "MX").status is Status.OK


def test_a_question_is_asked_once_for_all_conversations(server: DnsServer, resolver: Resolver) -> None:
    """A hundred domains with one mail host ask for its address once; then the cache has it."""

    def conversation() -> Conversation[Status]:
        question = Question("plain.scen.com", "MX")
        return (yield (question,))[question].status

    before = len(server.asked)
    results = list(resolver.run(conversation() for _ in range(100)))
    assert [status for _, status in results] == [Status.OK] * 100
    assert sorted(number for number, _ in results) == list(range(100))
    list(resolver.run([conversation()]))
    assert len(server.asked) - before == 1


def test_the_cache_forgets_in_time() -> None:
    """An answer is kept for its TTL; what may not be kept is not."""
    clock = FixedClock()
    cache = Cache(size=2, timer=clock)
    question = Question("a.org", "MX")
    cache.put(question, Answer(Status.OK, ("10 mx.a.org",), 60.0))
    cache.put(Question("b.org", "MX"), Answer(Status.SERVFAIL, (), 60.0))
    clock.advance(59)
    assert cache.get(question) is not None
    assert cache.get(Question("b.org", "MX")) is None
    clock.advance(2)
    assert cache.get(question) is None


def test_the_cache_is_bounded() -> None:
    """The oldest answers leave first."""
    cache = Cache(size=2)
    for name in "abc":
        cache.put(Question(name, "MX"), Answer(Status.OK, (), 60.0))
    assert len(cache) == 2
    assert cache.get(Question("a", "MX")) is None


def test_a_name_server_is_an_address() -> None:
    """A host name as name server is refused with the field's name."""
    with pytest.raises(ConfigurationError) as caught:
        Resolver(["dns.example.org"])
    assert caught.value.field == "nameservers"


def test_a_public_resolver_is_asked_gently() -> None:
    """A public address has a ceiling by default, a private one none."""
    assert Resolver(["9.9.9.9"]).rate == 100
    assert Resolver(["192.168.1.1"]).rate is None
