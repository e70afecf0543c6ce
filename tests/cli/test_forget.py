"""A person is erased from a gate by one command; commands that show something write nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Gate
from mailflows.cli import main
from mailflows.errors import StoreError
from mailflows.feedback import SuppressionList
from mailflows.limits import Limit, Limiter, MemoryStore, RedisStore, SQLiteStore

if TYPE_CHECKING:
    from pathlib import Path

SECRET, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
ADA, EVE = "ada@example.org", "eve@example.org"


@pytest.fixture
def settings(tmp_path: Path) -> str:
    """Return the file of a gate that keeps its state."""
    file = tmp_path / "flows.toml"
    text = '[flows.transactional]\ndomains = ["notify.example.org"]\n[gate]\nstore = "state.db"\n'
    file.write_text(text, "utf-8")
    return str(file)


def test_a_person_is_erased_and_an_objection_stays(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A bounce goes; of an unsubscription the hash stays, and the command says so."""
    suppressions = Gate.from_toml(settings).suppressions
    assert suppressions is not None
    suppressions.add(ADA, reason="mailbox-unknown")
    suppressions.add(ADA, reason="unsubscribed", flow="marketing")
    suppressions.add(ADA, reason="unsubscribed", list="news")
    suppressions.add(EVE, reason="mailbox-unknown")
    assert main(["forget", settings, "Ada@Example.org"]) == 0
    out = capsys.readouterr().out
    assert "3 suppressions" in out
    assert out.count("kept: ") == 2
    assert "unsubscribed, flow:marketing" in out
    assert "list:news" in out
    assert not suppressions.is_suppressed(ADA)
    assert suppressions.is_suppressed(ADA, flow="marketing")
    assert suppressions.is_suppressed(EVE)
    assert main(["forget", settings, EVE, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["erased"]["suppressions"], told["kept"]) == (1, [])


def test_a_look_makes_no_file(settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a gate kept nothing yet, and in an empty file, nobody is found, and nothing is made."""
    assert main(["suppress", "show", settings, ADA]) == 1
    assert main(["suppress", "list", settings]) == 0
    assert main(["senders", "list", settings]) == 0
    assert not (tmp_path / "state.db").exists()
    (tmp_path / "empty.db").touch()
    assert main(["suppress", "show", str(tmp_path / "empty.db"), ADA]) == 1
    assert (tmp_path / "empty.db").stat().st_size == 0
    assert "not suppressed" in capsys.readouterr().out


def test_a_look_takes_no_secret_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A store that is shown with a secret of one's own is afterwards what it was, to the row."""
    monkeypatch.setenv("SECRET", SECRET)
    file = tmp_path / "list.db"
    store = SQLiteStore(file)
    SuppressionList(store).add(ADA)
    store.close()

    def rows() -> list[Any]:
        with closing(sqlite3.connect(file)) as database:
            return [database.execute(f"SELECT * FROM {name}").fetchall() for name in ("facts", "documents")]  # noqa: S608 -- constants

    before = rows()
    for verb in (
        ["show", str(file), ADA],
        ["list", str(file)],
        ["undo", str(file), "--reason", "manual", "--preview"],
    ):
        assert main(["suppress", *verb, "--secret-env", "SECRET"]) == 0
    assert rows() == before
    assert main(["suppress", "show", str(file), ADA]) == 0
    capsys.readouterr()


def test_a_foreign_secret_is_said_once(
    settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By commands that end there, and by a gate whose parts all ask the store."""
    monkeypatch.setenv("OTHER", OTHER)
    SuppressionList(SQLiteStore(tmp_path / "state.db", secret=SECRET.encode())).add(ADA)
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"From: a@notify.example.org\nTo: b@example.org\nSubject: Your order\n\nIt was sent.\n")
    state = str(tmp_path / "state.db")
    for command in (
        ["suppress", "show", state, ADA, "--secret-env", "OTHER"],
        ["suppress", "list", settings],
        ["forget", settings, ADA],
        ["status", settings],
        ["gate", settings, str(mail), "--flow", "transactional"],
    ):
        main(command)
        assert capsys.readouterr().err.count("another secret") == 1, command


def test_a_store_that_is_looked_at_is_not_written_to(tmp_path: Path, redis_client: Any) -> None:
    """In a file and on a server: no secret is made, and whatever would write is an error."""
    with redis_client() as client:
        looked_at = RedisStore(client, read_only=True)
        assert not SuppressionList(looked_at).is_suppressed(ADA)
        assert client.dbsize() == 0
        SuppressionList(RedisStore(client)).add(ADA)
        again = RedisStore(client, read_only=True)
        assert SuppressionList(again).is_suppressed(ADA)
        with pytest.raises(StoreError, match="read-only"):
            SuppressionList(again).add(EVE)
    SuppressionList(SQLiteStore(tmp_path / "list.db")).add(ADA)
    file = SQLiteStore(tmp_path / "list.db", read_only=True)
    assert SuppressionList(file).is_suppressed(ADA)
    with pytest.raises(StoreError, match="readonly"):
        SuppressionList(file).add(EVE)
    assert Limiter(Limit("3/day", per="recipient"), store=file, on_error="deny").acquire(to=ADA).degraded
    with pytest.raises(StoreError):
        SuppressionList(SQLiteStore(tmp_path / "nowhere.db", read_only=True)).is_suppressed(ADA)
    assert not (tmp_path / "nowhere.db").exists()


def test_a_list_says_how_many_are_on_it_and_why(tmp_path: Path) -> None:
    """Printed, it counts entries by reason; in an error report it asks no store beyond memory."""
    suppressions = SuppressionList(MemoryStore())
    assert str(suppressions) == "0 entries"
    suppressions.add(ADA, reason="mailbox-unknown")
    suppressions.add(EVE, reason="unsubscribed", flow="marketing")
    suppressions.add(EVE, reason="mailbox-unknown")
    assert str(suppressions) == "3 entries (mailbox-unknown 2, unsubscribed 1)"
    assert repr(suppressions) == f"<SuppressionList: {suppressions}>"
    assert "SQLiteStore" in repr(SuppressionList(SQLiteStore(tmp_path / "list.db")))
    assert not (tmp_path / "list.db").exists()


def test_a_list_is_checked_beside_the_suppressions(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the commands for a list and for an address, for their flow and mailing list; nothing is written."""
    suppressions = Gate.from_toml(settings).suppressions
    assert suppressions is not None
    suppressions.add(ADA, reason="unsubscribed", flow="marketing")
    suppressions.add(EVE, reason="unsubscribed", list="news")
    file, clean = tmp_path / "list.csv", tmp_path / "clean.csv"
    file.write_text(f"email\n{ADA}\n{EVE}\nkim@shop.fr\n", "utf-8")
    known = ["--no-dns", "--internal-domain", "example.org", "--suppressions", settings]

    def kept(*more: str) -> list[str]:
        main(["list", str(file), "--clean", str(clean), *known, *more])
        return clean.read_text("utf-8").split()[1:]

    assert kept() == [EVE, "kim@shop.fr"]
    assert kept("--list", "news") == ["kim@shop.fr"]
    assert kept("--flow", "transactional") == [ADA, EVE, "kim@shop.fr"]
    assert "1 suppressed" in capsys.readouterr().out
    assert main(["check", ADA, *known]) == 0
    assert main(["check", ADA, "--flow", "marketing", *known]) == 1
    assert main(["check", ADA, *known, "--list", "news"]) == 0
    assert main(["check", EVE, *known, "--list", "news"]) == 1
    assert "on the suppression list" in capsys.readouterr().out
