"""A partner that is not installed is named, with the command that installs it."""

from __future__ import annotations

import importlib
import sys

import pytest

from mailflows import MissingExtra


@pytest.mark.parametrize("partner", ["aiosmtplib", "django"])
def test_a_missing_partner(partner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the import is the command to type."""
    monkeypatch.delitem(sys.modules, f"mailflows.integrations.{partner}", raising=False)
    monkeypatch.setitem(sys.modules, partner, None)
    with pytest.raises(MissingExtra, match=rf"pip install '\.\[{partner}\]'"):
        importlib.import_module(f"mailflows.integrations.{partner}")
