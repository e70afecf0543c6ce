"""Zones of three flows that are kept well apart, and what may be broken in them."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from mailflows.flows import FlowRoute, FlowSet

Records = dict[str, dict[str, list[str]]]


def _element(kind: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes([kind, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([kind, 0x80 | size]) + length.to_bytes(size) + content


def rsa_key(bits: int, *, seed: int = 1) -> str:
    """Return an RSA key of this length as it is published; of a random modulus that signs nothing."""
    modulus = random.Random(seed).getrandbits(bits) | 1 | 1 << (bits - 1)
    numbers = _element(2, b"\0" + modulus.to_bytes((bits + 7) // 8)) + _element(2, b"\1\0\1")
    name = _element(0x30, _element(6, bytes.fromhex("2a864886f70d010101")) + b"\5\0")
    key = _element(0x30, name + _element(3, b"\0" + _element(0x30, numbers)))
    return base64.b64encode(key).decode("ascii")


ADDRESSES = ("192.0.2.10", "198.51.100.20", "203.0.113.30")
"""One source address for each flow, each of a network of its own."""

NAMES = {"professional": "pro", "marketing": "news", "transactional": "tx"}


@dataclass
class Setup:
    """Records and routes that tests may change.

    Attributes:
        records: Name → kind → texts.
        routes: Flow → arguments of its route.
    """

    records: Records = field(default_factory=dict)
    routes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def flows(self) -> FlowSet:
        """Return the flows."""
        return FlowSet(*(FlowRoute(flow, **route) for flow, route in self.routes.items()))

    def update(self, flows: Iterable[str], **arguments: str) -> None:
        """Change arguments of the routes of flows."""
        for flow in flows:
            self.routes[flow].update(arguments)

    def put(self, name: str, kind: str, *texts: str) -> None:
        """Set the records of a name, or take them away."""
        self.records.setdefault(name, {})[kind] = list(texts)

    def zone(self) -> str:
        """Return everything as a zone file."""
        lines = [". 60 IN SOA ns. host. 1 1 1 1 1", ". 60 IN NS ns."]
        for name, kinds in self.records.items():
            for kind, texts in kinds.items():
                lines += [f"{name}. 60 IN {kind} {_as_text(text, kind)}" for text in texts]
        return "\n".join(lines) + "\n"


def _as_text(text: str, kind: str) -> str:
    if kind != "TXT":
        return text if kind in {"A", "AAAA"} else text + "."
    return " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))


def clean(domains: dict[str, str], *, seed: int = 1) -> Setup:
    """Return three flows with all that they need, each with its own.

    Args:
        domains: Flow → From domain.
        seed: Of the keys.
    """
    setup = Setup()
    for number, (flow, domain) in enumerate(domains.items(), 1):
        ip = ADDRESSES[number - 1]
        host, track = f"out.{domain}", f"click.{domain}"
        path = f"bounces.{domain}"
        for name in (domain, path):
            setup.put(name, "MX", f"10 mx.{domain}")
        setup.put(f"mx.{domain}", "A", f"192.0.2.{200 + number}")
        setup.put(path, "TXT", f"v=spf1 ip4:{ip} -all")
        setup.put(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=reject; rua=mailto:reports@{domain}")
        setup.put(f"s{number}._domainkey.{domain}", "TXT", f"v=DKIM1; p={rsa_key(2048, seed=seed + number)}")
        setup.put(host, "A", ip)
        setup.put(track, "A", f"198.51.100.{number}")
        setup.put(ip_address(ip).reverse_pointer, "PTR", host)
        setup.routes[flow] = {
            "domains": domain,
            "source_ips": ip,
            "ehlo": host,
            "dkim_selector": f"s{number}",
            "return_path": path,
            "tracking_host": track,
            "relay": f"smtps://app@relay{number}.example:465",
        }
    return setup


SEPARATE = {
    "professional": "firm.example",
    "marketing": "firm-news.example",
    "transactional": "firm-tx.example",
}
PARTLY = {
    "professional": "firm.example",
    "marketing": "news.firm.example",
    "transactional": "tx.firm.example",
}

Fault = Callable[[Setup], None]


def _spf(text: str) -> Fault:
    return lambda s: s.put("bounces.firm-news.example", "TXT", text)


def _dmarc(text: str) -> Fault:
    return lambda s: s.put("_dmarc.firm-news.example", "TXT", text)


def _key(text: str) -> Fault:
    return lambda s: s.put("s2._domainkey.firm-news.example", "TXT", text)


def _route(**content: Any) -> Fault:
    return lambda s: s.routes["marketing"].update(content)


def _both(*faults: Fault) -> Fault:
    def apply(setup: Setup) -> None:
        for fault in faults:
            fault(setup)

    return apply


def _lookups(setup: Setup) -> None:
    terms = " ".join(f"a:h{n}.firm-news.example" for n in range(11))
    setup.put("bounces.firm-news.example", "TXT", f"v=spf1 ip4:198.51.100.20 {terms} -all")
    for n in range(11):
        setup.put(f"h{n}.firm-news.example", "A", f"203.0.113.{n}")


def _nested_lookups(setup: Setup) -> None:
    """Twelve look-ups, none of them to be seen in the domain's own record."""
    setup.put("bounces.firm-news.example", "TXT", "v=spf1 ip4:198.51.100.20 include:_a.esp.example -all")
    setup.put("_a.esp.example", "TXT", "v=spf1 include:_b.esp.example ~all")
    terms = " ".join(f"a:h{n}.esp.example" for n in range(10))
    setup.put("_b.esp.example", "TXT", f"v=spf1 {terms} ~all")
    for n in range(10):
        setup.put(f"h{n}.esp.example", "A", f"203.0.113.{n}")


def _included_overlap(setup: Setup) -> None:
    """Two flows that include the same provider, by different names."""
    setup.put("bounces.firm-news.example", "TXT", "v=spf1 ip4:198.51.100.20 include:_a.esp.example -all")
    setup.put("bounces.firm-tx.example", "TXT", "v=spf1 ip4:203.0.113.30 include:_b.esp.example -all")
    setup.put("_a.esp.example", "TXT", "v=spf1 ip4:203.0.113.128/25 ~all")
    setup.put("_b.esp.example", "TXT", "v=spf1 ip4:203.0.113.192/26 ~all")


def _many_mail_hosts(setup: Setup) -> None:
    setup.put("bounces.firm-news.example", "TXT", f"{OWN} mx:many.firm-news.example -all")
    setup.put("many.firm-news.example", "MX", *(f"10 m{n}.firm-news.example" for n in range(11)))
    for n in range(11):
        setup.put(f"m{n}.firm-news.example", "A", f"192.0.2.{100 + n}")


def _alias(setup: Setup) -> None:
    del setup.records["mx.firm-news.example"]["A"]
    setup.put("mx.firm-news.example", "CNAME", "mx.firm.example")


def _same_tracking_target(setup: Setup) -> None:
    for host in ("click.firm-news.example", "click.firm-tx.example"):
        del setup.records[host]["A"]
        setup.put(host, "CNAME", "links.esp.example")
    setup.put("links.esp.example", "A", "192.0.2.240")


def _same_key(setup: Setup) -> None:
    setup.records["s2._domainkey.firm-news.example"] = setup.records["s3._domainkey.firm-tx.example"]


def _by_sendgrid(*, key: bool = True, accounts: tuple[str, str] = ("u1111", "u2222")) -> Fault:
    """Two flows sent by one provider, whose selectors and CNAMEs everybody knows."""

    def apply(setup: Setup) -> None:
        for number, flow, account in zip((2, 3), ("marketing", "transactional"), accounts, strict=True):
            route = setup.routes[flow]
            domain = route["domains"]
            route.update(dkim_selector=(), esp="SendGrid", stream=flow, relay="")
            old = setup.records.pop(f"s{number}._domainkey.{domain}")
            target = f"s1.domainkey.{account}.wl001.sendgrid.net"
            setup.put(f"s1._domainkey.{domain}", "CNAME", target)
            if key:
                setup.put(target, "TXT", *old["TXT"])

    return apply


def _same_code(setup: Setup) -> None:
    for flow in ("marketing", "transactional"):
        route = setup.routes[flow]
        route.update(esp="Brevo", stream=flow, relay="")
        setup.put(route["domains"], "TXT", "brevo-code:0123456789abcdef0123456789abcdef")


def _drop(name: str, kind: str) -> Fault:
    def apply(setup: Setup) -> None:
        del setup.records[name][kind]
        if not setup.records[name]:
            del setup.records[name]

    return apply


OWN = "v=spf1 ip4:198.51.100.20"
PTR = ip_address("198.51.100.20").reverse_pointer
RUA = "rua=mailto:r@firm-news.example"
NONE = f"v=DMARC1; p=none; {RUA}"
LONG = "".join(f" ip4:192.0.2.{n}" for n in range(30, 62))
MORE_VOIDS = " ".join(f"a:gone{n}.firm-news.example" for n in range(3))

FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "no SPF": (_drop("bounces.firm-news.example", "TXT"), {"spf-missing"}),
    "two SPF records": (
        lambda s: s.put("bounces.firm-news.example", "TXT", OWN + " -all", OWN + " ~all"),
        {"spf-several"},
    ),
    "malformed SPF": (_spf(OWN + " ipv4:203.0.113.1 -all"), {"spf-malformed"}),
    "a term that stands twice": (_spf(OWN + " ip4:198.51.100.20 -all"), {"spf-duplicate-terms"}),
    "an include that stands twice": (
        _both(
            _spf(OWN + " include:_spf.esp.example include:_spf.esp.example -all"),
            lambda s: s.put("_spf.esp.example", "TXT", "v=spf1 ip4:203.0.113.128/25 -all"),
        ),
        {"spf-duplicate-terms"},
    ),
    "a record of Sender ID": (
        lambda s: s.put("bounces.firm-news.example", "TXT", OWN + " -all", "spf2.0/pra ip4:192.0.2.1 -all"),
        {"spf-lookalike"},
    ),
    "a version that does not exist": (
        _spf("v=spf2 ip4:198.51.100.20 -all"),
        {"spf-lookalike", "spf-missing"},
    ),
    "a DMARC record in the wrong place": (
        lambda s: s.put("firm-news.example", "TXT", f"v=DMARC1; p=reject; {RUA}"),
        {"dmarc-wrong-place"},
    ),
    "a DMARC tag that does not exist": (_dmarc(f"v=DMARC1; p=reject; polcy=none; {RUA}"), {"dmarc-ignored"}),
    "an alignment that does not exist": (_dmarc(f"v=DMARC1; p=reject; adkim=x; {RUA}"), {"dmarc-ignored"}),
    "failure options that do not exist": (_dmarc(f"v=DMARC1; p=reject; fo=7; {RUA}"), {"dmarc-ignored"}),
    "failure options that exclude each other": (
        _dmarc(f"v=DMARC1; p=reject; fo=0:1; {RUA}"),
        {"dmarc-ignored"},
    ),
    "a failure option that stands twice": (_dmarc(f"v=DMARC1; p=reject; fo=d:d; {RUA}"), {"dmarc-ignored"}),
    "one of two addresses without mailto": (
        _dmarc(f"v=DMARC1; p=reject; {RUA},reports@firm-news.example"),
        {"dmarc-ignored"},
    ),
    "failure reports to an address without mailto": (
        _dmarc(f"v=DMARC1; p=reject; {RUA}; ruf=reports@firm-news.example"),
        {"dmarc-ignored"},
    ),
    "an address that is no URI": (
        _dmarc("v=DMARC1; p=reject; rua=mailto:a#b#c@firm-news.example"),
        {"dmarc-invalid-reports"},
    ),
    "a DMARC record that begins with a space": (_dmarc(f" v=DMARC1; p=reject; {RUA}"), {"dmarc-malformed"}),
    "a token pasted behind all": (_spf(OWN + " -all MS=83859DAEBD"), {"spf-ignored-terms"}),
    "a DMARC tag that stands twice": (_dmarc(f"v=DMARC1; p=reject; p=none; {RUA}"), {"dmarc-malformed"}),
    "a policy that does not come first": (_dmarc(f"v=DMARC1; {RUA}; p=reject"), {"dmarc-tag-order"}),
    "a limit on the size of reports": (_dmarc(f"v=DMARC1; p=reject; {RUA}!10m"), {"dmarc-size-limit"}),
    "reports to three": (
        _dmarc(f"v=DMARC1; p=reject; {RUA},mailto:s@firm-news.example,mailto:t@firm-news.example"),
        {"dmarc-many-targets"},
    ),
    "other texts beside DMARC": (
        lambda s: s.put("_dmarc.firm-news.example", "TXT", f"v=DMARC1; p=reject; {RUA}", "site-check=1"),
        {"dmarc-stray-text"},
    ),
    "one mail host twice": (
        lambda s: s.put("firm-news.example", "MX", "10 mx.firm-news.example", "20 mx.firm-news.example"),
        {"dns-mx-twice"},
    ),
    "strings joined without a space": (_spf(OWN + "include:_spf.esp.example -all"), {"spf-joined-strings"}),
    "an ending joined without a space": (_spf(OWN + " mx-all"), {"spf-joined-strings"}),
    "open sub-domains": (_dmarc(f"v=DMARC1; p=reject; sp=none; {RUA}"), {"dmarc-open-subdomains"}),
    "open names that do not exist": (
        _dmarc(f"v=DMARC1; p=reject; np=none; {RUA}"),
        {"dmarc-open-subdomains"},
    ),
    "a domain that says it is a registry": (
        _dmarc(f"v=DMARC1; p=reject; psd=y; {RUA}"),
        {"dmarc-public-suffix", "dmarc-spf-misaligned"},
    ),
    "a provider's key that is gone": (_by_sendgrid(key=False), {"dkim-unknown-selector"}),
    "one account with a provider": (
        _by_sendgrid(accounts=("u1111", "u1111")),
        {"shared-account", "shared-dkim-key"},
    ),
    "one code of a provider": (_same_code, {"shared-account"}),
    "11 look-ups": (_lookups, {"spf-too-many-lookups"}),
    "12 look-ups in includes": (_nested_lookups, {"spf-too-many-lookups"}),
    "includes in a circle": (_spf(OWN + " include:bounces.firm-news.example -all"), {"spf-broken-include"}),
    "include without a record": (_spf(OWN + " include:gone.example -all"), {"spf-broken-include"}),
    "one void look-up": (_spf(OWN + " a:gone.firm-news.example -all"), {"spf-void"}),
    "three void look-ups": (_spf(f"{OWN} {MORE_VOIDS} -all"), {"spf-too-many-voids"}),
    "+all": (_spf(OWN + " +all"), {"spf-pass-all"}),
    "?all": (_spf(OWN + " ?all"), {"spf-neutral-all"}),
    "no all": (_spf(OWN), {"spf-no-all"}),
    "a very large network": (_spf(OWN + " ip4:10.0.0.0/8 -all"), {"spf-too-wide"}),
    "ptr": (_spf(OWN + " ptr -all"), {"spf-ptr"}),
    "own address refused": (_spf("v=spf1 ip4:198.51.100.21 -all"), {"spf-source-refused"}),
    "no key": (_drop("s2._domainkey.firm-news.example", "TXT"), {"dkim-missing"}),
    "two keys": (
        lambda s: s.put("s2._domainkey.firm-news.example", "TXT", "v=DKIM1; p=AAAA", "v=DKIM1; p=BBBB"),
        {"dkim-several"},
    ),
    "a key that was cut": (_key("v=DKIM1; p=" + rsa_key(2048)[:200]), {"dkim-malformed"}),
    "a revoked key": (_key("v=DKIM1; p="), {"dkim-revoked"}),
    "a key of 768 bits": (_key("v=DKIM1; p=" + rsa_key(768)), {"dkim-short-key"}),
    "a key of 1024 bits": (_key("v=DKIM1; p=" + rsa_key(1024)), {"dkim-weak-key"}),
    "a test key": (_key("v=DKIM1; t=y; p=" + rsa_key(2048, seed=9)), {"dkim-testing"}),
    "sha1 only": (_key("v=DKIM1; h=sha1; p=" + rsa_key(2048, seed=9)), {"dkim-sha1"}),
    "no selector": (_route(dkim_selector=()), {"dkim-no-selector"}),
    "no DMARC": (_drop("_dmarc.firm-news.example", "TXT"), {"dmarc-missing"}),
    "two DMARC records": (
        lambda s: s.put(
            "_dmarc.firm-news.example", "TXT", f"v=DMARC1; p=none; {RUA}", f"v=DMARC1; p=reject; {RUA}"
        ),
        {"dmarc-several"},
    ),
    "malformed DMARC": (_dmarc(f"v=DMARC1; p=block; {RUA}"), {"dmarc-malformed"}),
    "p=none": (_dmarc(f"v=DMARC1; p=none; {RUA}"), {"dmarc-policy-none"}),
    "no rua": (_dmarc("v=DMARC1; p=reject"), {"dmarc-no-reports"}),
    "pct": (_dmarc(f"v=DMARC1; p=reject; pct=50; {RUA}"), {"dmarc-removed-tag"}),
    "t=y": (_dmarc(f"v=DMARC1; p=reject; t=y; {RUA}"), {"dmarc-testing"}),
    "reports to who did not agree": (
        _both(
            _dmarc("v=DMARC1; p=reject; rua=mailto:a@dmarc.example"),
            lambda s: s.put("dmarc.example", "MX", "10 mx.firm.example"),
        ),
        {"dmarc-report-refused"},
    ),
    "foreign return-path": (
        _both(
            _route(return_path="bounces.esp.example"),
            lambda s: s.put("bounces.esp.example", "TXT", OWN + " -all"),
            lambda s: s.put("bounces.esp.example", "MX", "10 mx.esp.example"),
            lambda s: s.put("mx.esp.example", "A", "192.0.2.250"),
        ),
        {"dmarc-spf-misaligned"},
    ),
    "foreign signature": (
        _both(
            _route(dkim_domain="esp.example"),
            lambda s: s.put("s2._domainkey.esp.example", "TXT", "v=DKIM1; p=" + rsa_key(2048, seed=9)),
        ),
        {"dmarc-dkim-misaligned"},
    ),
    "strict alignment": (_dmarc(f"v=DMARC1; p=reject; aspf=s; {RUA}"), {"dmarc-spf-misaligned"}),
    "no MX on From": (_drop("firm-news.example", "MX"), {"dns-no-mx"}),
    "null MX on From": (lambda s: s.put("firm-news.example", "MX", "0 "), {"dns-no-mx"}),
    "no MX on the return-path": (_drop("bounces.firm-news.example", "MX"), {"dns-no-return-mx"}),
    "no PTR": (_drop(PTR, "PTR"), {"dns-no-ptr"}),
    "PTR that leads elsewhere": (
        lambda s: s.put(PTR, "PTR", "host7.provider.example"),
        {"dns-ptr-unconfirmed"},
    ),
    "another name in EHLO": (
        _both(
            _route(ehlo="mailer.firm-news.example"),
            lambda s: s.put("mailer.firm-news.example", "A", "198.51.100.20"),
        ),
        {"dns-ehlo-mismatch"},
    ),
    "EHLO that leads elsewhere": (
        _both(
            lambda s: s.put(PTR, "PTR", "out.firm-news.example", "alias.firm-news.example"),
            lambda s: s.put("out.firm-news.example", "A", "203.0.113.9"),
            lambda s: s.put("alias.firm-news.example", "A", "198.51.100.20"),
        ),
        {"dns-ehlo-address"},
    ),
    "dead tracking host": (_drop("click.firm-news.example", "A"), {"dns-no-tracking-host"}),
    "a domain that does not exist": (
        _both(_drop("firm-news.example", "MX"), _route(domains="firm-nws.example")),
        {"dns-no-domain", "dmarc-missing", "dkim-missing"},
    ),
    "a name server that is down": (
        _route(tracking_host="servfail-click.firm-news.example"),
        {"dns-unanswered"},
    ),
    "a term behind all": (_spf(OWN + " -all include:_spf.esp.example"), {"spf-ignored-terms"}),
    "a redirect beside all": (_spf(OWN + " redirect=_spf.esp.example ~all"), {"spf-ignored-terms"}),
    "an MX term with eleven hosts": (_many_mail_hosts, {"spf-too-many-mail-hosts"}),
    "a record of 500 bytes": (_spf(OWN + LONG + " -all"), {"spf-too-long"}),
    "a key for chat": (
        _key("v=DKIM1; s=xmpp; p=" + rsa_key(2048, seed=9)),
        {"dkim-not-for-mail"},
    ),
    "a provider without a selector": (
        _route(dkim_selector=(), esp="Postmark", stream="broadcast", relay=""),
        {"dkim-unknown-selector"},
    ),
    "reports to a web page": (
        _dmarc("v=DMARC1; p=reject; rua=https://example.org"),
        {"dmarc-invalid-reports"},
    ),
    "reports to a domain without mail": (
        _dmarc("v=DMARC1; p=reject; rua=mailto:r@silent.firm-news.example"),
        {"dmarc-dead-reports"},
    ),
    "failure reports to who did not agree": (
        _both(
            _dmarc(f"v=DMARC1; p=reject; {RUA}; ruf=mailto:f@dmarc.example"),
            lambda s: s.put("dmarc.example", "MX", "10 mx.firm.example"),
        ),
        {"dmarc-report-refused"},
    ),
    "an alias as mail host": (
        _alias,
        {"dns-mx-alias"},
    ),
    "a mail host that is gone": (_drop("mx.firm-news.example", "A"), {"dns-mx-dead"}),
    "a reverse name like a dial-up line's": (
        _both(
            lambda s: s.put(PTR, "PTR", "198-51-100-20.pool.isp.example", "out.firm-news.example"),
            lambda s: s.put("198-51-100-20.pool.isp.example", "A", "198.51.100.20"),
        ),
        {"dns-generic-ptr"},
    ),
    "a private source address": (
        _both(_route(source_ips="10.1.2.3", ehlo=""), _spf("v=spf1 ip4:10.1.2.3 -all")),
        {"dns-private-source"},
    ),
    "addresses of one network": (
        _both(
            _route(source_ips="203.0.113.31", ehlo=""),
            _spf("v=spf1 ip4:203.0.113.31 -all"),
            lambda s: s.put(ip_address("203.0.113.31").reverse_pointer, "PTR", "two.firm-news.example"),
            lambda s: s.put("two.firm-news.example", "A", "203.0.113.31"),
        ),
        {"shared-network"},
    ),
    "one host behind both tracking names": (_same_tracking_target, {"shared-tracking-target"}),
    "same source address": (
        _both(_route(source_ips="203.0.113.30", ehlo=""), _spf("v=spf1 ip4:203.0.113.30 -all")),
        {"shared-source-ip", "shared-spf-networks"},
    ),
    "overlap behind includes": (_included_overlap, {"shared-spf-networks"}),
    "same return-path": (
        _both(
            _route(return_path="bounces.firm-tx.example", source_ips=(), ehlo=""),
        ),
        {"shared-return-path", "dmarc-spf-misaligned"},
    ),
    "same key, other name": (_same_key, {"shared-dkim-key"}),
    "same key record": (
        _route(dkim_domain="firm-tx.example", dkim_selector="s3"),
        {"shared-dkim-selector", "dmarc-dkim-misaligned"},
    ),
    "same tracking host": (_route(tracking_host="click.firm-tx.example"), {"shared-tracking-host"}),
    "same name in EHLO": (
        _both(_route(source_ips=(), ehlo="out.firm-tx.example")),
        {"shared-ehlo"},
    ),
    "same relay": (_route(relay="smtps://app@relay3.example:465"), {"shared-relay"}),
    "same List-Id": (
        lambda s: s.update(("marketing", "transactional"), list_id="a.firm.example"),
        {"shared-list-id"},
    ),
    "same stream": (
        lambda s: s.update(("marketing", "transactional"), relay="", esp="Postmark"),
        {"shared-stream"},
    ),
}
"""What is broken → how, and the codes that must be found: these and no others."""
