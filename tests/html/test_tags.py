"""Tags and the places of their attributes' values, in any source."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows._html.tags import attribute_value, tags

PIECES = st.lists(
    st.sampled_from(
        ["<a ", "href=", '"', "'", ">", "<!--", "-->", "<style>", "</style>", "=", " ", "/", "x", "&"]
    )
)
HOSTILE = ('<a b="', "<a b='", "<a =", "<!--", "<a \t", '<a b= "c"d', "<style>", '<a b=c"', "<", "<a\n=\"'")


def values(source: str) -> list[tuple[str, str, str]]:
    """Return tag, attribute and value of all that is found."""
    return [(tag.name, a.name, a.value) for tag in tags(source) for a in tag.attributes]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<A HREF="x">', [("a", "href", "x")]),
        ("<a href='x\"y'>", [("a", "href", 'x"y')]),
        ("<a href=x/y?a=b&c>", [("a", "href", "x/y?a=b&c")]),
        ('<a  href = \n"x" id>', [("a", "href", "x"), ("a", "id", "")]),
        ('<a title="1 > 0" href="x">', [("a", "title", "1 > 0"), ("a", "href", "x")]),
        ('<a href="x"id="y"/>', [("a", "href", "x"), ("a", "id", "y")]),
        ('<a "stray" href="x">', [("a", "stray", ""), ("a", "href", "x")]),
        ('<!--[if mso]><a href="x"><![endif]--><a href="y">', [("a", "href", "y")]),
        ('<!--[if !mso]><!--><a href="x"><!--<![endif]-->', [("a", "href", "x")]),
        ('<!--><a href="x">', [("a", "href", "x")]),
        ("<script>'<a href=x>'</script><a href=y>", [("a", "href", "y")]),
        ("<style><a href=x>", []),
        ("<title><a href=x></title>", []),
        ('1 < 2 <a href="x">', [("a", "href", "x")]),
    ],
)
def test_values(source: str, expected: list[tuple[str, str, str]]) -> None:
    """Values are found as a browser finds them; comments, scripts and styles have none."""
    assert values(source) == expected


@pytest.mark.property
@given(PIECES)
def test_offsets_point_at_values(pieces: list[str]) -> None:
    """What stands at the offsets is the value; tags come in order and do not overlap."""
    source = "".join(pieces)
    position = 0
    for tag in tags(source):
        assert tag.start >= position
        position = tag.end
        assert [source[a.start : a.end] for a in tag.attributes] == [a.value for a in tag.attributes]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_sources_take_linear_time(piece: str) -> None:
    """A hundred thousand broken tags are read at once."""
    start = time.process_time()
    list(tags(piece * 100_000))
    assert time.process_time() - start < 10


def test_the_first_of_two_attributes_counts() -> None:
    """A browser keeps the first of two attributes of one name."""
    tag = next(tags("<a href=x href=y>"))
    found = tag.get("href")
    assert (found and found.value, tag.get("id")) == ("x", None)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a&amp;b", "a&b"),
        ("?a&copy=1", "?a&copy=1"),
        ("&#x41;", "A"),
        ("&#99999999999;", "\ufffd"),
        (" a\n", "a"),
    ],
)
def test_values_are_read_as_a_browser_does(raw: str, expected: str) -> None:
    """References with their semicolon are replaced, parameters stay."""
    assert attribute_value(raw) == expected


def test_attributes_are_bounded() -> None:
    """A tag has at most two hundred; the rest is passed over, and the next tag found."""
    found = list(tags(f"<a {'x=1 ' * 300}><b>"))
    assert [(tag.name, len(tag.attributes)) for tag in found] == [("a", 200), ("b", 0)]
