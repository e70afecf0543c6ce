"""The three flows."""

from __future__ import annotations

import json

import pytest

from mailflows.errors import ConfigurationError
from mailflows.flow import Flow


def test_there_are_three() -> None:
    """An organisation's mail has three flows, in this order everywhere."""
    assert [flow.value for flow in Flow] == ["professional", "marketing", "transactional"]


@pytest.mark.parametrize("flow", Flow)
def test_a_flow_is_its_word(flow: Flow) -> None:
    """A flow stands in JSON, a log line or a configuration file as its word, and comes back."""
    assert f"{flow}" == flow.value
    assert Flow(json.loads(json.dumps({"flow": flow}))["flow"]) is flow


def test_unknown_word() -> None:
    """Another word is no flow, and the error says which words are."""
    with pytest.raises(ConfigurationError, match="is not a flow: choose from professional, ") as caught:
        Flow("newsletter")
    assert caught.value.field == "flow"


def test_a_slip_of_the_pen() -> None:
    """A word that is nearly one of the three is answered with the one that was meant."""
    with pytest.raises(ConfigurationError, match=r"did you mean marketing\?"):
        Flow("markting")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(("newsletter", "marketing"), ("Newsletters", "marketing"), ("broadcast", "marketing")),
        *(("receipts", "transactional"), ("notifications", "transactional"), ("transac", "transactional")),
        *(("personal", "professional"), ("corporate", "professional"), ("marketting", "marketing")),
    ],
)
def test_what_others_call_a_flow(word: str, meant: str) -> None:
    """Whoever writes what another service calls it hears which flow it is, and which there are."""
    choices = "choose from professional, marketing, transactional"
    with pytest.raises(ConfigurationError) as caught:
        Flow(word)
    assert str(caught.value) == f"{word!r} is not a flow: {choices}; did you mean {meant}?"
