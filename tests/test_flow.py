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
