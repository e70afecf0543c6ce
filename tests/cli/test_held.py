"""The commands ``held`` and ``status``, between a sender that tries again and a relay."""

from __future__ import annotations

import json
import smtplib
from typing import TYPE_CHECKING

import pytest

from mailflows import Gate
from mailflows.cli import main
from mailflows.held import HeldMail
from mailflows.integrations.aiosmtpd import GateHandler
from mailflows.limits import SQLiteStore
from smtp_server import SmtpServer
from three_flows import newsletter, note, reset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

FLOWS = """
[flows.professional]
domains = ["lovelace.example"]
relay = "{url}"
[flows.transactional]
domains = ["notify.lovelace.example"]
relay = "{url}"
[gate]
store = "state.db"
"""


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    """Start a relay."""
    with SmtpServer("127.0.0.2") as server:
        yield server


@pytest.fixture
def file(tmp_path: Path, relay: SmtpServer) -> Path:
    """Write a file of settings, with a store."""
    path = tmp_path / "flows.toml"
    path.write_text(FLOWS.format(url=relay.url))
    return path


def stranger() -> EmailMessage:
    """Return a note from a domain that belongs to no flow."""
    mail = note()
    mail.replace_header("From", "Charles <charles@elsewhere.example>")
    return mail


def attempt(file: Path, mail: EmailMessage) -> int:
    """Try to send, as a client that keeps what is answered 4xx, and return the code."""
    server = SmtpServer("127.0.0.5", handler=GateHandler(Gate.from_toml(file)))
    with server, smtplib.SMTP(server.host, server.port, timeout=10) as smtp:
        try:
            smtp.sendmail("charles@elsewhere.example", ["ada@babbage.example"], mail.as_bytes())
        except smtplib.SMTPResponseException as problem:
            return problem.smtp_code
        except smtplib.SMTPRecipientsRefused as problem:
            return next(iter(problem.recipients.values()))[0]
    return 250


def held(file: Path, capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> list[str]:
    """Type the command, and return its lines."""
    verb, *rest = arguments if arguments and not arguments[0].startswith("--") else ("list", *arguments)
    assert main(["held", verb, str(file), *rest]) == status
    return capsys.readouterr().out.splitlines()


def test_released_it_leaves_once(file: Path, relay: SmtpServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever was told 451 tries again, and the relay gets it once."""
    assert attempt(file, stranger()) == 451
    (line,) = held(file, capsys)
    name, flow, sender = line.split()[:3]
    assert (flow, sender) == ("professional", "charles@elsewhere.example")
    assert "Re: Tuesday" in line
    held(file, capsys, "release", name)
    assert attempt(file, stranger()) == 250
    assert len(relay.deliveries) == 1
    assert held(file, capsys) == []
    assert attempt(file, stranger()) == 451
    assert len(relay.deliveries) == 1


def test_an_empty_list_says_so(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the list, which has one line per message; what is read by programs stays as it is."""
    Gate.from_toml(file).check(note().as_bytes())  # the store is made
    assert main(["held", "list", str(file)]) == 0
    assert tuple(capsys.readouterr()) == ("", "mailflows: no message is held\n")
    assert main(["held", "list", str(file), "--json"]) == 0
    assert tuple(capsys.readouterr()) == ("", "")


def test_dropped_it_never_leaves(file: Path, relay: SmtpServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The next attempt is refused for good."""
    attempt(file, stranger())
    name = held(file, capsys)[0].split()[0]
    assert "Shall we meet" in "\n".join(held(file, capsys, "show", name))
    held(file, capsys, "drop", name)
    assert attempt(file, stranger()) // 100 == 5
    assert (held(file, capsys), relay.deliveries) == ([], [])
    assert "dropped" in held(file, capsys, "--all")[0]


def test_what_was_taken_is_sent_at_once(
    file: Path, relay: SmtpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody tries again what was answered 250: who releases it sends it, once."""
    place = HeldMail(SQLiteStore(file.parent / "state.db"))
    one = place.hold(
        stranger().as_bytes(), recipients=["ada@babbage.example"], mail_from="charles@lovelace.example"
    )
    place.take(one.id)
    held(file, capsys, "release", one.id, "--flow", "professional")
    assert [d.recipients for d in relay.deliveries] == [("ada@babbage.example",)]
    assert held(file, capsys, "--all") == []
    held(file, capsys, "release", one.id, status=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["drop", "abc"], "there is no held message abc"),
        (["show", "../x\x1b"], "there is no held message"),
    ],
)
def test_misuse(file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """Status 2, and what is wrong."""
    verb, *rest = arguments
    assert main(["held", verb, str(file), *rest]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "\x1b" not in err


def test_without_a_store_there_is_no_place(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is kept in memory is not there for another process."""
    file.write_text(file.read_text().partition("[gate]")[0])
    assert main(["held", "list", str(file)]) == 2
    assert 'store = "state.db"' in capsys.readouterr().err
    assert main(["held", "list", str(file.parent / "gone.toml")]) == 2


def test_status_says_what_waits(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breakers, held mail, suppressions and what was stopped, as a table or JSON; looking changes nothing."""
    assert main(["status", str(file)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["flow", "professional", "sending"] in rows  # the flow is named once
    gate = Gate.from_toml(file)
    assert gate.reputation is not None
    assert gate.suppressions is not None
    gate.reputation.open("transactional", seconds=600, reason="a wrong link")
    gate.suppressions.add("gone@babbage.example", reason="complained")
    gate.check(stranger().as_bytes())
    capsys.readouterr()
    assert main(["status", str(file)]) == 1
    out = capsys.readouterr().out
    assert "a wrong link" in out
    assert "messages for manual review: 1" in out
    assert main(["status", str(file), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["waiting"], found["suppressions"]) == (1, {"complained": 1})
    assert found["stopped"]["stopped"] == {"hold": 1}
    assert "babbage" not in json.dumps(found)


def test_status_lets_a_flow_go_on(file: Path) -> None:
    """An operator closes the breaker of a flow."""
    gate = Gate.from_toml(file)
    assert gate.reputation is not None
    gate.reputation.open("transactional", seconds=600)
    assert not gate.check(reset(), flow="transactional")
    assert main(["resume", str(file), "transactional"]) == 0
    assert gate.check(reset(), flow="transactional")


def test_status_of_senders_limits_and_a_dry_run(tmp_path: Path) -> None:
    """What a dry run would have stopped, and limits over all mail, are there, too."""
    file = tmp_path / "flows.toml"
    file.write_text(
        '[flows.marketing]\ndomains = ["news.lovelace.example"]\n[flows.transactional]\n'
        'domains = ["notify.lovelace.example"]\ndry_run = true\n[limits]\ntransactional = "web_form"\n'
    )
    gate = Gate.from_toml(file)
    advert = newsletter()
    advert.replace_header("From", "noreply@notify.lovelace.example")
    verdict = gate.check(advert, flow="transactional")
    assert (verdict.allowed, verdict.would_be) == (True, "reject")
    assert not gate.check(reset(), flow="marketing")
    status = gate.status()
    assert str(status.dry_run) == "in the last 7 days 1 of 1 would have been rejected"
    assert {(c.flow, c.part) for c in status.dry_run.reasons} == {("transactional", "guard")}
    uses = [(use.flow, use.units, use.is_background) for use in status.limits]
    assert uses == [("transactional", 2000, False), ("transactional", 5000, True)]
    assert not status.limits[0].is_near_its_end
