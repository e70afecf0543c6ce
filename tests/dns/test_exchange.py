"""Pace and second attempts, without a socket and without waiting."""

from __future__ import annotations

import dns.message
import dns.rrset

from mailflows._dns._exchange import Exchange, Pace
from mailflows._dns._wire import Question, Status


def answer_to(wire: bytes) -> bytes:
    """Answer any MX question."""
    query = dns.message.from_wire(wire)
    answer = dns.message.make_response(query)
    answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "MX", "10 mx.example.org."))
    return answer.to_wire()


def simulate(
    count: int, *, qps: float, burst: float, latency: float = 0.02, ceiling: float | None = None
) -> tuple[float, Exchange]:
    """Ask a resolver that drops what exceeds a token bucket; return (seconds, exchange)."""
    exchange = Exchange(Pace(ceiling=ceiling, window=400))
    for number in range(count):
        exchange.ask(Question(f"d{number}.org", "MX"))
    now, tokens, filled = 0.0, burst, 0.0
    arriving: list[tuple[float, bytes]] = []
    while not exchange.is_idle:
        exchange.expire(now)
        for packet in exchange.packets(now):
            tokens = min(burst, tokens + (now - filled) * qps)
            filled = now
            if tokens >= 1:
                tokens -= 1
                arriving.append((now + latency, packet.wire))
        moments = [arriving[0][0]] if arriving else []
        wakes = exchange.wakes_at(now)
        moments += [wakes] if wakes is not None else []
        now = max(now, min(moments, default=now)) + 1e-6
        while arriving and arriving[0][0] <= now:
            exchange.receive(answer_to(arriving.pop(0)[1]), now)
    return now, exchange


def test_a_resolver_that_drops_makes_no_domain_silent() -> None:
    """Behind 500 questions a second all 2,000 are answered, in at most 1.5 times the least time."""
    seconds, exchange = simulate(2000, qps=500, burst=50)
    assert [answer.status for _, answer in exchange.done].count(Status.OK) == 2000
    assert seconds < 1.5 * 2000 / 500


def test_the_ceiling_is_kept() -> None:
    """A thousand questions at a hundred a second take ten seconds."""
    seconds, exchange = simulate(1000, qps=10_000, burst=1000, ceiling=100)
    assert 9.5 < seconds < 11
    assert exchange.sent == 1000


def test_a_fast_resolver_is_used_fast() -> None:
    """Without losses nothing slows down."""
    seconds, _ = simulate(4000, qps=1e6, burst=1e6)
    assert seconds < 0.5


def test_a_few_silent_domains_slow_nothing_down() -> None:
    """Name servers that never answer are no sign that the resolver is overrun."""
    exchange = Exchange(Pace(ceiling=None, window=400))
    for number in range(2000):
        exchange.ask(Question(f"{'silent' if number % 100 == 0 else 'd'}{number}.org", "MX"))
    now = 0.0
    while not exchange.is_idle:
        exchange.expire(now)
        for packet in exchange.packets(now):
            if b"silent" not in packet.wire:
                exchange.receive(answer_to(packet.wire), now + 0.02)
        now = max(now + 0.02, exchange.wakes_at(now) or 0)
    assert sum(answer.status is Status.TIMEOUT for _, answer in exchange.done) == 20
    assert now < 6  # three attempts of 0.8, 1.2 and 1.5 seconds


def test_the_same_question_is_under_way_once() -> None:
    """Asked twice, sent once."""
    exchange = Exchange(Pace(ceiling=None, window=10))
    for _ in range(3):
        exchange.ask(Question("a.org", "MX"))
    assert len(exchange.packets(0.0)) == 1


def test_giving_up_answers_everything() -> None:
    """When the budget is spent, what is open is a timeout."""
    exchange = Exchange(Pace(ceiling=None, window=2))
    for name in "abcde":
        exchange.ask(Question(f"{name}.org", "MX"))
    exchange.packets(0.0)
    exchange.give_up()
    assert exchange.is_idle
    assert {answer.status for _, answer in exchange.done} == {Status.TIMEOUT}
