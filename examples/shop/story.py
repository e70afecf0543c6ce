"""Attack the shop in five ways, and count at its relays what got through: `python examples/shop/story.py`.

It starts three relays on loopback, simulates two quiet weeks on a clock of its own, and then one attack every
third day, each amid the orders, letters and newsletters of an ordinary hour. What is counted is what the
relays accepted.
With --json FILE the counts are written for docs/shop.md; nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))  # shop.py and sinks.py, wherever this is started from

from shop import NEWS, NOTIFY, PEOPLE, Shop
from sinks import Sink

from mailflows.flows import FlowRoute, FlowSet
from mailflows.limits import MemoryStore
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FLOWS = ("professional", "marketing", "transactional")
HOUR, DAY = 3600.0, 86400.0
UNKNOWN = "550 5.1.1 no such user"
OUT_OF_ORDER = "421 4.3.2 system not accepting messages"

LETTERS = (
    (
        "Re: the blue chair",
        "thanks for the photo: the left leg, is it? A new one is on its way.",
    ),
    ("Re: Friday", "Friday at ten suits me. Please ring twice, the bell is slow."),
    ("Your question about oak", "I asked our carpenter: oil it once a year, and keep it out of the sun."),
    ("Re: invoice", "you are right, I had the old address. The corrected one is attached to your account."),
    ("The lamp is back", "it came in this morning. Shall I put one aside for you until Saturday?"),
    (
        "Re: a table for twelve",
        "two metres eighty would do. I can draw it, could you measure the door?",
    ),
)


@dataclass
class Scene:
    """What happened in one attack.

    Attributes:
        name: The attack.
        tried: Messages that the attacker caused.
        arrived: Those that a relay accepted.
        stopped_by: The others, by the part of the gate that stopped them; ``relay`` for a recipient that the
            relay refused, ``later`` for what waits.
        honest: Messages of everybody else, by flow.
        delivered: Those that the relays accepted, by flow, at the end of the hour.
        in_the_end: The same after the queue of the shop has run empty.
        twice: Honest messages that a relay accepted more than once.
    """

    name: str
    tried: int
    arrived: int = 0
    stopped_by: dict[str, int] = field(default_factory=dict)
    honest: dict[str, int] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    in_the_end: dict[str, int] = field(default_factory=dict)
    twice: int = 0


class Story:
    """The shop, its relays, and an hour that is attacked each day.

    Args:
        shop: The shop.
        clock: Its clock.
        sinks: The relay of each flow. They are asked only for what they accepted.
    """

    def __init__(self, shop: Shop, clock: FixedClock, sinks: Mapping[str, Any]) -> None:
        self.shop = shop
        self.clock = clock
        self.sinks = sinks
        self._choice = random.Random(2026)
        self._orders = iter(range(40_001, 1_000_000))
        self._day = 0

    # What everybody does

    def order(self) -> None:
        """Let a customer order."""
        number = next(self._orders)
        self.shop.order(number, f"customer{number}@customers.example", f"198.51.100.{number % 250 + 1}")

    def letter(self, account: str, number: int) -> None:
        """Let a person write to a customer."""
        subject, text = LETTERS[number % len(LETTERS)]
        to = f"partner{(5 * self._day + number) % 50}.{self._day}.{number}@partners.example"
        if self._day < 14:  # the people one writes to again and again
            to = f"partner{(5 * self._day + number) % 50}@partners.example"
        self.shop.letter(account, to, subject, f"Dear friend,\n\n{text}\n\n{account.title()}\n", "192.0.2.7")

    def ordinary(self) -> dict[str, list[Callable[[], object]]]:
        """Return the messages of each flow in an ordinary hour."""
        issue = f"issue-{self._day}"
        return {
            "transactional": [self.order for _ in range(20)],
            "professional": [lambda n=n: self.letter("helen", n) for n in range(12)],
            "marketing": [
                lambda n=n: self.shop.newsletter(issue, f"reader{n}@readers.example") for n in range(40)
            ],
        }

    def quiet_weeks(self) -> None:
        """Let two weeks go by, in which the parts of the gate learn what is usual."""
        for _ in range(14):
            self.clock.advance(9 * HOUR)
            for number in range(3):
                name = self._choice.choice("Ada Grace Mary Emmy Lise Rosa Marie Hedy".split())
                address = f"customer{self._day}.{number}@customers.example"
                self.shop.sign_up(name, address, f"198.51.100.{3 * self._day + number + 1}")
                self.order()
            for number in range(12):
                self.letter("helen", number)
                self.letter("marcus", number)
                self.clock.advance(1800)
            if self._day % 7 == 0:
                for number in range(40):
                    self.shop.newsletter(f"week-{self._day // 7}", f"reader{number}@readers.example")
            self._night(9 * HOUR)

    # What is done to the shop

    def one_victim(self) -> Scene:
        """A bot types one address into the form, from 200 networks."""
        attack = [
            lambda n=n: self.shop.sign_up("Ada", "victim@victims.example", f"10.{n % 250}.{n // 250}.9")
            for n in range(200)
        ]
        return self._hour("sign-up bombing: one victim, 200 networks", attack)

    def many_victims(self) -> Scene:
        """A botnet types 200 addresses, four in ten of which do not exist."""
        self.sinks["transactional"].rcpt["gone*@victims.example"] = UNKNOWN
        attack = [
            lambda n=n: self.shop.sign_up(
                "Ada", f"{'gone' if n % 5 < 2 else 'person'}{n}@victims.example", f"10.{n % 250}.{n // 250}.9"
            )
            for n in range(200)
        ]
        return self._hour("sign-up bombing: 200 victims, 40 % unknown", attack)

    def slots(self) -> Scene:
        """A bot writes its advert into the field for the name."""
        attack = [
            lambda n=n: self.shop.sign_up(
                f"you won! Collect at prizes{n % 7}.example/x",
                f"slot{n}@victims.example",
                f"10.{n % 250}.3.9",
            )
            for n in range(200)
        ]
        return self._hour("an advert in the name field", attack)

    def dead_list(self) -> Scene:
        """Somebody writes to a bought list, a third of which is dead."""
        self.sinks["marketing"].rcpt["gone*@bought.example"] = UNKNOWN
        attack = [
            lambda n=n: self.shop.newsletter(
                "bought-list", f"{'gone' if n % 3 == 0 else 'person'}{n}@bought.example"
            )
            for n in range(200)
        ]
        # Whoever answers for the mail throws away what waits of it.
        return self._hour("a bought list, a third of it dead", attack, then=lambda: self._drop("bought-list"))

    def stolen_account(self) -> Scene:
        """A thief has Marcus's password, and writes to strangers."""
        attack = [
            lambda n=n: self.shop.letter(
                "marcus",
                f"stranger{n}@strangers.example",
                "Urgent",
                f"Dear customer,\n\nour bank account is new. Pay invoice {n} to it today.\n\nMarcus\n",
                "203.0.113.9",
            )
            for n in range(200)
        ]
        return self._hour("a stolen account writes to 200 strangers", attack)

    def outage(self) -> Scene:
        """The relay of the transactional flow is out of order for an hour."""
        sink = self.sinks["transactional"]
        sink.mail = OUT_OF_ORDER
        return self._hour("the transactional relay is down for an hour", [], then=lambda: _mend(sink))

    def scenes(self) -> Iterator[Scene]:
        """Run everything, one attack every third day."""
        self.quiet_weeks()
        for attack in (
            self.one_victim,
            self.many_victims,
            self.slots,
            self.dead_list,
            self.stolen_account,
            self.outage,
        ):
            self.clock.advance(10 * HOUR)
            yield attack()
            self._night(13 * HOUR)
            self.clock.advance(2 * DAY)  # nobody wants a newsletter every day

    def _hour(
        self,
        name: str,
        attack: Sequence[Callable[[], str]],
        *,
        then: Callable[[], object] = lambda: None,
    ) -> Scene:
        """Run an attack amid the mail of an ordinary hour, then let the queue run empty, and count."""
        before = self._taken()
        ordinary = self.ordinary()
        outcomes: Counter[str] = Counter()
        acts: list[tuple[float, bool, Callable[[], Any]]] = [
            (place / len(part), is_attack, act)
            for is_attack, part in ((True, attack), *((False, part) for part in ordinary.values()))
            for place, act in enumerate(part)
        ]
        for _, is_attack, act in sorted(acts, key=lambda one: one[0]):
            said = act()
            if is_attack:
                outcomes[said] += 1
            self.clock.advance(HOUR / len(acts))
        now = self._taken()
        scene = Scene(name, len(attack))
        scene.arrived = sum(_count(now[f] - before[f], is_attack=True) for f in FLOWS)
        scene.stopped_by = {part: n for part, n in sorted(outcomes.items()) if part != "sent"}
        scene.honest = {flow: len(part) for flow, part in ordinary.items()}
        scene.delivered = {f: _count(now[f] - before[f], is_attack=False) for f in ordinary}
        then()
        self._empty_queue()
        end = self._taken()
        scene.in_the_end = {f: _count(end[f] - before[f], is_attack=False) for f in ordinary}
        scene.twice = sum(
            n - 1
            for flow in ordinary
            for address, n in (end[flow] - before[flow]).items()
            if address.rpartition("@")[2] in HONEST
        )
        return scene

    def _taken(self) -> dict[str, Counter[str]]:
        """Return what each relay has accepted so far, by recipient."""
        return {flow: sink.counts() for flow, sink in self.sinks.items()}

    def _drop(self, campaign: str) -> None:
        """Delete what is still queued of a mailing."""
        kept = [one for one in self.shop.queue if one.known.get("campaign") != campaign]
        self.shop.queue = kept

    def _empty_queue(self) -> None:
        """Let the shop retry every ten minutes, for half a day at most."""
        for _ in range(72):
            if not self.shop.run_queue():
                return
            self.clock.advance(600)

    def _night(self, seconds: float) -> None:
        """Let the rest of the day go by."""
        self._day += 1
        left = DAY - self.clock() % DAY
        self.clock.advance(left if left < seconds + 6 * HOUR else seconds)


HONEST = ("customers.example", "partners.example", "readers.example")


def _count(taken: Counter[str], *, is_attack: bool) -> int:
    """Return how many messages went to the recipients of one side."""
    return sum(n for address, n in taken.items() if (address.rpartition("@")[2] not in HONEST) is is_attack)


def _mend(sink: Any) -> None:  # noqa: ANN401 -- any relay that can be told what to answer
    sink.mail = "250 ok"


def play(sinks: Mapping[str, Any]) -> list[Scene]:
    """Run the story against three relays."""
    clock = FixedClock()
    flows = FlowSet(
        FlowRoute("professional", domains=PEOPLE, relay=sinks["professional"].url),
        FlowRoute("marketing", domains=NEWS, relay=sinks["marketing"].url),
        FlowRoute("transactional", domains=NOTIFY, relay=sinks["transactional"].url),
    )
    # A SQLiteStore or RedisStore where several processes serve the shop.
    shop = Shop(flows, MemoryStore(clock=clock), clock)
    try:
        return list(Story(shop, clock, sinks).scenes())
    finally:
        shop.close()


def main() -> None:
    """Tell the story."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts to a file")
    options = parser.parse_args()
    with ExitStack() as stack:
        scenes = play({flow: stack.enter_context(Sink()) for flow in FLOWS})
    for scene in scenes:
        honest = ", ".join(f"{flow} {scene.in_the_end[flow]} of {n}" for flow, n in scene.honest.items())
        print(f"{scene.name}: {scene.arrived} of {scene.tried} came through {scene.stopped_by}; {honest}")
    if options.json:
        found = {"scenes": [asdict(scene) for scene in scenes]}
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
