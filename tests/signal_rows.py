"""Rows of tests of signals: a part of a message, and what one family of signals shows of it."""

from __future__ import annotations

import pytest

from mailflows.message import Message
from mailflows.signals import measure


def shown(family: str, *head: str, body: str = "Hello") -> dict[str, float]:
    """Return the signals of one family that a message shows, without the name of the family."""
    found = measure(Message.read("\n".join([*head, "MIME-Version: 1.0", "", body]).encode()))
    return {
        name.removeprefix(family + "-"): value for name, value in found.items() if name.startswith(family)
    }


def told(row: str) -> object:
    """Return what a row expects: names of signals, each with "=0.5" where its value is below one."""
    pairs = (one.partition("=") for one in row.split())
    return pytest.approx({name: float(value or 1) for name, _, value in pairs}, abs=0.001)


def page(*parts: str) -> tuple[str, str]:
    """Return the head and the body of an HTML message."""
    return "Content-Type: text/html; charset=utf-8", "".join(parts)


def running(count: int) -> str:
    """Return a text of so many words."""
    return " ".join(["mill"] * count)
