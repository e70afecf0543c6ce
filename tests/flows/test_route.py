"""Routes and flow sets: what contradicts itself is said at once, with what to write instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Flow, Message
from mailflows.flows import FlowRoute, FlowSet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"domains": ()}, "domains"),
        ({"domains": "a@example.org"}, "domains"),
        ({"domains": "localhost"}, "domains"),
        ({"domains": 7}, "domains"),
        ({"domains": "example.org", "source_ips": "192.0.2"}, "source_ips"),
        ({"domains": "example.org", "dkim_selector": "-x"}, "dkim_selector"),
        ({"domains": "example.org", "relay": "relay.example"}, "relay"),
        ({"domains": "example.org", "relay": "smtps://u:hush@relay.example"}, "relay"),
        ({"domains": "https://example.org/"}, "domains"),
        ({"domains": "example.org", "relay": "smtp://r.example:99999"}, "relay"),
        ({"domains": "example.org", "esp": "Postmrk"}, "esp"),
        ({"domains": "example.org", "esp": "Postmark", "ip_pool": "one"}, "ip_pool"),
        ({"domains": "example.org", "tls": "verfy"}, "tls"),
        ({"domains": "example.org", "tls_ca": "ca.pem"}, "tls_ca"),
        ({"domains": "example.org", "dry_run": "yes"}, "dry_run"),
        ({"domains": "example.org", "account_may_send": ["ada"]}, "account_may_send"),
        ({"domains": "example.org", "account_may_send": {"ada": "ada"}}, "account_may_send"),
        ({"domains": "example.org", "stream": "broadcast"}, "stream"),
        ({"domains": "example.org", "password_env": "P"}, "relay"),
        ({"domains": "example.org", "relay": "smtp://r.example", "password": "hush"}, "password"),
        ({"domains": "example.org", "relay": "smtp://r.example", "password_env": "not one"}, "password_env"),
    ],
)
def test_a_wrong_field_is_named(content: dict[str, Any], field: str) -> None:
    """The error names the field, and never repeats a password."""
    with pytest.raises(ConfigurationError) as caught:
        FlowRoute("marketing", **content)
    assert caught.value.field == field
    assert "hush" not in str(caught.value)


def test_an_unknown_flow_has_a_suggestion() -> None:
    """A misspelt flow is told the right word."""
    with pytest.raises(ConfigurationError, match="did you mean marketing"):
        FlowRoute("marketting", domains="example.org")


def test_a_route_takes_its_relay_apart() -> None:
    """Host, port, TLS and name of a relay are there; the password is fetched when it is asked for."""
    route = FlowRoute(
        "marketing", domains="example.org", relay="smtps://us%40er@relay.example", password=lambda: "hush"
    )
    server = route.server
    assert server is not None
    assert (server.host, server.port, server.is_tls, server.username) == (
        "relay.example",
        465,
        True,
        "us@er",
    )
    assert route.secret() == "hush"
    assert "hush" not in repr(route)
    assert "password" not in route.to_dict()


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is read when the password is needed, and its absence is said."""
    variable = "RELAY_SECRET"
    route = FlowRoute("marketing", domains="example.org", relay="smtp://r.example", password_env=variable)
    with pytest.raises(ConfigurationError, match=variable):
        route.secret()
    monkeypatch.setenv(variable, "hush")
    assert route.secret() == "hush"


def test_names_are_a_labels() -> None:
    """A domain with letters outside ASCII is written as the DNS has it."""
    assert FlowRoute("marketing", domains="Bücher.example.").domains == ("xn--bcher-kva.example",)


def test_two_flows_with_one_from_are_refused() -> None:
    """The same From domain on two flows is a contradiction, with a way out."""
    with pytest.raises(ConfigurationError, match=r"news\.example\.org"):
        FlowSet(
            FlowRoute("professional", domains="example.org"), FlowRoute("marketing", domains="example.org")
        )


def test_two_routes_of_a_flow_are_refused() -> None:
    """A flow has one road."""
    with pytest.raises(ConfigurationError, match="two routes"):
        FlowSet(FlowRoute("marketing", domains="a.example"), FlowRoute("marketing", domains="b.example"))


@pytest.mark.parametrize("routes", [(), ("flows.toml",)])
def test_a_set_is_of_routes(routes: tuple[Any, ...]) -> None:
    """An empty set, and what is no route, are refused."""
    with pytest.raises(ConfigurationError):
        FlowSet(*routes)


def test_routes_are_had_by_flow_and_domain() -> None:
    """A set gives a route by its flow, its name and its From domain; subdomains are others."""
    flows = FlowSet(FlowRoute("marketing", domains=["news.example.org", "offers.example.org"]))
    assert flows["marketing"] is flows[Flow.MARKETING] is flows.of_domain("Offers.example.org")
    assert flows.of_domain("x.news.example.org") is None
    assert flows.get("transactional") is None
    assert (len(flows), Flow.MARKETING in flows, Flow.TRANSACTIONAL in flows) == (1, True, False)


GOOD = """
[flows.marketing]
domains = ["news.example.org"]
source_ips = "192.0.2.20"
relay = "smtps://app@relay.example"
password_env = "RELAY_SECRET"

[flows.transactional]
domains = "notify.example.org"

[gate]
anything = "of another part"
"""


def test_flows_are_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has a table for each flow; tables of other parts are left to them."""
    monkeypatch.setenv("RELAY_SECRET", "hush")
    path = tmp_path / "flows.toml"
    path.write_text(GOOD, "utf-8")
    flows = FlowSet.from_toml(path)
    assert [route.flow for route in flows] == ["marketing", "transactional"]
    assert flows["marketing"].source_ips == ("192.0.2.20",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[flows.marketing]\ndomian = 'a.example'",
            "line 2: flows.marketing: unknown key domian: did you mean domains?",
        ),
        ("[flows.marketing]\nrelay = 'smtp://r.example'", "line 1: flows.marketing: domains is missing"),
        ("[flows.marketing]\ndomains = 'a.example'\nsource_ips = 'x'", "line 3: flows.marketing: source_ips"),
        (
            "[flows.marketing]\ndomains='a.example'\npassword='hush'",
            "line 3: flows.marketing: a password",
        ),
        ("[flows.markting]\ndomains = 'a.example'", "did you mean marketing?"),
        ("[marketing]\ndomains = 'a.example'", "line 1: unknown table [marketing]: write [flows.marketing]"),
        ("[flow.marketing]\ndomains = 'a.example'", "line 1: unknown table [flow]: did you mean flows?"),
        (
            "[flows.marketing]\ndomains = 'https://a.example/news'",
            "line 2: flows.marketing: domains must be a domain, not a URL: write 'a.example'",
        ),
        (
            "[flows.marketing]\ndomains = 'a.example'\nrelay = 'smtp://r.example:0'",
            "line 3: flows.marketing: relay: the port must be a number from 1 to 65535",
        ),
        (
            "[flows.marketing]\ndomains = 'a.example'\nesp = 'Postmrk'",
            "3: flows.marketing: esp: 'Postmrk' is not in our table of providers: did you mean postmark?",
        ),
        (
            "[flows.marketing]\ndomains = 'a.example'\nrelay = 'smtp://r.example'\npassword_env = 'NOT_SET'",
            "line 4: flows.marketing: password_env: the environment has no variable NOT_SET",
        ),
        ("\ufeff[flows.marketing]\ndomains = 'a.example'", "line 1: it begins with a byte order mark"),
        ("x = 1\ny = " + "[" * 5000, "line 2: brackets are nested too deeply"),
        ("flows = 3", "no flows are declared"),
        ("[flows]\nmarketing = 3", "expected a table"),
        ("[flows.marketing", "flows.toml: "),
        (
            "[flows.marketing]\ndomains='a.example'\n[flows.transactional]\ndomains='a.example'",
            "a.example is the From domain of both marketing and transactional",
        ),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, told: str) -> None:
    """The error names the file, the line where it can be told, and what to write instead."""
    path = tmp_path / "flows.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        FlowSet.from_toml(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_file_in_another_encoding_is_explained(tmp_path: Path) -> None:
    """A file of an old editor is no crash, and the line with the first foreign byte is named."""
    path = tmp_path / "flows.toml"
    path.write_bytes("[flows.marketing]\n# Bücher\ndomains = 'a.example'".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="line 2: it is not UTF-8: save it as UTF-8"):
        FlowSet.from_toml(path)


@pytest.mark.parametrize(
    ("esp", "headers", "fields"),
    [
        ("postmark", {"X-PM-Message-Stream": "news"}, {"MessageStream": "news"}),
        ("AWS SES", {"X-SES-CONFIGURATION-SET": "news"}, {"ConfigurationSetName": "news"}),
        (
            "Mandrill",
            {"X-MC-Subaccount": "news", "X-MC-IpPool": "one"},
            {"message": {"subaccount": "news"}, "ip_pool": "one"},
        ),
        (
            "SendGrid",
            {"X-SMTPAPI": '{"category": ["news"], "ip_pool": "one"}'},
            {"categories": ["news"], "ip_pool_name": "one"},
        ),
        (
            "brevo",
            {"X-Mailin-Tag": "news", "X-Mailin-IP": "one"},
            {"tags": ["news"], "headers": {"sender.ip": "one"}},
        ),
        ("Dolist", {}, {}),
    ],
)
def test_a_provider_is_told_the_stream(esp: str, headers: dict[str, str], fields: dict[str, Any]) -> None:
    """Over SMTP by its own header field, in its API by its own key, beside a relay or without one."""
    pool = "one" if "one" in str(headers) else ""
    route = FlowRoute(
        "marketing", domains="a.example", esp=esp, stream="news", ip_pool=pool, relay="smtp://r.example"
    )
    assert (route.headers(), route.api_fields()) == (headers, fields)


def test_other_keys_of_a_json_field_stay() -> None:
    """What the application tells SendGrid about a message is not lost."""
    route = FlowRoute("marketing", domains="a.example", esp="SendGrid", stream="news")
    message = Message.read(b'From: a@a.example\nX-SMTPAPI: {"unique_args": {"order": "7"}}\n\nx')
    assert json.loads(route.headers(message)["X-SMTPAPI"]) == {
        "unique_args": {"order": "7"},
        "category": ["news"],
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("no-reply@a.example", "no-reply@b.a.example"),
        ("b1.xyz@b.a.example", "b1.xyz@b.a.example"),
        ("", ""),
    ],
)
def test_the_return_path_is_applied(given: str, sent: str) -> None:
    """Mail leaves with the domain that was declared for bounces; VERP and the null sender stay."""
    route = FlowRoute("marketing", domains="a.example", return_path="b.a.example")
    assert route.mail_from(given) == sent
    assert FlowRoute("marketing", domains="a.example").mail_from(given) == given


def test_accounts_have_addresses_of_their_own() -> None:
    """A table or a function says what an account may write into From; without one nobody knows."""
    table = FlowRoute(
        "professional", domains="a.example", account_may_send={"ada": ["Ada@a.example", "@team.a.example"]}
    )
    assert [
        table.may_send(*pair)
        for pair in [("ada", "ada@A.example"), ("ada", "x@team.a.example"), ("eve", "ada@a.example")]
    ] == [True, True, False]
    function = FlowRoute(
        "professional", domains="a.example", account_may_send=lambda who, what: what.startswith(who)
    )
    assert function.may_send("eve", "ada@a.example") is False
    assert FlowRoute("professional", domains="a.example").may_send("eve", "ada@a.example") is None
