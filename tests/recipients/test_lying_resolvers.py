"""A resolver that lies must not make good domains look dead; a real server on loopback answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from dns_server import SOA, DnsServer
from mailflows._dns import Resolver
from mailflows.recipients import Deliverability, DomainState, RecipientChecker

if TYPE_CHECKING:
    from collections.abc import Callable

Fill = "Callable[[dns.message.Message, str, str], None]"

BUDGET = 10.0
"""Seconds: twice the budget of an address; what runs on for ever is far beyond it on a busy machine, too."""


class Liar(DnsServer):
    """A server that fills its answers as a function says."""

    def __init__(self, fill: Callable[[dns.message.Message, str, str], None]) -> None:
        super().__init__()
        self._lie = fill

    def _fill(self, answer: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        self._lie(answer, name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(kind))


def says_nothing(_: dns.message.Message, _name: str, _kind: str) -> None:
    """NOERROR without any record."""


def refers_to_the_root(answer: dns.message.Message, _name: str, _kind: str) -> None:
    """A referral, as a server gives that does not recurse."""
    answer.flags &= ~dns.flags.RA
    answer.authority.append(dns.rrset.from_text(".", 300, "IN", "NS", "a.root-servers.net."))


def knows_no_name(answer: dns.message.Message, _name: str, _kind: str) -> None:
    """NXDOMAIN for everything."""
    answer.set_rcode(dns.rcode.NXDOMAIN)
    answer.authority.append(dns.rrset.from_text(".", 300, "IN", "SOA", "a. h. 1 1 1 1 300"))


def strips_mx(answer: dns.message.Message, name: str, kind: str) -> None:
    """An address for every name that exists, and never a mail host."""
    if len(name.partition(".")[0]) == 20:
        knows_no_name(answer, name, kind)
    elif kind == "A":
        answer.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", "A", "93.184.216.34"))
    else:
        answer.authority.append(dns.rrset.from_text(f"{name}.", 300, "IN", "SOA", "a. h. 1 1 1 1 300"))


@pytest.mark.parametrize("lie", [says_nothing, refers_to_the_root, knows_no_name, strips_mx])
def test_nothing_is_called_bad_by_a_resolver_that_lies(
    lie: Callable[[dns.message.Message, str, str], None],
) -> None:
    """Not one address of a list, and the report says which sign was seen."""
    with Liar(lie) as server:
        checker = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=server.port))
        rows = ["ada.lovelace@gmail.com", *(f"ada@firm{n}.fr" for n in range(60))]
        report = checker.check_list(rows)
        one = checker.check("ada.lovelace@gmail.com")
    assert report.verdicts[Deliverability.UNDELIVERABLE] == report.verdicts[Deliverability.RISKY] == 0
    assert report.resolver_trouble
    assert all(str(verdict.advice) != "go" for verdict in report.policies)
    assert one.verdict is Deliverability.UNKNOWN


ZONE = f"""
@ SOA {SOA}
@ NS ns
mx A 93.184.216.34
loop CNAME b.loop
b.loop CNAME loop
many MX 5 gone0
{chr(10).join(f"many MX {5 + n} gone{n}" for n in range(1, 10))}
many MX 90 mx
cname MX 5 alias
alias CNAME mx
old MX 5 mx
null MX 0 .
cold MX 5 mx
"""


class OldServer(DnsServer):
    """A server from before EDNS, which answers FORMERR to a question with OPT, and is slow at first."""

    def reply(self, wire: bytes, *, over_tcp: bool) -> bytes | None:
        """Return the bytes of the answer."""
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text()
        if name.startswith("old") and query.edns >= 0:
            refused = dns.message.make_response(query)
            refused.use_edns(-1)
            refused.set_rcode(dns.rcode.FORMERR)
            return refused.to_wire()
        if name.startswith("cold") and not self._second(name + str(query.question[0].rdtype)):
            time.sleep(2)
        return super().reply(wire, over_tcp=over_tcp)

    def _fill(self, answer: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        text = name.to_text(omit_final_dot=True)
        if text == "lame.fr":
            answer.authority.append(dns.rrset.from_text("fr.", 300, "IN", "NS", "a.nic.fr."))
        elif text.startswith("chain"):
            for n in range(20):
                owner = "chain.shop.fr." if not n else f"c{n}.shop.fr."
                answer.answer.append(dns.rrset.from_text(owner, 300, "IN", "CNAME", f"c{n + 1}.shop.fr."))
            answer.answer.append(dns.rrset.from_text("c20.shop.fr.", 300, "IN", "MX", "5 mx.shop.fr."))
        else:
            super()._fill(answer, name, kind)


@pytest.mark.parametrize(
    ("domain", "states"),
    [
        ("lame.fr", {DomainState.UNKNOWN}),
        ("loop.shop.fr", {DomainState.UNKNOWN}),
        ("chain.shop.fr", {DomainState.OK, DomainState.UNKNOWN}),
        ("many.shop.fr", {DomainState.OK}),
        ("cname.shop.fr", {DomainState.OK}),
        ("old.shop.fr", {DomainState.OK}),
        ("cold.shop.fr", {DomainState.OK, DomainState.UNKNOWN}),
        ("gone.shop.fr", {DomainState.NXDOMAIN}),
        ("null.shop.fr", {DomainState.NULL_MX}),
    ],
)
def test_what_an_odd_server_says_of_a_domain(domain: str, states: set[DomainState]) -> None:
    """As RFC 2308, RFC 5321, RFC 6891 and RFC 7505 say, within the budget; in a list, too."""
    with OldServer(shop_fr=ZONE) as server:
        started = time.monotonic()
        checker = RecipientChecker(resolver=Resolver(["127.0.0.1"], port=server.port))
        assert checker.check(f"ada@{domain}").domain_state in states
        assert time.monotonic() - started < BUDGET
        report = checker.check_list([f"ada@{domain}", "bob@shop.fr"])
    assert any(report.states[state] for state in states)
