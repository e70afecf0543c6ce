"""The example scanners, against tiny servers on loopback that speak the protocols of clamd and rspamd."""

from __future__ import annotations

import importlib.util
import json
import socketserver
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import Gate
from mailflows.gate import GateDecision
from three_flows import reset, three_flows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeClamd(socketserver.BaseRequestHandler):
    """Reads an INSTREAM, and finds what holds a word."""

    def handle(self) -> None:
        """Answer one stream."""
        stream = self.request.makefile("rb")
        assert stream.read(10) == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack("!I", stream.read(4))[0]:
            content += stream.read(size)
        if b"too big" in content:
            self.request.sendall(b"INSTREAM size limit exceeded. ERROR\0")
        else:
            self.request.sendall(
                b"stream: Test-Signature FOUND\0" if b"virus" in content else b"stream: OK\0"
            )


class FakeRspamd(BaseHTTPRequestHandler):
    """Answers ``/checkv2`` with the action that the message names."""

    def do_POST(self) -> None:
        """Answer one message."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        action = content.partition(b"action: ")[2].partition(b".")[0].decode() or "no action"
        body = json.dumps(
            {"action": action, "score": 7.25, "required_score": 15, "symbols": {"B": {}, "A": {}}}
        ).encode()
        self.send_response(200 if self.path == "/checkv2" and action != "fail" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(handler: Any) -> Iterator[int]:
    """Run a server on loopback, and yield its port."""
    with socketserver.TCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def example(root: Path, name: str) -> Any:
    """Return an example as a module."""
    spec = importlib.util.spec_from_file_location(name, root / "examples" / "scanners" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(scanner: Any, word: str) -> Any:
    """Return the verdict on a message that holds a word."""
    mail = reset()
    mail.set_content(mail.get_content() + word)
    return Gate(three_flows(), scanners=[scanner]).check(mail, flow="transactional")


@pytest.mark.parametrize(
    ("word", "decision", "said"),
    [
        ("nothing", "accept", "found nothing"),
        ("a virus", "reject", "Test-Signature"),
        ("too big", "defer", "failed to run"),
    ],
)
def test_clamd(root: Path, word: str, decision: str, said: str) -> None:
    """A virus is rejected; a scan that fails makes the message wait."""
    with serving(FakeClamd) as port:
        verdict = asked(example(root, "clamd").Clamd("127.0.0.1", port), word)
    assert verdict.decision == decision
    assert said in verdict.explain()


def test_clamd_that_is_down(root: Path) -> None:
    """Nobody listens: the message waits."""
    verdict = asked(example(root, "clamd").Clamd("127.0.0.9", 1, timeout=1.0), "")
    assert (verdict.decision, verdict.degraded) == (GateDecision.DEFER, ("scanners",))


@pytest.mark.parametrize(
    ("word", "decision"),
    [
        ("", "accept"),
        ("action: reject.", "reject"),
        ("action: soft reject.", "defer"),
        ("action: add header.", "hold"),
        ("action: greylist.", "accept"),
        ("action: fail.", "defer"),
    ],
)
def test_rspamd(root: Path, word: str, decision: str) -> None:
    """Each action leads to what the table of the example says."""
    with serving(FakeRspamd) as port:
        verdict = asked(example(root, "rspamd").Rspamd("127.0.0.1", port), word)
    assert verdict.decision == decision


def test_rspamd_says_why(root: Path) -> None:
    """Score and symbols stand in the verdict."""
    with serving(FakeRspamd) as port:
        verdict = asked(example(root, "rspamd").Rspamd("127.0.0.1", port), "action: add header.")
    assert "add header at 7.2 of 15.0: A, B" in str(verdict)
