"""One mailbox is one counter, however a visitor spells it; what is more than one address is refused."""

from __future__ import annotations

import json
from email.message import EmailMessage
from typing import Any

import pytest

from mailflows.limits import Limit, Limiter, presets
from mailflows.limits._recipients import Unreadable, canonical
from shared_cases import cases

SPELLINGS = [
    "ada@shop.example",
    " ADA@Shop.Example. ",
    '"ada"@shop.example',
    '"a\\da"@shop.example',
    "ada+1@shop.example",
    "Ada <ada@shop.example>",
    "<ada@shop.example>",
    "ada(x)@shop.example",
    "ada@shop.example(x)",
    "mailto:ada@shop.example",
    "mailto:%61da@shop.example?subject=x",
    "<@relay.example:ada@shop.example>",
    "team: ada@shop.example;",
]
UNREADABLE = [
    "",
    "ada",
    "ada@",
    "@shop.example",
    "ada@shop.example,bob@shop.example",
    "ada@shop.example; bob@shop.example",
    "ada@shop.example bob@shop.example",
    "@relay.example:ada@shop.example",
    "bob@shop.example\r\nBcc: ada@shop.example",
    "ada@shop.example\x001",
    "ada@shop.example\t",
    "a\u200bda@shop.example",
    "\uff41da@shop.example",
    "ada\uff20shop.example",
    "=?utf-8?q?ada?=@shop.example",
    "boss@bad.example <ada@shop.example>",
    "mailto:bob@shop.example%0d%0aBcc:ada@shop.example",
    "ada@@shop.example",
    "ada\\@shop.example",
    '"ada"bob@shop.example',
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_one_mailbox_are_one_key(spelling: str) -> None:
    """Case, a name, a comment, a scheme, needless quotes and a tag make no other mailbox."""
    assert canonical(spelling) == "ada@shop.example"


@pytest.mark.parametrize("text", [t for t in UNREADABLE if t.strip() != "ada@shop.example"])
def test_what_is_not_one_address_is_refused_by_value(text: str) -> None:
    """A list, two addresses in one or a second header is a refusal that waiting does not change."""
    decision = Limiter(Limit("3/hour", per="recipient")).acquire(to=text)
    assert (decision.allowed, decision.retry_after, decision.accepted) == (False, None, ())
    assert [reason.code for reason in decision.reasons] == ["unreadable-recipient"]
    assert "shop" not in str(decision)


@pytest.mark.parametrize(
    "text", ["o'neil@shop.example", '"grace hopper"@shop.example', "josé@bücher.example"]
)
def test_odd_addresses_that_are_good_are_counted(text: str) -> None:
    """What looks odd and is an address is admitted as often as any other."""
    limiter = Limiter(Limit("3/hour", per="recipient"))
    assert [limiter.acquire(to=text).allowed for _ in range(4)] == [True, True, True, False]


def test_a_message_is_read_as_the_gate_reads_it() -> None:
    """Display names and comments of a real To are no disguise, and do not make it unreadable."""
    message = EmailMessage()
    message["From"] = "shop@shop.example"
    message["To"] = '"Ada, the first" <ada@shop.example>, bob@shop.example'
    message.set_content("Hello")
    decision = Limiter(Limit("3/hour", per="recipient")).acquire(message)
    assert decision.accepted == ("ada@shop.example", "bob@shop.example")


def rows(name: str) -> list[dict[str, Any]]:
    """Return the shared cases of one file."""
    return [json.loads(line) for line in cases(f"limits-2/{name}").splitlines()]


def form(number: int, to: Any) -> bool:
    """Return whether the form lets a visitor from another network through."""
    client = f"198.51.{number % 250}.{number // 250 + 1}"
    try:
        return LIMITER[0].acquire(to=to, client=client).allowed
    except ValueError:
        return False


LIMITER = [presets.web_form()]


def test_shared_spellings_reach_a_victim_three_times_an_hour() -> None:
    """All spellings of the shared cases together bring three mails an hour to their victim."""
    LIMITER[0] = presets.web_form()
    admitted = []
    for number, case in enumerate(rows("mailboxes.jsonl") * 5):
        to = case["to"].replace("{j}", str(number))
        admitted += [to] * form(number, to)
    assert len(admitted) <= 3


def test_shared_honest_addresses_are_admitted() -> None:
    """All honest addresses of the shared cases are admitted three times an hour each."""
    LIMITER[0] = presets.web_form()
    found = [
        [form(10 * number + again, case["to"]) for again in range(4)]
        for number, case in enumerate(rows("mailboxes_honest.jsonl"))
    ]
    assert found == [[True, True, True, False]] * len(found)


def test_an_error_holds_no_address() -> None:
    """What is said about a spelling does not repeat it."""
    with pytest.raises(Unreadable) as caught:
        canonical("Ada <ada@shop.example>, bob@shop.example")
    assert "shop" not in str(caught.value)
