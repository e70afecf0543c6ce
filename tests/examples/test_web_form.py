"""The example of a web form: a real server, a real HTTP client, a real SMTP server."""

from __future__ import annotations

import importlib.util
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from smtp_server import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Mailbox:
    """Keeps what it is sent; can be told to refuse."""

    def __init__(self) -> None:
        self.recipients: list[str] = []
        self.is_refusing = False

    async def handle_RCPT(  # noqa: N802 -- the name and the arguments are aiosmtpd's
        self, _server: object, _session: object, envelope: object, address: str, _options: list[str]
    ) -> str:
        """Take every recipient but those that are gone."""
        if address.startswith("gone"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)  # type: ignore[attr-defined]
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        """Take a message."""
        if self.is_refusing:
            return "451 4.3.0 try again later"
        self.recipients += envelope.rcpt_tos  # type: ignore[attr-defined]
        return "250 OK"


class Site:
    """The running example, as a visitor sees it."""

    def __init__(self, port: int, mailbox: Mailbox) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.mailbox = mailbox

    def sign_up(self, address: str) -> tuple[int, dict[str, str], str]:
        """Fill in the form, and return status, headers and page."""
        data = urllib.parse.urlencode({"email": address}).encode()
        try:
            with urllib.request.urlopen(self.url, data, timeout=10) as answer:  # noqa: S310 -- our own
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, dict(problem.headers), problem.read().decode()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def site(root: Path, tmp_path: Path) -> Iterator[Site]:
    """Start the example and an SMTP server on loopback, and stop them."""
    spec = importlib.util.spec_from_file_location("web_form_example", root / "examples/web_form/app.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    mailbox = Mailbox()
    port = free_port()
    smtp = Listener(mailbox, hostname="127.0.0.1", port=port)
    smtp.start()
    try:
        app = example.create_app(str(tmp_path / "limits.db"), "127.0.0.1", port, dns=False)
        server = make_server("127.0.0.1", 0, app)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Site(server.port, mailbox)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    finally:
        smtp.stop()


def test_a_visitor_gets_the_mail(site: Site) -> None:
    """An ordinary sign-up sends one message."""
    status, _, page = site.sign_up("ada@example.org")
    assert (status, site.mailbox.recipients) == (200, ["ada@example.org"])
    assert "is on its way" in page


def test_a_victim_is_not_flooded(site: Site) -> None:
    """The same address again, in other spellings, gets nothing, and the page does not tell."""
    pages = {
        site.sign_up(address)[2] for address in ("ada@example.org", "ADA@example.org", "ada+1@example.org")
    }
    assert site.mailbox.recipients == ["ada@example.org"]
    assert len(pages) == 1


def test_a_visitor_cannot_flood_everybody(site: Site) -> None:
    """After five addresses the visitor has to wait, and is told how long."""
    answers = [site.sign_up(f"victim{n}@example.org") for n in range(7)]
    assert [status for status, _, _ in answers] == [200] * 5 + [429] * 2
    assert len(site.mailbox.recipients) == 5
    assert 0 < int(answers[-1][1]["Retry-After"]) <= 600
    assert "example.org" not in answers[-1][2]


def test_mail_that_was_not_sent_is_not_counted(site: Site) -> None:
    """While the mail server refuses nothing is used up: afterwards the visitor gets the message."""
    site.mailbox.is_refusing = True
    assert site.sign_up("ada@example.org")[0] == 500
    site.mailbox.is_refusing = False
    assert site.sign_up("ada@example.org")[0] == 200
    assert site.mailbox.recipients == ["ada@example.org"]


@pytest.mark.parametrize(
    "typed", ["", "nobody", "ada@shop.org, bob@shop.org", "ada@shop.org\r\nBcc: bob@shop.org", "a@b"]
)
def test_what_is_no_address_is_sent_nowhere(site: Site, typed: str) -> None:
    """The visitor is told what is wrong; nobody gets a message by a comma or a line break."""
    status, _, page = site.sign_up(typed)
    assert status == 400
    assert "is on its way" not in page
    assert site.mailbox.recipients == []


def test_a_mailbox_that_is_refused_looks_like_any_other(site: Site) -> None:
    """The page does not tell who is known to the mail server."""
    (status, _, page), (other, _, same) = site.sign_up("gone@example.org"), site.sign_up("ada@example.org")
    assert (status, page) == (other, same)
