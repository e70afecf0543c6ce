"""What a reader sees of a page."""

from __future__ import annotations

import pytest

from mailflows.content._page import Page


@pytest.mark.parametrize(
    "hidden",
    [
        "<div style='display:none'>secret</div>",
        "<style>.h { display: none }</style><div class=h>secret</div>",
        "<div hidden>secret</div>",
        "<div style='visibility: hidden'>secret</div>",
        "<div style='font-size:0'>secret</div>",
        "<div style='max-height:0; overflow:hidden'>secret</div>",
        "<div style='opacity:0'>secret</div>",
        "<div style='text-indent:-9999px'>secret</div>",
        "<div style='color:transparent'>secret</div>",
        "<style>div { display: block } #h { display: none }</style><div id=h>secret</div>",
    ],
)
def test_hidden_text_is_not_seen(hidden: str) -> None:
    """However it is hidden, in an attribute or in a style sheet."""
    page = Page(f"<p>Hello</p>{hidden}")
    assert page.text == "Hello"
    assert [run.text for run in page.hidden] == ["secret"]


def test_text_that_gets_its_size_again_is_seen() -> None:
    """A wrapper of no font size is a layout technique, not a hiding place."""
    page = Page("<td style='font-size:0'><div style='font-size:14px'>Hello</div></td>")
    assert page.text == "Hello"
    assert page.visible[0].style.size == 14


def test_a_hidden_beginning_is_the_preheader() -> None:
    """It is what clients show beside the subject, and nothing suspect."""
    page = Page("<div style='display:none'>Our offers</div><p>Hello</p>")
    assert (page.preheader, page.hidden) == ("Our offers", ())


def test_another_version_for_small_screens_is_not_hidden_text() -> None:
    """What a media query shows is seen somewhere."""
    css = "<style>.m { display: none } @media (max-width: 600px) { .m { display: block } }</style>"
    assert Page(f"{css}<p>Hello</p><div class=m>Small</div>").hidden == ()


def test_colours_come_from_the_cascade() -> None:
    """The ground of an ancestor, the colour of the rule with the higher specificity."""
    css = "<style>a { color: #111111 } .b a { color: #eeeeee }</style>"
    page = Page(f"{css}<table bgcolor='#000080'><tr><td class=b><a href='#x'>Go</a></td></tr></table>")
    style = page.visible[0].style
    assert (str(style.color), str(style.ground)) == ("#eeeeee", "#000080")


def test_importance_wins_over_the_style_attribute() -> None:
    """A rule that is important comes before an attribute that is not."""
    page = Page("<style>p { color: red !important }</style><p style='color: blue'>x</p>")
    assert str(page.visible[0].style.color) == "#ff0000"


def test_a_dark_mode_is_not_what_is_judged() -> None:
    """Media queries for another screen do not apply."""
    css = "<style>@media (prefers-color-scheme: dark) { p { color: white } }</style>"
    assert str(Page(f"{css}<p>x</p>").visible[0].style.color) == "#000000"


def test_a_picture_behind_text_has_no_colour() -> None:
    """Its contrast cannot be told, and nothing is claimed."""
    page = Page("<td style=\"background: url('https://example.org/a.png')\">x</td>")
    assert page.visible[0].style.ground is None


def test_a_variable_has_no_colour() -> None:
    """Nothing is claimed of what cannot be computed."""
    assert Page("<p style='color: var(--ink)'>x</p>").visible[0].style.ground is None
