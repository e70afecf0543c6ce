"""Media queries, on a wide, light screen."""

from __future__ import annotations

import pytest

from mailflows.content import _media, fix_html, plain_text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", True),
        ("all", True),
        ("not print", True),
        ("not screen", False),
        ("(min-width: 30em)", True),
        ("(width >= 900px)", False),
        ("(max-width: 799px)", False),
        ("(max-width: 800px)", True),
        ("not (max-width: 600px)", True),
        ("tv, screen and (orientation: landscape)", True),
        ("(prefers-color-scheme: dark)", False),
        ("(prefers-color-scheme: light)", True),
        ("not (grid)", False),
        ("handheld and (min-width: 1px)", False),
    ],
)
def test_a_query_holds_or_not(query: str, expected: bool) -> None:  # noqa: FBT001 -- a case
    """What nobody can tell does not hold, and neither does its opposite."""
    assert _media.applies(query) is expected


@pytest.mark.parametrize(
    ("style", "is_inlined"),
    [
        ("<style media=screen>.a{color:red}</style>", True),
        ("<style media='(max-width:480px)'>.a{color:red}</style>", False),
        ("<style data-premailer=ignore>.a{color:red}</style>", False),
        ("<style data-css-inline='ignore'>.a{color:red}</style>", False),
        ("<style>@media screen{.a{color:red}}</style>", True),
        ("<style>@media (min-width:480px){.a{color:red}}</style>", False),
        ("<style>body > .a{color:red}</style>", True),
    ],
)
def test_a_sheet_is_inlined_where_it_holds_on_every_screen(style: str, *, is_inlined: bool) -> None:
    """A narrow screen keeps its own rules, and an author can keep a sheet out."""
    page = fix_html(f"{style}<p class=a>x</p>", only=["inline-css"]).data
    assert (b'style="color: red"' in page) is is_inlined


def test_layers_rank_below_what_is_in_none() -> None:
    """Whatever the specificity; important ones rank in reverse (CSS Cascade Level 5, section 6.4.4)."""
    rules = "p{color:red;top:1px!important}@layer x{p#a{color:blue;top:2px!important}}"
    page = f"<style>{rules}</style><p id=a>x</p>"
    fixed = fix_html(page, only=["inline-css"]).data.decode()
    assert 'style="color: red; top: 2px"' in fixed


@pytest.mark.parametrize("tag", ["color: {{ color }}", "{% if a %}color: red{% endif %}", "*|STYLE|*"])
def test_merge_tags_in_a_style_stay(tag: str) -> None:
    """They are filled in later; a second run changes nothing."""
    page = f"<style>p{{top:1px}}</style><p style='{tag}'>x</p>"
    once = fix_html(page, only=["inline-css"]).data.decode()
    assert f"top: 1px; {tag}" in once
    assert fix_html(once, only=["inline-css"]).data.decode() == once


@pytest.mark.parametrize(("kind", "counts"), [("", True), (" TEXT/CSS ", True), ("text/x-less", False)])
def test_a_style_of_another_type_is_none(kind: str, counts: bool) -> None:  # noqa: FBT001 -- a parameter
    """Browsers leave it alone."""
    page = f'<style type="{kind}">.x {{ display: none }}</style><p>Hello</p><p class="x">hidden</p>'
    assert ("hidden" not in plain_text(page)) is counts
    assert (b"style=" in fix_html(page, only=["inline-css"]).data) is counts
