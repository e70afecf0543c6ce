"""States of domains: on a real name server, and again with recorded answers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from dns_server import DnsServer, closed_port
from mailflows._dns import Resolver
from mailflows.recipients import Deliverability, DomainState, RecipientChecker
from mailflows.testing import FakeDns
from shared_cases import cases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "scen.com"
ZONE = """
$TTL 300
@ IN SOA ns h 1 3600 600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
host1 IN A 93.184.216.34
host6 IN AAAA 2606:2800:220:1::1
inside IN A 10.0.0.1
inside IN AAAA fd00::1
home IN A 127.0.0.1
ok IN MX 10 host1
ok6 IN MX 10 host6
a-only IN A 93.184.216.34
aaaa-only IN AAAA 2606:2800:220:1::1
a-private IN A 10.0.0.1
nullmx IN MX 0 .
nullmx-a IN MX 0 .
nullmx-a IN A 93.184.216.34
nullmx-10 IN MX 10 .
nullmx-mixed IN MX 0 .
nullmx-mixed IN MX 10 host1
nodata IN TXT "x"
gone IN MX 10 nobody
half IN MX 10 nobody
half IN MX 20 host1
private IN MX 10 inside
loopback IN MX 10 home
literal IN MX 10 192.0.2.1.
alias IN CNAME ok
loop IN CNAME loop
servfail-x IN MX 10 host1
refused-x IN MX 10 host1
silent-x IN MX 10 host1
half-sick IN MX 10 servfail-host
servfail-host IN A 93.184.216.34
flaky-x IN MX 10 host1
spf-only IN A 93.184.216.34
spf-only IN TXT "v=spf1 -all"
many IN MX 1 host1
""" + "\n".join(f"many IN MX {n} a-rather-long-name-of-a-mail-host-{n}" for n in range(2, 60))

EXPECTED = {
    "ok": DomainState.OK,
    "ok6": DomainState.OK,
    "a-only": DomainState.IMPLICIT,
    "aaaa-only": DomainState.IMPLICIT,
    "spf-only": DomainState.IMPLICIT,
    "a-private": DomainState.NO_MAIL,
    "nullmx": DomainState.NULL_MX,
    "nullmx-a": DomainState.NULL_MX,
    "nullmx-10": DomainState.NULL_MX,
    "nullmx-mixed": DomainState.OK,
    "nodata": DomainState.NO_MAIL,
    "nowhere": DomainState.NXDOMAIN,
    "gone": DomainState.MX_BROKEN,
    "half": DomainState.OK,
    "private": DomainState.MX_PRIVATE,
    "loopback": DomainState.MX_PRIVATE,
    "literal": DomainState.MX_BROKEN,
    "alias": DomainState.OK,
    "many": DomainState.OK,
    "flaky-x": DomainState.OK,
    "servfail-x": DomainState.UNKNOWN,
    "refused-x": DomainState.UNKNOWN,
    "half-sick": DomainState.UNKNOWN,
}
WANTED = {
    "ok": Deliverability.DELIVERABLE,
    "risky": Deliverability.RISKY,
    "bad": Deliverability.UNDELIVERABLE,
    "unknown": Deliverability.UNKNOWN,
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve the zone on loopback."""
    with DnsServer(scen_com=ZONE) as server:
        yield server.port


@pytest.fixture(scope="module")
def checker(port: int) -> RecipientChecker:
    """Return a checker over the real server."""
    return RecipientChecker(resolver=Resolver(["127.0.0.1"], port=port))


@pytest.mark.parametrize(("name", "state"), EXPECTED.items())
def test_states_on_a_real_name_server(checker: RecipientChecker, name: str, state: DomainState) -> None:
    """Each setup of a domain has its own word, with evidence."""
    report = checker.check(f"ada@{name}.{ORIGIN}")
    assert report.domain_state is state
    assert state is DomainState.OK or report.reasons[0].evidence


@pytest.mark.parametrize(
    ("name", "state"), [(n, s) for n, s in EXPECTED.items() if not n.startswith(("flaky", "refused"))]
)
def test_states_with_recorded_answers(name: str, state: DomainState) -> None:
    """The fake gives the same verdicts as the server."""
    fake = FakeDns.from_zone(f"$ORIGIN {ORIGIN}.\n{ZONE}")
    assert RecipientChecker(resolver=fake).check(f"ada@{name}.{ORIGIN}").domain_state is state


def test_the_async_driver_on_a_real_name_server(port: int) -> None:
    """Both drivers see the same domain."""
    checker = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=port))
    for name in ("ok", "many", "gone", "nullmx"):
        report = asyncio.run(checker.acheck(f"ada@{name}.{ORIGIN}"))
        assert report.domain_state is EXPECTED[name]


def test_silence_is_unknown_within_the_budget(port: int) -> None:
    """A name server that does not answer says nothing about the address."""
    checker = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=port), budget=0.3)
    assert checker.check(f"ada@silent-x.{ORIGIN}").verdict is Deliverability.UNKNOWN


def test_a_resolver_that_is_down_is_unknown() -> None:
    """Never "undeliverable" because our own resolver failed."""
    checker = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=closed_port()))
    assert checker.check("ada@shop.fr").verdict is Deliverability.UNKNOWN


def test_shared_scenarios_on_a_real_name_server() -> None:
    """All shared scenarios come out as they should."""
    zone = "\n".join(cases("recipient/dns_scenarios_sample.zone").splitlines())
    rows = [json.loads(line) for line in cases("recipient/dns_scenarios_sample.jsonl").splitlines()]
    with DnsServer(scen_com=zone) as server:
        checker = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=server.port))
        got = {row["domain"]: checker.check(f"ada@{row['domain']}").verdict for row in rows}
    assert got == {row["domain"]: WANTED[row["expect"]] for row in rows}


def test_shared_scenarios_with_recorded_answers() -> None:
    """And again from memory."""
    fake = FakeDns.from_zone(cases("recipient/dns_scenarios_sample.zone"))
    rows = [json.loads(line) for line in cases("recipient/dns_scenarios_sample.jsonl").splitlines()]
    checker = RecipientChecker(resolver=fake)
    assert {row["domain"]: checker.check(f"ada@{row['domain']}").verdict for row in rows} == {
        row["domain"]: WANTED[row["expect"]] for row in rows
    }


def test_recorded_answers_of_another_library(tmp_path: Path) -> None:
    """A recording of another library's tests can be replayed."""
    recording = tmp_path / "recorded.json"
    recording.write_text(cases("recipient/dns_email_validator_mocked_answers.json"), "utf-8")
    checker = RecipientChecker(resolver=FakeDns.from_recording(recording))
    states = {
        name: checker.check(f"ada@{name}").domain_state
        for name in ("pages.github.com", "g.mail.com", "nellis.af.mil", "justtxt.joshdata.me")
    }
    assert states == {
        "pages.github.com": DomainState.IMPLICIT,
        "g.mail.com": DomainState.NO_MAIL,
        "nellis.af.mil": DomainState.IMPLICIT,
        "justtxt.joshdata.me": DomainState.NO_MAIL,
    }
