"""What replies of mail servers ask of the pace."""

from __future__ import annotations

import json

import pytest

from growth import MOST, growth
from mailflows.feedback import PaceChange, Reply, read_reply
from shared_cases import cases

NAMES = {"gmx_web.de": "gmx", "any": None}
"""Where the outside cases name a provider differently."""

SPELLED = {"throttle": "max_message_rate=", "concurrency": "connection_limit=", "suspend": "Suspend"}
SECONDS = {"30m": 1800, "90m": 5400, "1 hour": 3600, "2 hours": 7200, "4 hours": 14400, "15 minutes": 900,
           "5 minutes": 300}  # fmt: skip


def defensible(case: dict[str, object]) -> set[tuple[str, object]]:
    """Return every action with its seconds that the case calls right."""
    right = {(str(case["action"]), case["seconds"])}
    for match in case["kumomta_rules_that_match"]:  # type: ignore[attr-defined]
        for action, start in SPELLED.items():
            if any(word.startswith(start) for word in match["actions"]):
                right.add((action, SECONDS[match["duration"]]))
    return right


def asked(reply: Reply) -> str:
    """Return what a reply asks for, in the words of the outside cases."""
    if reply.pace:
        return str(reply.pace)
    if reply.is_unknown:
        return "invalid-recipient"
    if reply.reason in {"mailbox-full", "mailbox-disabled"}:
        return "soft-recipient"
    return "retry" if reply.action == "retry" else "none"


def test_outside_replies_are_known() -> None:
    """Of the 26 facts (action and seconds of 13 replies) at least 24 are as the outside cases have them."""
    points = 0
    for case in json.loads(cases("limits/provider_replies.json")):
        code, _, text = case["reply"].partition(" ")
        reply = read_reply(int(code), text, provider=NAMES.get(case["provider"], case["provider"]))
        right = defensible(case)
        points += asked(reply) in {action for action, _ in right}
        points += (asked(reply), reply.seconds) in right
    assert points >= 24


@pytest.mark.parametrize(
    ("code", "text", "action"),
    [
        (250, "2.0.0 Ok: queued", "none"),
        (
            550,
            "5.1.1 <x@shop.example>: Recipient address rejected: User unknown in table",
            "invalid-recipient",
        ),
        (550, "5.1.10 RecipientNotFound", "invalid-recipient"),
        (550, "No such user here", "invalid-recipient"),
        (553, "Sorry, that address does not exist (#5.1.1)", "invalid-recipient"),
        (552, "5.2.2 Mailbox full", "soft-recipient"),
        (550, "5.2.2 <x@shop.example> is over quota", "soft-recipient"),
        (450, "4.2.1 The mailbox is temporarily disabled", "soft-recipient"),
        (451, "4.7.1 Greylisting in action, please come back in 5 minutes", "retry"),
        (451, "4.3.0 Temporary lookup failure", "retry"),
        (450, "4.2.1 The user is receiving mail too quickly", "recipient-throttle"),
        (421, "4.7.0 Too many concurrent SMTP connections; please try again later", "concurrency"),
        (421, "Too many messages, slow down", "throttle"),
        (451, "4.7.1 Sending rate exceeded", "throttle"),
        (452, "4.5.3 Too many recipients", "retry"),
        (554, "5.7.1 Service unavailable; client host [192.0.2.1] blocked using a list", "suspend"),
        (550, "5.7.1 Message rejected as spam", "none"),
        (550, "5.7.26 This mail is unauthenticated", "none"),
        (552, "5.3.4 Message size exceeds fixed limit", "none"),
        (554, "5.7.1 Relay access denied", "none"),
    ],
)
def test_common_replies(code: int, text: str, action: str) -> None:
    """The usual replies of common servers ask for the usual things, whoever the provider is."""
    assert asked(read_reply(code, text)) == action


def test_a_reply_of_several_lines_is_read_as_one() -> None:
    """A phrase that is broken over lines with a code each is found, from bytes as smtplib gives them."""
    text = b"550-5.1.1 The account that you tried\r\n550-5.1.1 to reach does not\r\n550 5.1.1 exist"
    assert read_reply(550, text).reason == "mailbox-unknown"


def test_an_address_is_no_status_code() -> None:
    """The digits of an IPv4 address are not taken for an enhanced status code."""
    assert read_reply(550, "refused 5.1.1.7").status is None


def test_a_status_of_another_class_is_not_believed() -> None:
    """A 4xx reply that mentions a 5.1.1 is a temporary one."""
    assert read_reply(451, "upstream said 5.1.1").action == "retry"


def test_rules_of_a_provider_hold_only_there() -> None:
    """A text that means much at one provider means nothing elsewhere."""
    text = "4.7.1 Service unavailable - try again later"
    there, elsewhere = read_reply(421, text, provider="apple"), read_reply(421, text)
    assert (there.pace, there.seconds, elsewhere.pace) == (PaceChange.SUSPEND, 900.0, None)


def test_every_code_gets_an_answer() -> None:
    """No code in the range of RFC 5321 falls through the table."""
    assert all((read_reply(code).reason is not None) == (code >= 400) for code in range(200, 600))


@pytest.mark.parametrize("code", [0, 199, 600, "550", None])
def test_what_is_no_code_is_refused(code: object) -> None:
    """Something that is not a reply code is an error that says what one is."""
    with pytest.raises(ValueError, match="200 to 599"):
        read_reply(code)  # type: ignore[arg-type]


def test_a_huge_reply_takes_no_time() -> None:
    """Ten megabytes of digits and dots are judged by their beginning: four times as many cost hardly more."""
    assert growth(lambda size: "5.1." * (size // 4), lambda text: read_reply(550, text), 10_000_000) < MOST
