"""The loop closed: a mailing, what came back, and the next mailing."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def mailings(root: Path) -> tuple[Any, Any, Any]:
    """Return the example, and what became of its two mailings over SMTP on loopback."""
    path = root / "examples" / "feedback" / "two_mailings.py"
    spec = importlib.util.spec_from_file_location("two_mailings", path)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = example  # dataclasses look there
    spec.loader.exec_module(example)
    return example, *example.run()


def test_the_first_mailing_bounces(mailings: tuple[Any, Any, Any]) -> None:
    """The server refuses 8 % of the first mailing."""
    example, first, _ = mailings
    assert (first.skipped, len(first.refused) / len(example.BASE)) == ([], 0.08)


def test_the_second_mailing_skips_exactly_the_dead(mailings: tuple[Any, Any, Any]) -> None:
    """The second mailing skips the dead mailboxes, and no full one, and none that a block was about."""
    example, _, second = mailings
    assert set(second.skipped) == example.DEAD


def test_the_second_mailing_is_refused_no_dead_one(mailings: tuple[Any, Any, Any]) -> None:
    """What is refused again is only what may be taken another day."""
    example, _, second = mailings
    assert set(second.refused) == example.FULL | example.BLOCKED
