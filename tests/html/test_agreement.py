"""Two readings of HTML, one law: the scan and the tree find the same links."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailflows._html.scan import scan, seen, unescaped
from mailflows._html.tree import Text, parse, walk
from shared_cases import cases

LINK = '<a href="http://a.example/">see</a>'
SNIPPETS = [
    LINK,
    f"<!-- x --!>{LINK}",
    f"<!-- {LINK} -->",
    f"<svg><style></svg>{LINK}",
    *(f"<{name}>{LINK}</{name}>" for name in "textarea title xmp iframe noembed noscript styled".split()),
    f"<plaintext>{LINK}",
    f"<!foo {LINK}",
    f"<?x {LINK}",
    '<a title="a>b" href="http://a.example/">see</a>',
    "<a title='a>b' href='http://a.example/'>see</a>",
    '<a data-x="<b>" href="http://a.example/">see</a>',
    '<a href="http://a.example/',
    '<p>x</p><a href="http://a.example/>see</a>',
    '<svg><a xlink:href="http://a.example/">see</a></svg>',
]


def links_of_tree(html: str) -> list[str]:
    """Return the targets that the tree finds."""
    found = [e.get("href").strip() for e in parse(html).elements if e.name in {"a", "area"}]
    return [href for href in found if href]


@pytest.mark.parametrize("html", SNIPPETS)
def test_scan_and_tree_find_the_same_links(html: str) -> None:
    """Also in comments, raw text and half a tag, which a browser takes for no link."""
    assert [link.href for link in scan(html).links] == links_of_tree(html)


def test_outside_snippets() -> None:
    """The same holds for the outside cases."""
    for row in map(json.loads, cases("message-2/links.jsonl").splitlines()):
        assert [link.href for link in scan(row["html"]).links] == links_of_tree(row["html"]), row["id"]


def text_of_tree(html: str) -> str:
    """Return the words that the tree shows: no comments, no styles, and nothing that is kept out of sight."""
    hidden = {"style", "script", "title", "iframe", "noembed", "noframes"}
    shown = [
        node.raw
        for node in walk(parse(html).root)
        if isinstance(node, Text) and node.parent.name not in hidden
    ]
    return "".join(seen(unescaped("".join(shown))).split())


PIECES = [
    *("<p>", "</p>", "<b>", "</b>", "<br>", "<td>", "<a href='x'>", "</a>", "<!-- h -->", "<!-- <b>", "-->"),
    *(
        "<style>p{}</style>",
        "<script>1<2</script>",
        "<title>t</title>",
        "<textarea>",
        "</textarea>",
        "<img alt=x>",
    ),
    *(
        "<",
        "< ",
        "<3",
        ">",
        "&lt;",
        "&amp;",
        "&nbsp;",
        "1",
        "2 ",
        "\n",
        "\u200b",
        '<i title="a>b">',
        "<!doctype html>",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("1 < 2<3")
@example("<!-- <b>one")
def test_scan_and_tree_show_the_same_text(html: str) -> None:
    """Whatever stands side by side, what a browser shows is in both, and nothing else."""
    assert "".join(scan(html).text.split()) == text_of_tree(html)
