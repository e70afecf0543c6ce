"""django-post-office keeps what the gate or a relay defers, and tries it again from another process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailflows.feedback import SuppressionList
from mailflows.limits import SQLiteStore
from smtp_server import MisbehavingRelay

if importlib.util.find_spec("post_office") is None:
    pytest.skip("django-post-office is not installed", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]


def office(folder: Path, mode: str) -> dict[str, str]:
    """Run a process of the site, and return the state of each message by the name of its recipient."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/django_office.py"), "flows.toml", "office.db", mode],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)},  # its lock is for one site
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def test_what_is_deferred_leaves_later_once(tmp_path: Path) -> None:
    """One process queues, another sends: what was greylisted leaves at its second attempt, once."""
    answers = {"gone@*": "550 5.1.1 no such user"}
    with MisbehavingRelay(rcpt=answers, first={"busy@*": "450 4.2.1 try again later"}) as relay:
        (tmp_path / "flows.toml").write_text(
            f'[flows.transactional]\ndomains = ["notify.lovelace.example"]\nrelay = "{relay.url}"\n'
            '[gate]\nstore = "state.db"\n[limits]\ntransactional = "web_form"\n'
        )
        assert office(tmp_path, "queue") == dict.fromkeys(("ada", "busy", "gone"), "queued")
        assert relay.counts() == {}
        states = office(tmp_path, "send")
        assert relay.counts() == {"ada@babbage.example": 1, "busy@babbage.example": 1}
    assert states == {"ada": "sent", "busy": "sent", "gone": "failed"}


def test_what_is_refused_for_good_is_not_tried_again(tmp_path: Path) -> None:
    """By the relay or by the gate: it has failed at once and is told once; what is deferred waits."""
    answers = {"gone@*": "550 5.1.1 no such user", "busy@*": "450 4.2.1 try again later"}
    with MisbehavingRelay(rcpt=answers) as relay:
        (tmp_path / "flows.toml").write_text(
            f'[flows.transactional]\ndomains = ["notify.lovelace.example"]\nrelay = "{relay.url}"\n'
            '[gate]\nstore = "state.db"\n[limits]\ntransactional = "web_form"\n'
        )
        office(tmp_path, "queue")
        first = office(tmp_path, "once")
        SuppressionList(SQLiteStore(tmp_path / "state.db")).add("ada@babbage.example")
        office(tmp_path, "queue")
        second = office(tmp_path, "once")
    assert first == {"ended": "1", "told": "busy,gone", "ada": "sent", "busy": "requeued", "gone": "failed"}
    assert (second["ended"], second["ada"]) == ("2", "failed")


def test_the_client_of_a_queued_message_is_known(tmp_path: Path) -> None:
    """Seven messages that one visitor caused: behind the queue, the limit of five per client holds."""
    with MisbehavingRelay() as relay:
        (tmp_path / "flows.toml").write_text(
            f'[flows.transactional]\ndomains = ["notify.lovelace.example"]\nrelay = "{relay.url}"\n'
            '[gate]\nstore = "state.db"\n[limits]\ntransactional = "web_form"\n'
        )
        office(tmp_path, "flood")
        states = office(tmp_path, "send")
    assert sorted(states.values()) == ["failed"] * 2 + ["sent"] * 5
    assert len(relay.deliveries) == 5
    assert not any(b"x-mailflows" in one.content.lower() for one in relay.deliveries)
