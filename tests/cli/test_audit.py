"""The command ``audit``, as a user types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from audit.test_reports import report
from audit.zones import SEPARATE, Setup, clean
from dns_server import DnsServer, closed_port
from mailflows.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def _file(folder: Path, setup: Setup) -> str:
    lines = []
    for flow, route in setup.routes.items():
        lines.append(f"[flows.{flow}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in route.items()]
    path = folder / "flows.toml"
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


def _run(setup: Setup, path: str, *options: str) -> int:
    zones: dict[str, Any] = {"": setup.zone()}
    with DnsServer(**zones) as server:
        return main(["audit", path, "--nameserver", "127.0.0.1", "--port", str(server.port), *options])


def test_flows_that_are_kept_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All is well: one line, and status 0."""
    setup = clean(SEPARATE)
    assert _run(setup, _file(tmp_path, setup)) == 0
    assert capsys.readouterr().out == "nothing is missing, weak or shared\n"


@pytest.mark.parametrize("options", [(), ("--json",), ("--explain",)])
def test_a_fault_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    """A fault is in the table, in the JSON and in the explanation, and the status is 1."""
    setup = clean(SEPARATE)
    setup.put("bounces.firm-news.example", "TXT", "v=spf1 +all")
    assert _run(setup, _file(tmp_path, setup), *options) == 1
    out = capsys.readouterr().out
    assert "spf-pass-all" in out
    if options == ("--json",):
        assert json.loads(out)["ok"] is False
    if options == ("--explain",):
        assert "RFC 7208 section 5.1" in out


def test_cron_hears_only_what_needs_attention(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --quiet nothing is written where all is well, and --fail-on error passes over warnings."""
    setup = clean(SEPARATE)
    path = _file(tmp_path, setup)
    assert _run(setup, path, "--quiet") == 0
    assert capsys.readouterr().out == ""
    setup.put("bounces.firm-news.example", "TXT", "v=spf1 ip4:198.51.100.20 ?all")
    assert _run(setup, path, "--quiet", "--fail-on", "error") == 0
    assert capsys.readouterr().out == ""
    assert _run(setup, path, "--quiet") == 1
    assert "spf-neutral-all" in capsys.readouterr().out


def test_a_silent_dns_is_never_a_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What could not be checked has a status of its own."""
    setup = clean(SEPARATE)
    path = _file(tmp_path, setup)
    assert main(["audit", path, "--nameserver", "127.0.0.1", "--port", str(closed_port()), "--quiet"]) == 2
    assert "not checked" in capsys.readouterr().out


def test_samples_and_reports_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sent message and a folder of reports are held against the flows; a missing one is status 2."""
    setup = clean(SEPARATE)
    path = _file(tmp_path, setup)
    sample = tmp_path / "sent.eml"
    sample.write_bytes(b"From: a@firm-tx.example\nSubject: x\n\nHello")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "r.xml").write_text(report(("203.0.113.9", 7, True, "firm.example")), "utf-8")
    assert _run(setup, path, "--sample", str(sample), "--reports", str(folder), "--explain") == 1
    out = capsys.readouterr().out
    assert "sample-unsigned" in out
    assert "7 messages as firm.example passed DMARC from 203.0.113.9" in out
    assert "required by Gmail 2024-02" in out
    assert _run(setup, path, "--reports", str(tmp_path / "gone")) == 2
    assert "gone" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"[flows.markting]\ndomains = 'a.example'", b"\xff\xfe", b""])
def test_a_bad_file_is_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """A file that is missing, wrong or no text is said on standard error, with its name."""
    path = tmp_path / "flows.toml"
    if content is not None:
        path.write_bytes(content)
    assert main(["audit", str(path)]) == 2
    assert "flows.toml" in capsys.readouterr().err
