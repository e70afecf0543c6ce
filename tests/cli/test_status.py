"""The command ``status``, as an operator types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailflows import Gate
from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_stopped_form_is_shown_and_closed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is stopped within a flow is seen by an operator, and goes on at an order."""
    file = tmp_path / "flows.toml"
    file.write_text('[flows.transactional]\ndomains = ["example.org"]\n[gate]\nstore = "state.db"\n')
    reputation = Gate.from_toml(file).reputation
    assert reputation is not None
    reputation.open("transactional", scope="form:signup", seconds=600)
    assert main(["status", str(file)]) == 1
    assert "transactional by form signup: open" in capsys.readouterr().out
    assert main(["resume", str(file), "transactional", "--scope", "form:signup"]) == 0
    assert capsys.readouterr().out == "transactional by form signup: sending again\n"
    assert main(["status", str(file)]) == 0
    assert "no breaker is open, and nothing is waiting" in capsys.readouterr().out


def test_a_flow_that_goes_on_names_what_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad campaign stops the flow and its mail to some providers: closing the flow is not all of it."""
    file = tmp_path / "flows.toml"
    tables = "".join(
        f'[flows.{flow}]\ndomains = ["{flow}.example.org"]\n' for flow in ("marketing", "professional")
    )
    file.write_text(f'{tables}[gate]\nstore = "state.db"\n')
    reputation = Gate.from_toml(file).reputation
    assert reputation is not None
    for flow, provider in (
        ("marketing", None),
        ("marketing", "google"),
        ("marketing", "yahoo"),
        ("professional", None),
        ("professional", "google"),
    ):
        reputation.open(flow, provider=provider, seconds=600)
    assert main(["resume", str(file), "marketing"]) == 0
    assert capsys.readouterr().out == (
        "marketing: sending again\n"
        "still stopped or on trial: marketing to google, marketing to yahoo "
        "(resume each with --provider or --scope)\n"
    )
    assert main(["resume", str(file), "marketing", "--provider", "google"]) == 0
    assert "still stopped or on trial: marketing to yahoo (" in capsys.readouterr().out
    assert main(["resume", str(file), "marketing", "--provider", "google", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["still_stopped"] == ["marketing to yahoo"]
    assert main(["resume", str(file), "marketing", "--provider", "yahoo"]) == 0
    assert capsys.readouterr().out == "marketing to yahoo: sending again\n"


def test_what_was_not_stopped_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A scope that is misspelt, or a flow that the file does not have, is not "closed"."""
    file = tmp_path / "flows.toml"
    file.write_text('[flows.transactional]\ndomains = ["example.org"]\n[gate]\nstore = "state.db"\n')
    assert main(["resume", str(file), "transactional", "--scope", "form:sing-up"]) == 1
    assert capsys.readouterr().out == "transactional by form sing-up: it was not stopped\n"
    assert main(["resume", str(file), "marketing"]) == 2
    assert "it declares no marketing flow: choose from transactional" in capsys.readouterr().err


def test_the_mail_to_a_provider_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By any name of the provider; one that nobody has is told."""
    file = tmp_path / "flows.toml"
    file.write_text('[flows.marketing]\ndomains = ["example.org"]\n[gate]\nstore = "state.db"\n')
    reputation = Gate.from_toml(file).reputation
    assert reputation is not None
    reputation.open("marketing", provider="google", seconds=600)
    assert main(["resume", str(file), "marketing", "--provider", "gogle"]) == 2
    assert "did you mean google?" in capsys.readouterr().err
    assert main(["resume", str(file), "marketing", "--provider", "Gmail"]) == 0
    assert main(["status", str(file)]) == 0
