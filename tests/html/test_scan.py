"""Reading HTML: what a reader sees of it, and nothing that the markup hides or fakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hostile
from growth import MOST, growth
from mailflows._html.scan import MAX_LINKS, Document, Image, Link, plain, scan


def hrefs(source: str) -> list[str]:
    """Return the targets of the links in a piece of HTML."""
    return [link.href for link in scan(source).links]


class TestText:
    """The text is what a reader sees."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("", ""),
            ("Hello", "Hello"),
            ("<p>Hello <b>Ada</b></p>", "Hello Ada"),
            ("<p>One</p><p>Two</p>", "One\nTwo"),
            ("One<br>Two<br/>Three", "One\nTwo\nThree"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a\nb\nc"),
            ("a\t \r b", "a b"),
            ("a<span>b</span>c", "abc"),
            ("caf&eacute; &amp; t&#233; &#x1F600;", "café & té 😀"),
            ("a&nbsp;&nbsp;b", "a b"),
            ("1 < 2 and 3 > 2 <b>x</b>", "1 < 2 and 3 > 2 x"),
            ("a <3 b", "a <3 b"),
            ("<!doctype html>Hello", "Hello"),
            ("<?xml version='1.0'?>Hello", "Hello"),
            ("<![if !supportLists]><b>1.</b><![endif]>Item", "1.Item"),
            ("<p/>a<o:p></o:p>b", "ab"),
            ("</p>a</nonsense>b", "ab"),
            ("<", "<"),
            ("a << b<<p>c", "a << b<\nc"),
            ("<a", ""),
        ],
    )
    def test_visible(self, source: str, expected: str) -> None:
        """Tags go, blocks end a line, references become characters, white space is folded."""
        assert scan(source).text == expected

    @pytest.mark.parametrize(
        "source",
        [
            "<!-- hidden -->seen",
            "<style>hidden</style>seen",
            "<STYLE type='text/css'>hidden</STYLE >seen",
            "<script>if (a < b) hidden()</script>seen",
            "<head><title>hidden</title></head>seen",
            "<!--[if mso]>hidden<![endif]-->seen",
            "<!--[if !mso]><!-->seen<!--<![endif]-->",
            "<!-->seen",
            "<style><!--</style>seen",
            "<!-- <style> -->seen",
            "<script>'<!--'</script>seen",
            "seen<style>never closed hidden",
            "seen<!-- never closed hidden",
        ],
    )
    def test_hidden(self, source: str) -> None:
        """Comments, styles, scripts and the title are not seen; what opens first hides the others."""
        assert scan(source).text == "seen"

    @pytest.mark.parametrize("mark", ["&shy;", "&zwnj;", "&#8203;", "\u200b", "\u00ad", "\u2060", "\ufeff"])
    def test_unseen_characters_cut_no_word(self, mark: str) -> None:
        """A word with invisible characters in it is the word."""
        assert scan(f"<p>unsub{mark}scribe</p>").text == "unsubscribe"

    def test_bracket_in_an_attribute(self) -> None:
        """A ">" in a quoted attribute ends no tag."""
        found = scan('<img alt="Read more >" src="http://a.example/x.png"> "quoted"')
        assert found.text == '"quoted"'
        assert found.images == (Image("Read more >", None, None),)

    def test_stray_quotation_mark(self) -> None:
        """A quotation mark too many swallows nothing."""
        assert scan('<p class="a"">She said "no"</p><b>and left</b>').text == 'She said "no"\nand left'

    def test_letters_that_grow(self) -> None:
        """A letter that is longer in lower case shifts nothing."""
        assert scan("İİİİ<style>x</style>Seen<!-- y -->").text == "İİİİSeen"

    def test_number_too_long_for_an_integer(self) -> None:
        """A character reference of five thousand digits is no character."""
        assert plain("a&#" + "9" * 5000 + ";b") == "a\ufffd;b"

    def test_plain_text_is_left(self) -> None:
        """Lines of plain text stay lines."""
        assert plain(" a  b \n\n c") == "a b\nc"


class TestLinks:
    """A link is its target, the text a reader sees, and how it is drawn."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ('<a href="http://a.example/">x</a>', "http://a.example/"),
            ("<a href='http://a.example/'>x</a>", "http://a.example/"),
            ("<A HREF=http://a.example/>x</A>", "http://a.example/"),
            ('<a\n href = "http://a.example/"\n>x</a>', "http://a.example/"),
            ('<a class="b" href="http://a.example/">x', "http://a.example/"),
            ('<a href=" http://a.example/ ">x</a>', "http://a.example/"),
            ('<a href="http://a.example/?b=1&amp;c=2">x</a>', "http://a.example/?b=1&c=2"),
            ('<a href="http://a.example/?b=1&copy=2">x</a>', "http://a.example/?b=1&copy=2"),
            ('<a title=">" href="http://a.example/">x</a> "y"', "http://a.example/"),
            ('<area href="http://a.example/" alt="A">', "http://a.example/"),
        ],
    )
    def test_target(self, source: str, expected: str) -> None:
        """A target is found in any spelling."""
        assert hrefs(source) == [expected]

    @pytest.mark.parametrize(
        "source",
        ["<a>x</a>", "<a name=x>x</a>", "<a href=''>x</a>", "<a data-href=x>x</a>", "<abbr href=x>x"],
    )
    def test_no_target(self, source: str) -> None:
        """An anchor without a target is no link."""
        assert hrefs(source) == []

    def test_text_of_a_link(self) -> None:
        """The text of a link is the text within it, on one line."""
        (link,) = scan("<a href=x> <span>Read\n</span><b>more</b> </a> about").links
        assert link == Link("x", "Read more", has_image=False, is_button=False)

    def test_image_link(self) -> None:
        """An image in a link is its text by its alternative."""
        (link,) = scan('<a href=x><img src=y alt="Shop now"></a>').links
        assert (link.text, link.has_image) == ("Shop now", True)

    def test_links_in_a_row(self) -> None:
        """A new anchor closes the one before."""
        assert [link.text for link in scan("<a href=x>one<a href=y>two</a> three").links] == ["one", "two"]

    def test_text_behind_an_area(self) -> None:
        """What follows an image map is not its text."""
        (link,) = scan('<map><area href=x alt="Map"></map><p>Footer</p>').links
        assert link.text == "Map"

    @pytest.mark.parametrize(
        "attributes",
        [
            'style="background:#f00"',
            'style="PADDING: 4px"',
            'style="border-radius:3px"',
            'class="Button"',
            'class="BTN-primary"',
        ],
    )
    def test_button(self, attributes: str) -> None:
        """A link with a ground, a padding or a class of its own is drawn as a button."""
        assert scan(f"<a href=x {attributes}>x</a>").links[0].is_button

    def test_no_button(self) -> None:
        """A link in a colour is none."""
        assert not scan('<a href=x style="color:red">x</a>').links[0].is_button

    def test_number_is_bounded(self) -> None:
        """Links beyond the limit are not kept."""
        assert len(scan('<a href="x">y</a>' * (MAX_LINKS + 50)).links) == MAX_LINKS


class TestFacts:
    """Images, tags and styles."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ('"600"', 600),
            ('"600px"', 600),
            ("600", 600),
            ('" 600 PX "', 600),
            ('"100%"', None),
            ('"auto"', None),
            ('"-1"', None),
            ('"9999999"', None),
            ('"٣"', None),
            ('""', None),
        ],
    )
    def test_size_of_an_image(self, value: str, expected: int | None) -> None:
        """A size is a number of pixels, or nothing."""
        assert scan(f"<img width={value}>").images[0].width == expected

    def test_tags(self) -> None:
        """Opening tags are listed in order and counted; declarations and closing tags are not."""
        found = scan("<!DOCTYPE html><HTML><p>a</p><p>b</p></HTML><?x?>")
        assert found.tags == ("html", "p", "p")
        assert found.counts["p"] == 2

    def test_styles(self) -> None:
        """The styles are joined, in lower case; the whole source is there for presence tests."""
        found = scan("<style>@MEDIA x</style>a<!-- MSO --><style>y</style>")
        assert "@media x" in found.style
        assert "y" in found.style
        assert "<!-- mso -->" in found.lower


PIECES = st.sampled_from(
    [
        *(
            "<",
            ">",
            "<a ",
            "</a>",
            "<p>",
            "<br/>",
            "<img ",
            'alt="',
            "href=",
            "'",
            '"',
            "=",
            "<!--",
            "-->",
            "<!-",
            "-",
        ),
        *(
            "<style",
            "</style",
            "<script>",
            "</script>",
            "<title>",
            "</title>",
            "&",
            "&#",
            "&#x",
            "9",
            ";",
            "&amp",
        ),
        *(" ", "\n", "\0", "İ", "ß", "\u200c", "x", "http://a.example/", "/", "<!", "]>", "<?", "?>"),
    ]
)


@pytest.mark.property
class TestLaws:
    """What holds for any HTML."""

    @given(st.lists(PIECES, max_size=80).map("".join))
    def test_any_markup(self, source: str) -> None:
        """Any sequence of marks is read, and the facts agree with each other."""
        found = scan(source)
        assert isinstance(found, Document)
        assert found.counts.total() == len(found.tags)
        assert len(found.images) == found.counts["img"]
        assert len(found.links) <= found.counts["a"] + found.counts["area"]
        assert all(link.href and link.href == link.href.strip() for link in found.links)

    @given(st.text(max_size=200))
    def test_any_text(self, source: str) -> None:
        """Any characters are read; no line of the text is blank, and none begins or ends with a space."""
        lines = scan(source).text.split("\n")
        assert lines == [""] or all(line and line == line.strip() for line in lines)

    @given(
        st.text(
            st.characters(codec="utf-8", exclude_characters="<>&\0", categories=("L", "N", "P")), max_size=80
        )
    )
    def test_escaped_text_comes_back(self, text: str) -> None:
        """Text without markup is its own text, however it is set."""
        assert scan(f"<div><p>{text}</p></div>").text == plain(text)

    @given(st.lists(st.sampled_from(["a", "b c", "d"]), min_size=1, max_size=9))
    def test_links_keep_their_order(self, labels: list[str]) -> None:
        """Links are had in the order in which a reader meets them."""
        source = "<br>".join(f'<a href="http://{n}.example/">{label}</a>' for n, label in enumerate(labels))
        assert [link.text for link in scan(source).links] == labels


@pytest.mark.parametrize("name", [name for name in hostile.GENERATORS if name.startswith("html")])
def test_hostile_markup(name: str) -> None:
    """A megabyte of markup that is written to hang a reader costs in proportion to its length."""
    assert (
        growth(lambda size: hostile.GENERATORS[name](size).decode("utf-8", "replace"), scan, 1_000_000) < MOST
    )


def test_a_long_source_is_read_in_steps_that_change_nothing() -> None:
    """Wherever a step ends: in a text, an attribute, or a mark that opens no tag."""
    unit = "<p title='a b'>one < two</p> 1 <2 <a href='https://shop.example/'>x</a>"
    page = "".join(f"{'y' * (number % 7)}{unit}" for number in range(4000))
    once = scan(unit)
    found = scan(page)
    assert found.text.count("one < two") == 4000
    assert found.counts["p"] == 4000 * once.counts["p"]
