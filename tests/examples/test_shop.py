"""The example of a shop under attack: three relays of the tests count what came through."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from smtp_server import MisbehavingRelay

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = ("professional", "marketing", "transactional")


@pytest.fixture(scope="module")
def told(root: Path) -> tuple[list[Any], dict[str, MisbehavingRelay]]:
    """Play the story once, at relays that know neither the example nor the library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "examples/shop"))
        story = importlib.import_module("story")
    with ExitStack() as stack:
        relays = {flow: stack.enter_context(MisbehavingRelay()) for flow in FLOWS}
        return story.play(relays), relays


MOST = {
    "one victim": 3,  # an hour's worth for one mailbox: presets.web_form()
    "200 victims": 30,  # the breaker of a form stops within thirty mails (tests/reputation)
    "name field": 0,
    "bought list": 30,
    "stolen account": 50,  # by daylight; at night it is a handful (docs/senders.md)
    "relay is down": 0,
}


def test_attacks_are_contained(told: tuple[list[Any], dict[str, MisbehavingRelay]]) -> None:
    """Of each attack a few messages leave at most."""
    scenes, _ = told
    came = {name: scene.arrived for name in MOST for scene in scenes if name in scene.name}
    assert {name: n for name, n in came.items() if n > MOST[name]} == {}
    assert len(came) == len(scenes) == len(MOST)


def test_nobody_else_is_harmed(told: tuple[list[Any], dict[str, MisbehavingRelay]]) -> None:
    """Every order, letter and newsletter arrives in its hour, once; but for the flow whose relay is down."""
    scenes, _ = told
    for scene in scenes:
        spared = {"transactional"} if "relay is down" in scene.name else set()
        wanted = {flow: n for flow, n in scene.honest.items() if flow not in spared}
        assert {flow: n for flow, n in scene.delivered.items() if flow not in spared} == wanted, scene.name
        assert scene.in_the_end == scene.honest, scene.name
        assert scene.twice == 0, scene.name


def test_the_relays_counted_alike(told: tuple[list[Any], dict[str, MisbehavingRelay]]) -> None:
    """What the story tells is what the relays hold, and nothing went over another flow's relay."""
    scenes, relays = told
    attacked = ("victims.example", "bought.example", "strangers.example")
    counts = {flow: relay.counts() for flow, relay in relays.items()}
    held = sum(n for one in counts.values() for to, n in one.items() if to.endswith(attacked))
    assert held == sum(scene.arrived for scene in scenes)
    of = {"customers.example": "transactional", "partners.example": "professional"}
    for domain, flow in {**of, "readers.example": "marketing"}.items():
        assert [f for f in FLOWS for to in counts[f] if to.endswith(domain) and f != flow] == []


def test_no_advert_of_the_bot_left(told: tuple[list[Any], dict[str, MisbehavingRelay]]) -> None:
    """What was typed into the name field is in no message that a relay holds."""
    _, relays = told
    assert [one for relay in relays.values() for one in relay.deliveries if b"prizes" in one.content] == []
