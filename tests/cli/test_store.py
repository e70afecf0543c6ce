"""Commands that look into a store find it by the file of a gate, by itself, or on a Redis server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Gate
from mailflows.cli import main
from mailflows.errors import ConfigurationError, StoreError
from mailflows.feedback import SuppressionList
from mailflows.limits import RedisStore, SQLiteStore

if TYPE_CHECKING:
    from pathlib import Path

SECRET, OLDER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
FLOW = '[flows.transactional]\ndomains = ["notify.example.org"]\n'
ADA = "ada@example.org"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the settings of a gate and a store that has a secret, and Ada in it."""
    monkeypatch.setenv("SECRET", SECRET)
    _settings(tmp_path, 'secret_env = "SECRET"')
    SuppressionList(SQLiteStore(tmp_path / "state.db", secret=SECRET.encode())).add(ADA)
    return tmp_path


def _settings(folder: Path, lines: str, store: str = 'store = "state.db"') -> str:
    file = folder / "flows.toml"
    file.write_text(f"{FLOW}[gate]\n{store}\n{lines}\n", "utf-8")
    return str(file)


def test_by_the_file_of_a_gate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Store and secret are those of the gate."""
    file = str(folder / "flows.toml")
    assert main(["suppress", "show", file, ADA]) == 0
    assert main(["senders", "list", file]) == 0
    assert main(["status", file]) in {0, 1}
    assert "no sender is blocked" in capsys.readouterr().out


def test_by_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store by itself is told the variable of its secret; without it, it does not say "not suppressed"."""
    file = str(folder / "state.db")
    assert main(["suppress", "show", file, ADA, "--secret-env", "SECRET"]) == 0
    assert main(["suppress", "show", file, ADA]) == 2
    assert "none was given" in capsys.readouterr().err


def test_on_a_redis_server(tmp_path: Path, redis_client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A Redis server is named by itself, or by the file of a gate."""
    with redis_client() as client:
        port = client.connection_pool.connection_kwargs["port"]
        SuppressionList(RedisStore(client)).add(ADA)
    url = f"redis://127.0.0.1:{port}/0"
    assert main(["suppress", "show", url, ADA]) == 0
    assert main(["suppress", "show", _settings(tmp_path, "", f'store = "{url}"'), ADA]) == 0
    assert main(["suppress", "list", f"redis://:pass@127.0.0.1:{port}/0"]) == 2
    assert "pass@" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "store", "said"),
    [
        ('secret_env = "NOWHERE"', 'store = "state.db"', "no variable NOWHERE"),
        ('secret_env = "SHORT"', 'store = "state.db"', "16 bytes"),
        ('secret_file = "nowhere.key"', 'store = "state.db"', "cannot be read"),
        ('secret_env = "SECRET"\nsecret_file = "x"', 'store = "state.db"', "keep one"),
        ('secret_env = "SECRET"', "", "add store"),
        (f'secret = "{SECRET}"', 'store = "state.db"', "did you mean secret_"),
        ("secret_env = 7", 'store = "state.db"', "secret_env .* a text or a list"),
    ],
)
def test_settings_of_a_secret_that_cannot_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch, lines: str, store: str, said: str
) -> None:
    """What is wrong is said with the line of the file, and never with the secret."""
    monkeypatch.setenv("SHORT", "hunter2")
    with pytest.raises(ConfigurationError, match=said) as caught:
        Gate.from_toml(_settings(folder, lines, store))
    assert "flows.toml" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_secret_in_a_file(folder: Path) -> None:
    """A file beside the settings, or anywhere, has the secret; the end of its line is none of it."""
    (folder / "store.key").write_text(f"{SECRET}\n", "utf-8")
    gate = Gate.from_toml(_settings(folder, 'secret_file = "store.key"'))
    assert gate.suppressions is not None
    assert gate.suppressions.is_suppressed(ADA)


def test_a_secret_is_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list has the newest first; the older one alone does not open it any more."""
    monkeypatch.setenv("NEW", OLDER)
    gate = Gate.from_toml(_settings(folder, 'secret_env = ["NEW", "SECRET"]'))
    assert gate.suppressions is not None
    assert gate.suppressions.is_suppressed(ADA)
    with pytest.raises(StoreError):
        SuppressionList(SQLiteStore(folder / "state.db", secret=SECRET.encode())).is_suppressed(ADA)


@pytest.mark.parametrize("command", ["suppress", "senders"])
def test_settings_without_a_store(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A gate that keeps nothing has no list to show."""
    assert main([command, "list", _settings(tmp_path, "", "")]) == 2
    assert 'store = "state.db"' in capsys.readouterr().err


BOUNCE = b"""From: MAILER-DAEMON@mx.example.org
Subject: Undelivered Mail Returned to Sender

<gone@one.example>: host mx.one.example said: 550 5.1.1 User unknown
"""
PAYLOAD = b'[{"event": "bounce", "email": "gone@one.example", "reason": "550 5.1.1 User unknown"}]'


@pytest.mark.parametrize(
    ("command", "content"),
    [(["bounces"], BOUNCE), (["webhook", "sendgrid"], PAYLOAD)],
    ids=["bounces", "webhook"],
)
def test_what_came_back_is_fed_to_the_gate(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str], content: bytes
) -> None:
    """Bounces and webhooks go to the list of a gate, with its secret, and to a list by itself."""
    came = folder / "came"
    came.write_bytes(content)
    settings = str(folder / "flows.toml")
    assert main([*command, str(came), "--apply", settings]) == 0
    assert "1 address suppressed" in capsys.readouterr().out
    assert SuppressionList(SQLiteStore(folder / "state.db", secret=SECRET.encode())).is_suppressed(
        "gone@one.example"
    )
    assert main(["suppress", "show", settings, "gone@one.example"]) == 0
    capsys.readouterr()
    assert (
        main([*command, str(came), "--json", "--apply", str(folder / "new.db"), "--secret-env", "SECRET"])
        == 0
    )
    told = capsys.readouterr()
    assert ("1 address suppressed" in told.err, "address suppressed" in told.out) == (True, False)
    assert SuppressionList(SQLiteStore(folder / "new.db", secret=SECRET.encode())).is_suppressed(
        "gone@one.example"
    )


COMPLAINT = b"""From: feedback@arf.example
To: complaints@example.org
Subject: FW: The May issue
Date: Mon, 4 May 2026 09:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Loop/1.0
Version: 1
Original-Rcpt-To: eve@one.example

--b
Content-Type: message/rfc822

From: News <news@news.example.org>
To: eve@one.example
Subject: The May issue

The apple trees are in bloom.

--b--
"""


@pytest.mark.parametrize(
    ("came", "flow", "said"),
    [
        (COMPLAINT, [], "1 address suppressed, 1 of them on all flows"),
        (COMPLAINT, ["--flow", "marketing"], "1 address suppressed\n"),
        (BOUNCE, [], "1 address suppressed\n"),
    ],
    ids=["complaint", "of a flow", "bounce"],
)
def test_a_complaint_that_ends_all_mail_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], came: bytes, flow: list[str], said: str
) -> None:
    """A complaint without a flow ends password resets, too; whoever forgot --flow reads it at once."""
    file = folder / "came"
    file.write_bytes(came)
    assert main(["bounces", str(file), *flow, "--apply", str(folder / "flows.toml")]) == 0
    out = capsys.readouterr().out
    assert said in out
    assert ("--flow" in out) == ("all flows" in said)


def test_a_complaint_is_of_the_flow_that_declares_its_stream(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As behind the gate itself: who complains about the newsletter still gets password resets."""
    (tmp_path / "flows.toml").write_text(
        '[flows.transactional]\ndomains = ["notify.example.org"]\nesp = "postmark"\nstream = "outbound"\n'
        '[flows.marketing]\ndomains = ["news.example.org"]\nesp = "postmark"\nstream = "broadcast"\n'
        '[gate]\nstore = "state.db"\n',
        encoding="utf-8",
    )
    came = tmp_path / "came.json"
    came.write_text(
        '{"RecordType": "SpamComplaint", "Email": "eve@one.example", "MessageStream": "broadcast"}'
    )
    assert main(["webhook", "postmark", str(came), "--apply", str(tmp_path / "flows.toml")]) == 0
    assert "1 address suppressed" in capsys.readouterr().out
    suppressions = SuppressionList(SQLiteStore(tmp_path / "state.db"))
    found = [
        suppressions.is_suppressed("eve@one.example", flow=flow) for flow in ("marketing", "transactional")
    ]
    assert found == [True, False]


def test_no_settings_are_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A settings file that is not there is named, and does not become a database."""
    came = folder / "came.eml"
    came.write_bytes(BOUNCE)
    assert main(["bounces", str(came), "--apply", str(folder / "flow.toml")]) == 2
    assert "flow.toml" in capsys.readouterr().err
    assert not (folder / "flow.toml").exists()


def test_a_server_without_slashes_is_no_file(folder: Path) -> None:
    """``redis:host`` is a mistyped server, and does not become a file whose state nobody else sees."""
    file = _settings(folder, "", store='store = "redis:127.0.0.1:6379/0"')
    with pytest.raises(ConfigurationError, match=r"redis: is written with two slashes"):
        Gate.from_toml(file)
    assert sorted(path.name for path in folder.iterdir()) == ["flows.toml", "state.db"]


LOOKS = [
    ("status", "{}"),
    ("limits", "list", "{}"),
    ("limits", "show", "{}", "--to", ADA),
    ("held", "list", "{}"),
    ("senders", "list", "{}"),
    ("suppress", "list", "{}"),
    ("suppress", "show", "{}", ADA),
]


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_a_store_that_is_not_there_is_said_and_not_made(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who looks before the gate ever ran, or in the wrong folder, is told so; and no file appears."""
    file = _settings(tmp_path, '[limits]\ntransactional = "web_form"')
    main([word.format(file) for word in command])
    shown = capsys.readouterr()
    assert shown.err.count(f"{tmp_path / 'state.db'}: this store does not exist yet") == 1
    assert "names no store" not in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["flows.toml"]


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_who_looks_opens_the_store_for_reading_only(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look holds no writer up, and works for an account that may only read."""
    file = _settings(tmp_path, '[limits]\ntransactional = "web_form"')
    SuppressionList(SQLiteStore(tmp_path / "state.db")).add(ADA)
    opened: list[object] = []
    make = SQLiteStore.__init__

    def noted(self: SQLiteStore, *given: Any, **named: Any) -> None:
        opened.append(named.get("read_only", False))
        make(self, *given, **named)

    monkeypatch.setattr(SQLiteStore, "__init__", noted)
    main([word.format(file) for word in command])
    assert opened == [True]
