"""A handler that dies loses nothing: 250 was said for what its relay has."""

from __future__ import annotations

import killed_handler


def test_a_killed_handler_loses_nothing() -> None:
    """Killed five times in sixty messages, it loses none, and none comes twice but for unknown answers."""
    found = killed_handler.run(messages=60, kills=5)
    assert found["lost"] == 0
    assert found["duplicates"] <= found["unknown"]
