"""How limits are written, what contradicts itself, and which keys attempts have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailflows import Envelope
from mailflows._rates import Rate, parse_rates
from mailflows.errors import ConfigurationError
from mailflows.limits import Attempt, Limit, Limiter, MemoryStore
from mailflows.limits._attempt import client_key, network_key, site_key
from mailflows.testing import FixedClock
from shared_cases import cases


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("3/hour", [Rate(3, 3600.0)]),
        ("3 per hour", [Rate(3, 3600.0)]),
        ("3/h; 10/d", [Rate(3, 3600.0), Rate(10, 86_400.0)]),
        ("3 / HOURS, 10 per day", [Rate(3, 3600.0), Rate(10, 86_400.0)]),
        ("5/10min", [Rate(5, 600.0)]),
        ("5 per 0.5 seconds", [Rate(5, 0.5)]),
        ("1/2 weeks", [Rate(1, 1_209_600.0)]),
        ("500/hour; burst 50", [Rate(500, 3600.0, 50)]),
        ("20 distinct/day", [Rate(20, 86_400.0, is_distinct=True)]),
        ("20 distinct per day", [Rate(20, 86_400.0, is_distinct=True)]),
        ("20 unique recipients a day", [Rate(20, 86_400.0, is_distinct=True)]),
        ("at most 1,000 e-mails per hour and 5k daily", [Rate(1000, 3600.0), Rate(5000, 86_400.0)]),
        ("60 rpm", [Rate(60, 60.0)]),
        ("twice every half hour", [Rate(2, 1800.0)]),
        ("100/day burst 20", [Rate(100, 86_400.0, 20)]),
        ("100/day (with a burst of 20)", [Rate(100, 86_400.0, 20)]),
        ("5/hour 20/day", [Rate(5, 3600.0), Rate(20, 86_400.0)]),
    ],
)
def test_rates_are_read(text: str, rates: list[Rate]) -> None:
    """Every form of a rate has its meaning."""
    assert list(parse_rates(text)) == rates


@pytest.mark.parametrize(
    "text",
    ["", ";", "3", "3/", "/hour", "0/hour", "-3/hour", "3/0hour", "3/fortnight", "burst 5"]  # noqa: RUF005
    + ["3/hour; burst 0", "3/hour; burst 2; burst 3", "3 distinct/hour; burst 2", "3.5/hour", "few/hour"]
    + ["1e3/hour", "3/1e3s", "9" * 40 + "/hour", "3/hour/ip", "10/M", "5/60", "1.000/hour", None, 3],
)
def test_what_is_no_rate_is_refused(text: Any) -> None:
    """What cannot be read is an error about the limit, with the forms that can."""
    with pytest.raises(ConfigurationError) as caught:
        parse_rates(text)
    assert caught.value.field == "limit"
    assert "'3/hour; 10/day'" in str(caught.value)


@pytest.mark.parametrize(
    ("rates", "settings", "field"),
    [
        ("3/hour", {"per": "colour"}, "per"),
        ("3/hour", {"per": ()}, "per"),
        ("3/hour", {"per": ("recipient", "recipient")}, "per"),
        ("3/hour", {"per": ("recipient", "duplicate")}, "per"),
        ("3/hour", {"per": "account", "of": "recipient"}, "of"),
        ("3 distinct/hour", {"per": "account", "of": "global"}, "of"),
        ("3 distinct/hour; 5/day", {"per": "account"}, "limit"),
        ("3/hour", {"per": "account", "counts": "bytes"}, "counts"),
        ("3/hour", {"per": "recipient", "count_denied": True}, "count_denied"),
        ("3/hour", {"per": ("client", "recipient"), "count_denied": True}, "count_denied"),
        ("3/hour", {"per": "global", "count_denied": True}, "count_denied"),
        ("5000/hour", {"per": "account", "exact": True}, "exact"),
        ("5/hour; burst 2", {"per": "account", "exact": True}, "exact"),
        ("5/hour; 5/day", {"per": "account"}, "limit"),
        ("10/hour; 5/day", {"per": "account"}, "limit"),
        ("3/hour; 5/hour", {"per": "account"}, "limit"),
    ],
)
def test_contradictions_are_refused(rates: str, settings: dict[str, Any], field: str) -> None:
    """What contradicts itself is an error that names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        Limit(rates, **settings)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("rates", "exact", "said"),
    [
        ("64/hour", None, "exact, in any period of that length"),
        ("65/hour", None, "never more in any hour, each counted up to 56 seconds too long"),
        ("1000/hour", True, "exact, in any period of that length"),
        ("3/hour", False, "steady, 3 at once, at most 6 in any hour"),
        ("500/hour; burst 50", None, "steady, 50 at once, at most 550 in any hour"),
    ],
)
def test_repr_says_the_guarantee(rates: str, exact: bool | None, said: str) -> None:  # noqa: FBT001
    """A limit says what it promises."""
    assert repr(Limit(rates, per="account", exact=exact)).endswith(f": {said}>")


def test_exempt_keys_are_not_limited() -> None:
    """A key that is exempt passes, in any spelling, and others do not."""
    limiter = Limiter(
        Limit("1/hour", per="recipient", exempt={"ops@example.org"}), store=MemoryStore(clock=lambda: 0.0)
    )
    assert [bool(limiter.acquire(to="OPS@Example.org")) for _ in range(3)] == [True] * 3
    assert [bool(limiter.acquire(to="ada@example.org")) for _ in range(2)] == [True, False]


def test_kinds_together_count_together() -> None:
    """A tuple of kinds is one key of all its parts."""
    limiter = Limiter(Limit("1/hour", per=("template", "recipient")), store=MemoryStore(clock=lambda: 0.0))
    attempts = [("reset", "a"), ("reset", "b"), ("alert", "a"), ("reset", "a")]
    allowed = [bool(limiter.acquire(template=t, to=f"{r}@example.org")) for t, r in attempts]
    assert allowed == [True, True, True, False]


def test_messages_are_counted_where_they_should_be() -> None:
    """A limit that counts messages takes one for fifty recipients."""
    limiter = Limiter(Limit("5/hour", per="account", counts="messages"))
    assert limiter.acquire(account="ada", to=[f"u{n}@example.org" for n in range(50)]).remaining == 4


def test_duplicates_are_the_same_content_to_the_same_recipient() -> None:
    """The same content to the same person counts, another content or person does not."""
    limiter = Limiter(Limit("1/15min", per="duplicate"), store=MemoryStore(clock=lambda: 0.0))
    attempts = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")]
    assert [bool(limiter.acquire(to=f"{r}@example.org", content=c)) for r, c in attempts] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("client", "host", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("::FFFF:c000:0207", "192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/56"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/56"),
    ],
)
def test_clients_are_counted_by_what_they_have(client: str, host: str, network: str) -> None:
    """An IPv4 address is one client, an IPv6 client has a /64, and a mapped address is the IPv4 one."""
    assert (client_key(client), network_key(client)) == (host, network)


@pytest.mark.parametrize("client", ["", "testclient", "192.0.2.7, 192.0.2.8", "192.0.2", "x" * 1000])
def test_what_is_no_address_shares_one_counter(client: str) -> None:
    """Nonsense brings no quota of its own, and no error in a form."""
    assert client_key(client) == network_key(client) == "unknown"


@pytest.mark.parametrize("client", ["192.0.2.7:5555", " 192.0.2.7 ", "[::ffff:192.0.2.7]:443"])
def test_a_port_is_read_and_left_out(client: str) -> None:
    """A server that gives address and port gives the address."""
    assert client_key(client) == "192.0.2.7"


@pytest.mark.parametrize("client", [7, b"192.0.2.7", ["192.0.2.7"]])
def test_what_is_no_text_is_refused(client: object) -> None:
    """A client that is no text is a mistake of the program, and said so."""
    with pytest.raises(ValueError, match="one IPv4 or IPv6 address"):
        client_key(client)


def test_envelope_has_the_recipients() -> None:
    """The envelope says who gets a message."""
    envelope = Envelope("a@example.org", ("b@example.org", "B@EXAMPLE.org", "c@example.org"))
    assert Attempt(envelope, {}).recipients == ("b@example.org", "c@example.org")


def test_object_with_a_method_recipients() -> None:
    """A message object of a web framework is asked for its recipients."""

    class Mail:
        def recipients(self) -> list[str]:
            return ["Ada <ada@example.org>", "ada@example.org", "bob@example.org"]

    assert Attempt(Mail(), {}).recipients == ("ada@example.org", "bob@example.org")


@pytest.mark.parametrize("to", ["", [""], [None], ["ada@example.org", 7]])
def test_wrong_recipient_is_an_error(to: Any) -> None:
    """A recipient that is empty or no text is an error, never an attempt that counts nothing."""
    with pytest.raises(ValueError, match="a recipient must be"):
        _ = Attempt(None, {"to": to}).recipients


def test_long_keys_are_bounded() -> None:
    """A key of any length takes no more room than a hash."""
    limiter = Limiter(Limit("1/hour", per="account"), store=MemoryStore(clock=lambda: 0.0))
    decisions = [limiter.acquire(account=start + "x" * 10_000) for start in "aba"]
    assert [bool(d) for d in decisions] == [True, True, False]
    assert all(len(key) <= 200 for d in decisions for _, key, _ in d.outcome.charges)


def test_unknown_key_is_an_error() -> None:
    """A misspelled key is no key."""
    with pytest.raises(ValueError, match="got acount"):
        Attempt(None, {"acount": "ada"})  # type: ignore[typeddict-unknown-key]


def test_changed_clock_is_used() -> None:
    """A window that has passed by the clock of the store is free again."""
    clock = FixedClock()
    limiter = Limiter(Limit("1/hour", per="account"), store=MemoryStore(clock=clock))
    limiter.acquire(account="ada")
    clock.advance(3600)
    assert limiter.acquire(account="ada")


def found_in(text: object) -> list[list[Any]] | str:
    """Return the rates that are read, or what is said instead."""
    try:
        return [[r.limit, r.period, r.burst, r.is_distinct] for r in parse_rates(text)]  # type: ignore[arg-type]
    except ConfigurationError as problem:
        return str(problem)


def test_shared_spellings_of_rates() -> None:
    """Of the shared spellings none is read as something else, and a refusal shows the form."""
    for line in cases("limits-2/rates.jsonl").splitlines():
        case = json.loads(line)
        found = found_in(case["text"])
        if isinstance(found, str):
            assert (case["expect"], "3/hour" in found) == ("refuse", True), case
        else:
            assert found == case.get("rates" if case["expect"] == "read" else "or_rates"), case


def test_a_function_says_the_rates_of_a_plan() -> None:
    """Each plan has its own rate; the same text is the same counter; None is no limit."""
    plans = {"free": "2/hour", "pro": "4/hour", "own": None}
    limit = Limit(lambda attempt: plans[str(attempt.keys["plan"])], per="tenant", name="plan")
    limiter = Limiter(limit)

    def allowed(tenant: str, plan: str) -> int:
        return sum(limiter.acquire(tenant=tenant, plan=plan).allowed for _ in range(6))

    assert [allowed("a", "free"), allowed("b", "pro"), allowed("c", "own"), allowed("a", "free")] == [
        2,
        4,
        6,
        0,
    ]
    assert limiter.acquire(tenant="a", plan="free").rule == "plan"


def test_a_function_that_returns_no_rate_is_told_the_form() -> None:
    """A plan whose rate cannot be read is a configuration error, as any other."""
    with pytest.raises(ConfigurationError, match="3/hour"):
        Limiter(Limit(lambda _: "lots", per="tenant")).acquire(tenant="a")


@pytest.mark.parametrize(
    ("client", "site"), [("2001:db8:1:2ff::4", "2001:db8:1::/48"), ("192.0.2.7", "192.0.2.0/24")]
)
def test_a_site_is_counted_by_its_48(client: str, site: str) -> None:
    """Who rents a /48 does not get a counter for each of its 256 networks."""
    assert site_key(client) == site


def test_a_rate_that_cannot_be_read_is_named_once() -> None:
    """A text of which nothing can be read stands in the error once, a part of one beside the whole."""
    with pytest.raises(ConfigurationError, match=r"^cannot read the limit 'ten'; write rates such as"):
        Limit("ten", per="recipient")
    with pytest.raises(ConfigurationError, match=r"^cannot read 'often' in the limit '3/hour; often'; write"):
        Limit("3/hour; often", per="recipient")
