"""The smallest guilty thing stops, and nothing else: the whole gate, as in benchmarks/containment.py."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Gate
from mailflows.limits import MemoryStore
from mailflows.reputation import Reputation
from mailflows.testing import FixedClock
from three_flows import newsletter, reset, three_flows

if TYPE_CHECKING:
    from collections.abc import Iterable

GONE = (550, "5.1.1 User unknown")


class Site:
    """A gate, and a relay that answers at once."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.gate = Gate(three_flows(), reputation=Reputation(MemoryStore(), clock=self.clock))
        self.number = 0

    def send(self, outcomes: Iterable[bool], *, flow: str = "transactional", **known: Any) -> list[bool]:
        """Send a message for each outcome (whether the mailbox is gone); return which the gate let leave."""
        make = newsletter if flow == "marketing" else reset
        left = []
        for is_gone in outcomes:
            self.number += 1
            self.clock.advance(10)
            verdict = self.gate.check(make(f"p{self.number}@babbage.example"), flow=flow, **known)
            left.append(bool(verdict))
            if verdict:
                self.gate.report(verdict, GONE if is_gone else "sent")
        return left

    def stopped(self) -> set[str]:
        """Return the scopes that are stopped."""
        assert self.gate.reputation is not None
        return {one.scope for one in self.gate.reputation.stopped()}


BOMBED = [True, False, True, True, False]
"""Three of five addresses that a bombed form is given do not exist."""


@pytest.mark.parametrize(
    ("before", "strays"),
    [(20, 0), (20, 1), (20, 2), (30, 3), (40, 4), (60, 5), (100, 9), (200, 10), (400, 19)],
)
def test_a_bombed_form_beside_stray_bounces(strays: int, before: int) -> None:
    """However many strays came before, up to the 5 % a flow may have: the form stops, and no reset waits."""
    site = Site()
    apart = before // (strays or before)
    assert all(site.send([strays > 0 and n % apart == apart - 1 for n in range(before)], form="reset"))
    left = site.send([one for one, _ in zip(cycle(BOMBED), range(60), strict=False)], form="signup")
    assert sum(left) <= 30
    assert site.stopped() == {"transactional by form signup"}
    assert all(site.send([False] * 50, form="reset"))


def test_more_strays_than_a_form_has_bounces() -> None:
    """A form that is stopped explains its own part, also where other mail has had more bounces by chance."""
    site = Site()
    assert all(site.send([False] * 30, form="reset"))
    site.send([True] * 5, form="signup")
    assert site.stopped() == {"transactional by form signup"}
    assert all(site.send([n % 5 == 0 for n in range(27)], form="reset"))
    assert site.stopped() == {"transactional by form signup"}


def test_two_bombed_forms_stop_themselves() -> None:
    """Bombed in turns, both stop, and the rest of the flow goes on."""
    site = Site()
    assert all(site.send([False] * 20, form="reset"))
    for is_gone in [one for one, _ in zip(cycle(BOMBED), range(60), strict=False)]:
        site.send([is_gone], form="signup")
        site.send([is_gone], form="contact")
    assert site.stopped() == {"transactional by form signup", "transactional by form contact"}
    assert all(site.send([False] * 50, form="reset"))


def test_four_bombed_forms_stop_themselves() -> None:
    """A site whose forms are all bombed but one: that one goes on."""
    site = Site()
    names = ["signup", "contact", "share", "invite"]
    assert all(site.send([False] * 20, form="reset"))
    for is_gone in [one for one, _ in zip(cycle(BOMBED), range(60), strict=False)]:
        for name in names:
            site.send([is_gone], form=name)
    assert site.stopped() == {f"transactional by form {name}" for name in names}
    assert all(site.send([False] * 50, form="reset"))


def test_a_bad_campaign_stops_itself() -> None:
    """A bought list stops, and the newsletter of the same sender goes on."""
    site = Site()
    assert all(site.send([n % 50 == 0 for n in range(100)], flow="marketing", campaign="news"))
    left = site.send([n % 10 < 3 for n in range(200)], flow="marketing", campaign="bought")
    assert sum(left) < 60
    assert site.stopped() == {"marketing by campaign bought"}
    assert all(site.send([n % 50 == 0 for n in range(100)], flow="marketing", campaign="invitation"))


def test_a_flow_that_is_bad_everywhere_stops() -> None:
    """A third of all addresses is gone, whatever form they come from: the sender or the flow stops, too."""
    site = Site()
    for round_ in range(40):
        for form in map("form-{}".format, range(12)):
            site.send([(round_ + len(form)) % 3 == 0], form=form)
    assert {"transactional"} & site.stopped() or {"transactional by a sender"} & site.stopped()


def test_bounces_without_a_scope_stop_the_flow() -> None:
    """Where nothing smaller is told, the sender and its flow are the smallest that explain it."""
    site = Site()
    left = site.send([n % 3 == 0 for n in range(200)])
    assert sum(left) < 60
    assert site.stopped()
