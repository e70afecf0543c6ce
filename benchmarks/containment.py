"""How much else is delayed while one form is bombed, or one campaign is bad, through the whole gate.

``python benchmarks/containment.py`` writes ``results/containment.json``. Every message goes through a `Gate`
with all its parts in memory, and the answer of a relay is reported at once: dead mailboxes get 550 5.1.1.
"""

from __future__ import annotations

import argparse
import heapq
import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recording import write

from mailflows import Gate
from mailflows.feedback import SuppressionList
from mailflows.flows import FlowRoute, FlowSet
from mailflows.limits import MemoryStore, presets
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400.0
RESET = (
    "From: Harbour <noreply@notify.lovelace.example>\nTo: {to}\nSubject: Reset your password\n"
    "Auto-Submitted: auto-generated\nMessage-ID: <{number}@notify.lovelace.example>\n\n"
    "Hello,\n\nyour code to reset the password of your account is {number:06}. It expires in ten minutes.\n"
)
CONFIRM = (
    "From: Harbour <noreply@notify.lovelace.example>\nTo: {to}\nSubject: Confirm your email address\n"
    "Auto-Submitted: auto-generated\nMessage-ID: <{number}@notify.lovelace.example>\n\n"
    "Hello,\n\nsomebody signed up with this address. Confirm it with the code {number:06} within an hour, "
    "or ignore this message.\n"
)
NEWS = (
    "From: Lovelace News <hello@news.lovelace.example>\nTo: {to}\n"
    "Subject: Spring sale: 30% off until Sunday\n"
    "List-Unsubscribe: <https://news.lovelace.example/u/{number}>\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\nMessage-ID: <{number}@news.lovelace.example>\n\n"
    "Our biggest sale of the year! Save 30% on all engines, only until Sunday.\n"
    "Shop now: https://news.lovelace.example/sale\nUnsubscribe: https://news.lovelace.example/u/{number}\n"
)
NOTE = (
    "From: Charles <charles@lovelace.example>\nTo: {to}\nSubject: Re: Tuesday\n"
    "Message-ID: <{number}@lovelace.example>\nIn-Reply-To: <a@babbage.example>\n\n"
    "Dear Ada,\n\nthanks for drawing {number}. Shall we meet on Tuesday at noon?\n\nBest,\nCharles\n"
)


@dataclass(frozen=True)
class Stream:
    """Mail of one source.

    Attributes:
        name: What its figures are called.
        flow: By which flow it leaves.
        text: The message, with places for recipient and number.
        number: How many.
        begin: When the first is sent, in seconds.
        every: Seconds between two.
        dead: Share of recipients that do not exist.
        clients: Network addresses that cause it; 0 for a job.
        known: What is said to the gate beside it.
    """

    name: str
    flow: str
    text: str
    number: int
    begin: float
    every: float
    dead: float
    clients: int = 0
    known: dict[str, str] = field(default_factory=dict)


def resets(number: int, *, dead: float = 0.01) -> Stream:
    """Return password resets that people ask for, over a day."""
    return Stream(
        "resets", "transactional", RESET, number, 0.0, DAY / number, dead, number, {"form": "reset"}
    )


def bombed(name: str = "signup", *, number: int = 2000, begin: float = DAY / 2, every: float = 5.0) -> Stream:
    """Return a form that is bombed: 60 % dead addresses, typed by 500 clients."""
    return Stream(name, "transactional", CONFIRM, number, begin, every, 0.6, 500, {"form": name})


def campaign(name: str, *, dead: float, number: int, begin: float = 0.0) -> Stream:
    """Return a mailing; all have one sender."""
    return Stream(name, "marketing", NEWS, number, begin, 2.0, dead, 0, {"campaign": name})


def notes(number: int) -> Stream:
    """Return what a person writes over the day."""
    return Stream("notes", "professional", NOTE, number, 0.0, DAY / number, 0.01)


def scenarios(number: int) -> dict[str, list[Stream]]:
    """Return what is run: what goes well beside what does not; the first at its full size."""
    few = number // 5
    return {
        "a bombed form": [resets(number), bombed(), *others(number)],
        "a bombed form from the first message on": [resets(few), bombed(begin=1.0), *others(few)],
        "a bombed form amid stray bounces": [resets(few, dead=0.04), bombed(begin=60.0), *others(few)],
        "a bombed form on a quiet day": [resets(40, dead=0.04), bombed(begin=DAY / 20), *others(few)],
        "two bombed forms": [resets(few), bombed(), bombed("contact", begin=DAY / 2 + 2.0), *others(few)],
        "a bad campaign": [resets(few), *others(few), *campaigns(few)],
    }


def others(number: int) -> list[Stream]:
    """Return the mail of the other two flows."""
    return [notes(number // 30 + 1), campaign("newsletter", dead=0.01, number=number // 5 + 1)]


def campaigns(number: int) -> list[Stream]:
    """Return a bad campaign in the midst of a good one, and a good one after it, of one sender."""
    return [
        campaign("bought list", dead=0.3, number=number // 5 + 50, begin=number / 10),
        campaign("invitation", dead=0.01, number=number // 5 + 50, begin=float(number)),
    ]


def gate_for(clock: FixedClock) -> Gate:
    """Return a gate with its parts, in memory."""
    store = MemoryStore(clock=clock)
    return Gate(
        FlowSet(
            FlowRoute("transactional", domains="notify.lovelace.example"),
            FlowRoute("marketing", domains="news.lovelace.example"),
            FlowRoute("professional", domains="lovelace.example"),
        ),
        limiter={"transactional": presets.web_form(store), "professional": presets.professional(store)},
        senders=SenderControl(store, clock=clock),
        suppressions=SuppressionList(store),
        reputation=Reputation(store, clock=clock),
    )


def run(streams: list[Stream], seed: int) -> dict[str, dict[str, Any]]:
    """Return, of each stream, how many were sent and how many stopped, and by what."""
    chance, clock = random.Random(seed), FixedClock()
    gate, start = gate_for(clock), clock()
    found: dict[str, dict[str, Any]] = {
        one.name: {"messages": one.number, "sent": 0, "before_the_stop": None, "stopped_by": {}}
        for one in streams
    }
    for number, (moment, place, count) in enumerate(
        heapq.merge(*map(_moments, streams, range(len(streams))))
    ):
        clock.advance(start + moment - clock())
        _send(gate, streams[place], number, count, chance, found[streams[place].name])
    return found


def _moments(stream: Stream, place: int) -> Iterator[tuple[float, int, int]]:
    return ((stream.begin + stream.every * n, place, n) for n in range(stream.number))


def _send(  # noqa: PLR0913, PLR0917 -- a message and what is known of it
    gate: Gate, stream: Stream, number: int, count: int, chance: random.Random, found: dict[str, Any]
) -> None:
    """Send one message of a stream, and count what became of it."""
    to = f"p{number}@mail{number % 40}.example"
    known: dict[str, Any] = dict(stream.known)
    if stream.clients:
        known["client"] = f"2001:db8:{count % stream.clients:x}::1"
    verdict = gate.check(stream.text.format(to=to, number=number).encode(), flow=stream.flow, **known)
    if verdict:
        found["sent"] += 1
        is_dead = chance.random() < stream.dead
        gate.report(verdict, (550, "5.1.1 User unknown") if is_dead else "sent")
        return
    if found["before_the_stop"] is None:
        found["before_the_stop"] = found["sent"]
    for reason in verdict.why:
        why = f"{reason.part}: {reason.sentence.partition(': ')[2]}".partition(" is stopped")[0]
        found["stopped_by"][why] = found["stopped_by"].get(why, 0) + 1


def main() -> None:
    """Run every scenario and write what was delayed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--resets", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=17)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    write(
        "containment",
        {name: run(streams, options.seed) for name, streams in scenarios(options.resets).items()},
    )


if __name__ == "__main__":
    main()
