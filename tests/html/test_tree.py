"""The tree of a page, with its places in the source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows._html.tree import MAX_ELEMENTS, MAX_MARKS, Element, parse


def shape(element: Element) -> str:
    """Return the names of an element's descendants, with their nesting."""
    inside = ",".join(f"{child.name}{shape(child)}" for child in element.elements)
    return f"({inside})" if inside else ""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<div><p>a<p>b</div>", "(div(p,p))"),
        ("<p>a<table><tr><td>b<td>c<tr><td>d</table>", "(p,table(tr(td,td),tr(td)))"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "(ul(li,li(ul(li))))"),
        ("<a href=x><img src=y>text</a><b>c", "(a(img),b)"),
        ("<td></div>x</td><i>y</i>", "(td,i)"),
        ("<style>a > b { }</style><i>x</i>", "(style,i)"),
        ("<!--[if mso]><table><![endif]--><i>x</i>", "(i)"),
        ("<![if !mso]><i>x</i><![endif]>", "(i)"),
        ("1 < 2 <b>x</b>", "(b)"),
        ("<p title='a>b'>x</p><i>", "(p,i)"),
        ("<svg><path d=x/><path/></svg><i>", "(svg(path,path),i)"),
    ],
)
def test_elements_nest_as_in_a_browser(source: str, expected: str) -> None:
    """Implied ends, void elements, raw text and conditional comments."""
    assert shape(parse(source).root) == expected


def test_an_element_knows_its_places() -> None:
    """The start tag, the content and the whole can be cut out of the source."""
    source = "x<p class=a>one</p>y"
    element = parse(source).elements[0]
    assert source[element.start : element.inner] == "<p class=a>"
    assert source[element.inner : element.inner_end] == "one"
    assert source[element.start : element.end] == "<p class=a>one</p>"


def test_an_attribute_knows_its_places() -> None:
    """The raw value stands where it says, and the value is unescaped."""
    source = "<a href='/?a=1&amp;b=2' HREF=other>"
    attribute = parse(source).elements[0].attributes["href"]
    assert attribute.value == "/?a=1&b=2"
    assert source[attribute.value_start : attribute.value_end] == "/?a=1&amp;b=2"


def test_a_parameter_is_no_character() -> None:
    """`&copy=` in a link is a parameter, as a browser and the other readers of links here have it."""
    link = parse("<a href='/?a=1&copy=2&amp;reg=3'>x</a>").elements[0]
    assert link.get("href") == "/?a=1&copy=2&reg=3"


def test_an_unclosed_comment_hides_the_rest() -> None:
    """As in a browser, nothing behind it is an element."""
    assert len(parse("<i>a</i><!-- <b>b</b>").elements) == 1


@pytest.mark.parametrize(
    ("source", "is_cut"),
    [
        ("<b>x", False),
        ("<b>x</b", True),
        ("x <", False),
        ("x </", True),
        ("<!-- x -->", False),
        ("<!-- x --", True),
        ("<!doctype html", True),
        ("<a href='x>y</a>", True),
        ("<style>a{}</style>", False),
        ("<style>a{}</style", True),
        ("<style>a{}", True),
        ("<plaintext></plaintext>", True),
    ],
)
def test_a_source_that_ends_in_what_has_begun_is_cut(source: str, *, is_cut: bool) -> None:
    """A tag, a comment, a declaration or a raw text takes what is added behind it."""
    assert parse(source).is_cut is is_cut


@pytest.mark.property
@given(st.text(alphabet="<>/=\"'! -abpt stylex&;", max_size=80))
def test_what_is_added_behind_a_page_is_apart_unless_it_is_cut(source: str) -> None:
    """One tag more, which starts where it was put; in a page that is cut it is a part of something else."""
    before, after = parse(source), parse(f'{source}<img src="x">')
    stands_apart = [tag.start for tag in after.elements[len(before.elements) :]] == [len(source)]
    assert stands_apart is not before.is_cut


def test_the_number_of_elements_is_bounded() -> None:
    """A page of a hundred thousand tags is read up to the limit."""
    assert len(parse("<b>" * 100_000).elements) == MAX_ELEMENTS


@pytest.mark.parametrize("mark", ["</b>", "<!x>", "x<!-- -->"])
def test_the_number_of_marks_is_bounded(mark: str) -> None:
    """What opens no element takes time, too: behind the bound nothing is read, and the page counts as cut."""
    read, unread = parse(mark * (MAX_MARKS - 1) + "<i>"), parse(mark * MAX_MARKS + "<i>")
    assert [len(tree.elements) for tree in (read, unread)] == [1, 0]
    assert unread.is_cut


@pytest.mark.property
@given(st.text(alphabet="<>/=\"'! -abpt dliv&;é", max_size=120))
def test_any_text_has_a_tree_in_its_source(source: str) -> None:
    """No text raises, and every place lies in the source and in the parent."""
    for element in parse(source).elements:
        assert 0 <= element.start < element.inner <= element.inner_end <= element.end <= len(source)
        assert element.parent is not None
        assert element.parent.start <= element.start
