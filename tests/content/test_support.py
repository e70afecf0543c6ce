"""Client support: every feature of the table can be found in a page, and is named with its date."""

from __future__ import annotations

import json
import re

import pytest

from mailflows import ConfigurationError, _data
from mailflows.content import LintReport, lint, lint_html
from mailflows.content._support import clients_named, data_date
from shared_cases import cases

FEATURES = {line.split()[0]: line.split()[1:] for line in _data.read_sections("content/features.txt")[""]}
TABLE = json.loads(_data.read("content/caniemail.json"))
LIMITED = {slug for slug, _, _, support in TABLE["features"] if not set("na").isdisjoint(support)}

OTHER = {
    "amp": "<html ⚡4email><p>x",
    "anchor-link": "<a href='#here'>x</a>",
    "mailto": "<a href='mailto:a@example.org'>x</a>",
    "doctype": "<!doctype html><p>x",
    "html-comment": "<!-- a note --><p>x",
    "css-comment": "<style>/* a note */ p { color: red }</style>",
    "important": "<p style='color: red !important'>x",
    "nesting": "<style>p { b { color: red } }</style>",
    "custom-property": "<p style='--a: 1px'>x",
    "meta-color-scheme": "<meta name=color-scheme content=light>",
}
SELECTORS = {
    "adjacent-sibling": "p + b",
    "attribute": "[lang]",
    "chaining": ".a.b",
    "child": "p > b",
    "class": ".a",
    "descendant": "p b",
    "general-sibling": "p ~ b",
    "grouping": "p, b",
    "id": "#a",
    "type": "p",
    "universal": "*",
}
MEDIA = {"device-pixel-ratio": "-webkit-min-device-pixel-ratio: 2", "orientation": "orientation: portrait"}
AT_RULES = {
    "media": "@media (hover: hover) { p { color: red } }",
    "font-face": "@font-face { src: url(a.woff) }",
    "import": "@import url(a.css);",
    "keyframes": "@keyframes a { from { color: red } }",
    "supports": "@supports (color: red) { p { color: red } }",
}


def page_of(token: str) -> str:
    """Return a page that shows a feature in the simplest way."""
    kind, _, name = token.partition(":")
    css = {
        "property": f"p {{ {name}: 1px }}",
        "value": f"p {{ {name} }}",
        "function": f"p {{ width: {name}(1px) }}",
        "unit": f"p {{ width: 2{name} }}",
        "keyword": f"p {{ width: {name} }}",
        "pseudo": f"p:{name} {{ color: red }}",
        "selector": f"{SELECTORS.get(name)} {{ color: red }}",
        "media": f"@media ({MEDIA.get(name, name)}) {{ p {{ color: red }} }}",
        "at": AT_RULES.get(name, ""),
    }
    html = {
        "element": f"<{name} rel=stylesheet>x</{name}>",
        "attribute": f"<p {name}=x>x</p>",
        "image": f"<img src='https://example.org/a.{name}'>",
        "input": f"<button type={name[7:]}>" if name.startswith("button-") else f"<input type={name}>",
        "other": OTHER.get(name, ""),
    }
    return f"<style>{css[kind]}</style>" if kind in css else html[kind]


def named(report: LintReport) -> set[str]:
    """Return the features that a report names."""
    return {word.partition(":")[0] for finding in report for word in finding.evidence}


SHOWN = [(slug, token) for slug, tokens in FEATURES.items() for token in tokens if slug in LIMITED]


@pytest.mark.parametrize(
    ("slug", "token"), [pair for pair in SHOWN if not pair[1].startswith(("header:", "image:base64"))]
)
def test_a_feature_is_named_where_it_is_used(slug: str, token: str) -> None:
    """Every feature that some client lacks, in every way in which it can be written."""
    assert slug in named(lint_html(page_of(token), clients="all"))


def test_features_outside_of_the_page_are_named() -> None:
    """A header, and an image that is in the page itself."""
    image = "<img src='data:image/png;base64,AAAA'>"
    assert "image-base64" in named(lint_html(image, clients="all"))
    raw = b"From: a@example.org\nBIMI-Selector: v=BIMI1; s=a\nContent-Type: text/html\n\n<p>x"
    assert "bimi" in named(lint(raw, clients="all"))


def test_every_feature_of_the_table_can_be_recognised() -> None:
    """The list of tokens and the table hold the same features."""
    assert set(FEATURES) == {row[0] for row in TABLE["features"]}


def test_what_nobody_tested_is_not_unsupported() -> None:
    """A page of plain paragraphs gets no finding, though not every client was tested with them."""
    report = lint_html("<p>text</p>", clients="all")
    assert [f.code for f in report if f.code.endswith("unsupported")] == []


def test_a_feature_is_named_with_the_day_of_its_test() -> None:
    """Data of that kind grow old."""
    report = lint_html("<p style='gap: 1px'>x</p>")
    evidence = next(f.evidence for f in report if f.code == "css-unsupported")
    assert re.search(r"css-gap: .*\(tested 20\d\d-\d\d-\d\d\)", evidence[0])


@pytest.mark.parametrize(
    "html",
    [
        "<img src='https://example.org/a.gif'>",
        "<link rel=stylesheet href='https://fonts.example/css?family=Lato'>",
        "<link rel='shortcut icon' href='/favicon.ico'>",
    ],
)
def test_what_nobody_can_write_in_another_way_is_not_told(html: str) -> None:
    """A GIF whose first frame is shown, and a font that falls back, are as good as they get."""
    assert [f.code for f in lint_html(html) if f.code.endswith("unsupported")] == []


def test_a_linked_style_sheet_is_told() -> None:
    """Its rules can be written into the page."""
    assert "html-link" in named(lint_html("<link rel=stylesheet href='https://example.org/a.css'>"))


def test_the_layout_is_not_lost_by_what_a_condition_adds() -> None:
    """An enhancement inside a media query is no fault."""
    css = "<style>@media (min-width: 600px) { p { display: grid } }</style>"
    assert "layout-unsupported" not in lint_html(f"{css}<p>x</p>")


@pytest.mark.parametrize("client", clients_named("all"))
def test_every_client_can_be_asked_about(client: str) -> None:
    """Alone; a finding about clients names this one, and nobody else."""
    report = lint_html("<p style='display: grid'>x</p><video></video>", clients=client)
    named = [finding.clients for finding in report if finding.code.endswith("-unsupported")]
    assert named == [(client,)] * len(named)


def test_clients_can_be_named_by_family() -> None:
    """A family is all its platforms."""
    assert clients_named(["outlook/ios", "gmail"])[0] == "outlook/ios"
    assert len(clients_named("gmail")) == 4
    assert clients_named("*") == clients_named("all")


def test_an_unknown_client_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(ConfigurationError, match="samsung-email"):
        clients_named(["lotus-notes"])


def test_the_table_says_where_it_is_from() -> None:
    """Source, licence and day stand in the file."""
    assert TABLE["date"] == data_date()
    assert "MIT" in TABLE["licence"]


EXPECTED = "content/caniemail/expected.json"


def test_the_features_of_outside_pages_are_named() -> None:
    """At least 98 % of those that pages were written to show."""
    hits = []
    for page, features in json.loads(cases(EXPECTED)).items():
        found = named(lint_html(cases(f"content/caniemail/{page}"), clients="all"))
        wanted = [f["slug"] for f in features if f["not_fully_supported_in_22_main_clients"]]
        hits += [slug in found for slug in wanted]
    assert sum(hits) >= 0.98 * len(hits)
