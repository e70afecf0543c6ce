"""What a decision says, and which keys an attempt is counted by."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

from mailflows.errors import ConfigurationError
from mailflows.limits import Attempt, Decision, Limit, Limiter, MemoryStore
from mailflows.limits._attempt import UNKNOWN_CLIENT, client_key, network_key, site_key, text_key
from mailflows.limits._recipients import Unreadable, canonical
from mailflows.message import Envelope, Message
from mailflows.testing import FixedClock


def limiter(*limits: Limit, clock: Any = lambda: 1000.0, **settings: Any) -> Limiter:
    """Return a limiter in memory."""
    return Limiter(*limits, store=MemoryStore(clock=clock), **settings)


def test_a_refusal_says_which_limit_and_how_long() -> None:
    """The one with the longest wait, in whole seconds, rounded up."""
    found = limiter(Limit("1/hour", per="recipient"), Limit("2/day", per="account", name="a plan"))
    for _ in range(2):
        decision = found.acquire(to="ada@x.example", account="a")
    assert (decision.rule, decision.per, decision.limit, decision.remaining) == (
        "1 per hour per recipient",
        "recipient",
        1,
        0,
    )
    assert (decision.retry_after, decision.reset_after, decision.delay) == (3600.0, 3600.0, 0.0)
    assert str(decision) == "Over the limit '1 per hour per recipient': try again in 1 hour."
    assert [reason.code for reason in decision.reasons] == ["limit-exceeded"]
    assert repr(decision) == f"<Decision refused: {decision}>"
    found.acquire(to="bob@x.example", account="a")
    both = found.acquire(to="ada@x.example", account="a")
    assert (both.rule, both.retry_after) == ("a plan", 86_400.0)
    assert [(r.remaining, r.wait) for r in both.readings] == [(0, 3600.0), (0, 86_400.0)]


def test_what_is_allowed_names_the_limit_with_the_least_left() -> None:
    """By its share, not by its number."""
    found = limiter(Limit("4/hour", per="recipient"), Limit("10/hour", per="account"))
    decision = found.acquire(to="ada@x.example", account="a")
    assert (decision.rule, decision.per, decision.limit, decision.remaining) == (None, "recipient", 4, 3)
    assert (str(decision), decision.reasons, decision.retry_after) == ("Allowed.", (), 0.0)
    for name in "bcdefgh":
        decision = found.acquire(to=f"{name}@x.example", account="a")
    assert (decision.per, decision.remaining) == ("account", 2)


def test_what_never_fits_is_told_apart() -> None:
    """There is no time to come back, in words, in fields or in data."""
    decision = limiter(Limit("2/hour", per="account")).acquire(account="a", cost=3)
    assert (decision.allowed, decision.retry_after, decision.outcome.wait) == (False, None, math.inf)
    assert str(decision).endswith(": this attempt alone exceeds the limit.")
    assert [reason.code for reason in decision.reasons] == ["more-than-the-limit"]
    assert "Retry-After" not in decision.headers()
    assert "never fits" in decision._repr_html_()
    assert (
        decision.for_visitor() != limiter(Limit("2/hour", per="account")).acquire(account="a").for_visitor()
    )


@pytest.mark.parametrize(
    ("elapsed", "seconds", "said"),
    [(0.0, "10", "10 seconds"), (0.5, "10", "10 seconds"), (9.5, "1", "1 second"), (9.99, "1", "1 second")],
)
def test_a_wait_is_rounded_up(elapsed: float, seconds: str, said: str) -> None:
    """To a second at least: who comes back then is not refused for a fraction."""
    clock = FixedClock()
    found = limiter(Limit("1/10s", per="account"), clock=clock)
    assert found.acquire(account="a").headers() == {
        "RateLimit-Policy": '"1 per 10 seconds per account";q=1',
        "RateLimit": '"1 per 10 seconds per account";r=0;t=10',
    }
    clock.advance(elapsed)
    refused = found.acquire(account="a")
    assert refused.headers()["Retry-After"] == seconds
    assert str(refused).endswith(f"try again in {said}.")


def test_a_name_in_a_field_is_ascii() -> None:
    """Quotation marks and what no field can hold are underscores (RFC 9651 section 3.3.3)."""
    decision = limiter(Limit("1/hour", per="account", name='a "b" \\ é ~ \x7f!')).acquire(account="a")
    assert decision.headers()["RateLimit-Policy"] == '"a _b_ _ _ ~ _!";q=1'


def test_a_moment_that_is_booked_is_told() -> None:
    """In words from a second on."""
    clock = FixedClock()
    found = limiter(Limit("1/10s", per="account"), clock=clock)
    found.acquire(account="a")
    booked = found.schedule(account="a")
    assert (bool(booked), booked.delay, str(booked)) == (True, 10.0, "Allowed after 10 seconds.")
    quick = limiter(Limit("1/1s", per="account"), clock=clock)
    quick.acquire(account="a")
    assert str(quick.schedule(account="a")) == "Allowed after 1 second."
    half = limiter(Limit("1/0.5s", per="account"), clock=clock)
    half.acquire(account="a")
    assert str(half.schedule(account="a")) == "Allowed."


def test_a_dry_run_allows_and_says_what_it_would_not() -> None:
    """With the rule, and with everybody accepted."""
    found = limiter(Limit("1/hour", per="recipient"), dry_run=True)
    found.acquire(to="ada@x.example")
    decision = found.acquire(to="ada@x.example")
    assert (decision.allowed, decision.rule, decision.retry_after) == (True, "1 per hour per recipient", 0.0)
    assert str(decision).startswith("Over the limit")
    assert decision.accepted == ("ada@x.example",)
    assert decision.for_visitor() == ""
    assert "Retry-After" not in decision.headers()
    assert "dry_run" in repr(decision)


def test_a_partial_decision_says_who_is_left_out_and_why() -> None:
    """As they were spelled, each with its rule and its wait."""
    found = limiter(Limit("1/hour", per="recipient", name="once"))
    found.acquire(to="Bob@x.example")
    decision = found.acquire(to=["Ada@x.example", "BOB@x.example"], partial=True)
    assert decision.accepted == ("Ada@x.example",)
    assert decision.refused == ("BOB@x.example",)
    assert decision.left_out == {"BOB@x.example": ("once", "recipient", 3600.0)}
    again = found.acquire(to=["bob@x.example"], partial=True)
    assert (again.allowed, again.accepted, again.refused) == (False, (), ("bob@x.example",))


def test_decisions_that_say_the_same_are_equal() -> None:
    """Also after a journey to another process."""
    found = limiter(Limit("2/hour", per="account"))
    one, two = found.check(account="a"), found.check(account="a")
    assert one == two
    assert hash(one) == hash(two)
    taken = found.acquire(account="a")
    assert taken != one
    assert one != "Allowed."
    again = pickle.loads(pickle.dumps(taken))
    assert again == taken
    assert again.to_dict() == taken.to_dict()
    assert isinstance(again, Decision)


def test_an_unreadable_recipient_is_refused_without_a_wait() -> None:
    """Nobody is counted for it."""
    found = limiter(Limit("1/hour", per="recipient"))
    decision = found.acquire(to="two@x.example, three@x.example")
    assert [reason.code for reason in decision.reasons] == ["unreadable-recipient"]
    assert (decision.allowed, decision.retry_after, decision.readings) == (False, None, ())
    assert (decision.rule, decision.per, decision.limit, decision.remaining) == (None,) * 4
    assert decision.reset_after == 0.0
    assert str(decision).startswith("Refused: a recipient must be one address")
    assert decision.for_visitor()


def test_a_reading_is_a_line() -> None:
    """Rule, what is left, and of how many."""
    (reading,) = limiter(Limit("3/hour", per="account")).acquire(account="a").readings
    assert str(reading) == "3 per hour per account: 2 of 3 left"


@pytest.mark.parametrize(
    ("client", "keys"),
    [
        ("192.0.2.7", ("192.0.2.7", "192.0.2.0/24", "192.0.2.0/24")),
        ("192.0.2.7:25", ("192.0.2.7", "192.0.2.0/24", "192.0.2.0/24")),
        (" 192.0.2.7 ", ("192.0.2.7", "192.0.2.0/24", "192.0.2.0/24")),
        ("[192.0.2.7]", ("192.0.2.7", "192.0.2.0/24", "192.0.2.0/24")),
        ("2001:db8:1:2ff::4", ("2001:db8:1:2ff::/64", "2001:db8:1:200::/56", "2001:db8:1::/48")),
        ("[2001:db8:1:2ff::4]:25", ("2001:db8:1:2ff::/64", "2001:db8:1:200::/56", "2001:db8:1::/48")),
        ("::ffff:192.0.2.7", ("192.0.2.7", "192.0.2.0/24", "192.0.2.0/24")),
        ("192.0.2", (UNKNOWN_CLIENT,) * 3),
        ("192.0.2.7:123456", (UNKNOWN_CLIENT,) * 3),
        ("", (UNKNOWN_CLIENT,) * 3),
        ("a\x00b", (UNKNOWN_CLIENT,) * 3),
    ],
)
def test_a_client_is_counted_with_its_neighbours(client: str, keys: tuple[str, str, str]) -> None:
    """By its address or its /64, its network, its site; all that is no address is one client."""
    assert (client_key(client), network_key(client), site_key(client)) == keys


@pytest.mark.parametrize("client", ["ada@x.example", 7, b"192.0.2.7", ["192.0.2.7"]])
def test_what_is_meant_as_something_else_is_no_client(client: Any) -> None:
    """A mistake in a program is an error."""
    with pytest.raises(ValueError, match="client must be one IPv4 or IPv6 address"):
        client_key(client)


def test_a_long_key_is_a_hash() -> None:
    """Beyond two hundred letters."""
    assert text_key("x" * 200) == "x" * 200
    assert len(text_key("x" * 201)) == 32
    assert text_key("x" * 201) != text_key("y" * 201)
    assert (text_key(7), text_key(b"a\xff"), text_key("")) == ("7", "a\\xff", "")
    assert (text_key(b"x" * 200), len(text_key(b"x" * 201))) == ("x" * 200, 32)


@pytest.mark.parametrize(("cost", "is_one"), [(0, True), (1, True), (-1, False), (1.0, False), ("1", False)])
def test_a_cost_is_a_whole_number(cost: Any, *, is_one: bool) -> None:
    """Of at least nothing."""
    if is_one:
        assert Attempt(None, {"cost": cost}).cost == cost
    else:
        with pytest.raises(ValueError, match="whole number of at least 0"):
            _ = Attempt(None, {"cost": cost}).cost


def test_an_attempt_costs_its_recipients() -> None:
    """One at least, each mailbox once, unless a cost is given; bounded, so that it can be reckoned with."""
    assert Attempt(None, {}).cost == 1
    assert Attempt(None, {"to": []}).cost == 1
    assert Attempt(None, {"to": ["a@x.example", "A@x.example", "b@x.example"]}).cost == 2
    assert Attempt(Envelope("", ("a@x.example", "b@x.example")), {}).cost == 2
    assert Attempt(None, {"cost": 10**20}).cost == 10**15
    assert Attempt(None, {"to": ["a@x.example", "b@x.example"], "cost": 5}).cost == 5


def test_content_is_what_was_given_or_the_template_or_the_text() -> None:
    """In this order; without any of them there is none."""
    message = b"Subject: s\n\nwords"
    assert Attempt(message, {"content": "c", "template": "t"}).content == "c"
    assert Attempt(message, {"content": "", "template": "t"}).content == ""
    assert Attempt(message, {"template": "t"}).content == "t"
    hashed = Attempt(message, {}).content
    assert hashed == Attempt(b"X-Other: 1\n" + message, {}).content
    assert hashed != Attempt(message + b" more", {}).content
    assert Attempt(None, {}).content is None


def test_an_unknown_key_is_refused_by_name() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="got colour"):
        limiter(Limit("1/hour", per="account")).acquire(account="a", colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize(("lease", "is_one"), [(0.001, True), (0.0, False), (-1.0, False), (math.nan, False)])
def test_a_lease_lasts(lease: float, *, is_one: bool) -> None:
    """What is reserved for no time counts for nothing."""
    found = limiter(Limit("1/hour", per="account"))
    if is_one:
        assert found.acquire(account="a", lease=lease)
    else:
        with pytest.raises(ValueError, match="above 0"):
            found.acquire(account="a", lease=lease)


def test_a_deadline_that_has_passed_is_now() -> None:
    """What fits is taken, what does not is refused; no number is an error."""
    found = limiter(Limit("1/hour", per="account"))
    assert found.schedule(account="a", within=-5.0)
    assert not found.schedule(account="a", within=-5.0)
    assert not found.schedule(account="a", within=3599.0)
    assert found.schedule(account="a", within=3600.0).delay == 3600.0
    with pytest.raises(ValueError, match="nan"):
        found.schedule(account="a", within=math.nan)


@pytest.mark.parametrize(
    ("rates", "exact", "kind"),
    [
        ("64/hour", None, "window"),
        ("65/hour", None, "bucket"),
        ("1000/hour", True, "window"),
        ("64/hour", False, "gcra|64"),
        ("64/hour; burst 5", None, "gcra|5"),
        ("3 distinct/hour", None, "distinct"),
    ],
)
def test_a_rate_is_counted_by_its_size(rates: str, exact: bool | None, kind: str) -> None:  # noqa: FBT001
    """Few units exactly, many by sub-windows, and a burst steadily."""
    (meter,) = Limit(rates, per="account", exact=exact).bound("s").meters
    assert meter.id.endswith(f"|{kind}")


@pytest.mark.parametrize("limit", [1000, 1001])
def test_an_exact_window_has_a_size(limit: int) -> None:
    """A thousand times are kept, no more."""
    if limit > 1000:
        with pytest.raises(ConfigurationError, match="of more than 1000 cannot be exact"):
            Limit(f"{limit}/hour", per="account", exact=True)
    else:
        (meter,) = Limit(f"{limit}/hour", per="account", exact=True).bound("s").meters
        assert meter.id.endswith("|window")


def test_recipients_are_those_of_the_envelope_or_of_the_header() -> None:
    """Of a message, of an envelope alone, and of one that Django made."""
    raw = b"To: a@x.example\nBcc: b@x.example\nSubject: s\n\nx"
    whole = Message.read(raw, envelope=Envelope("", ("c@x.example",)))
    assert Attempt(whole, {}).recipients == ("c@x.example",)
    assert Attempt(Message.read(raw, envelope=Envelope()), {}).recipients == ("a@x.example", "b@x.example")
    assert Attempt(raw, {}).recipients == ("a@x.example", "b@x.example")

    class Django:
        subject = body = "x"

        def recipients(self) -> list[str]:
            return ["Ada <a@x.example>", "b@x.example"]

    assert Attempt(Django(), {}).recipients == ("a@x.example", "b@x.example")
    assert Attempt(raw, {"to": "d@x.example"}).recipients == ("d@x.example",)


@pytest.mark.parametrize(
    ("spelled", "key"),
    [
        ("ada@\uff58.example", "ada@x.example"),
        ("\uff41da@x.example", None),
        ("ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"),
        ("=?utf-8?q?ada?=@x.example", None),
        ("", None),
        (" ", None),
    ],
)
def test_look_alikes_have_no_quota_of_their_own(spelled: str, key: str | None) -> None:
    """Full-width letters are no local part; a domain is counted by its A-labels."""
    if key is None:
        with pytest.raises(Unreadable):
            canonical(spelled)
    else:
        assert canonical(spelled) == key


def test_who_waits_for_less_than_a_second_is_left_out_as_well() -> None:
    """Every wait counts."""
    clock = FixedClock()
    found = limiter(Limit("1/10s", per="recipient"), clock=clock)
    found.acquire(to="a@x.example")
    clock.advance(9.5)
    decision = found.acquire(to=["a@x.example", "b@x.example"], partial=True)
    assert (decision.accepted, decision.refused) == (("b@x.example",), ("a@x.example",))
    assert decision.left_out["a@x.example"][2] == pytest.approx(0.5)


def test_a_shared_limit_is_filled_from_the_first_on() -> None:
    """As many as fit; who is left out is told of the limit that makes it wait longest."""
    found = limiter(Limit("3/hour", per="account"), Limit("1/hour", per="recipient"))
    found.acquire(to="b@x.example", account="a")
    four = [f"{name}@x.example" for name in "abcd"]
    decision = found.acquire(to=four, account="a", partial=True)
    assert decision.accepted == ("a@x.example", "c@x.example")
    assert {name: row[1] for name, row in decision.left_out.items()} == {
        "b@x.example": "account",
        "d@x.example": "account",
    }
    assert found.acquire(to=four, account="a", partial=True).accepted == ()


def test_a_function_of_rates_counts_as_its_limit_does() -> None:
    """Messages or recipients, whether a cost is said or not."""
    three = ["a@x.example", "b@x.example", "c@x.example"]
    messages = limiter(Limit(lambda _: "5/hour", per="account", counts="messages", name="plan"))
    recipients = limiter(Limit(lambda _: "5/hour", per="account", name="plan"))
    assert messages.acquire(to=three, account="a").remaining == 4
    assert recipients.acquire(to=three, account="a").remaining == 2
    assert recipients.acquire(account="b").remaining == 4
