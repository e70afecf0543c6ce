"""Routes and flow sets: what contradicts itself is said at once, with what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Flow
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
        ({"domains": "example.org", "relay": "smtp://r.example", "esp": "Postmark"}, "esp"),
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
    """A set gives a route by its flow, its name and its From domain; sub-domains are others."""
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


def test_flows_are_read_from_a_file(tmp_path: Path) -> None:
    """A file has a table for each flow; tables of other parts are left to them."""
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
        ("[marketing]\ndomains = 'a.example'", "unknown table [marketing]: write [flows.marketing]"),
        ("[flow.marketing]\ndomains = 'a.example'", "unknown table [flow]: did you mean flows?"),
        ("flows = 3", "there is no flow"),
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
