"""Rules of media queries win after inlining where they won before, and nowhere else."""

from __future__ import annotations

import pytest

from mailflows.content import fix_html

NARROW = "@media (max-width: 400px)"


def sheet(css: str, body: str) -> str:
    """Return the style sheet that stays of a page whose styles are inlined."""
    once = fix_html(f"<style>{css}</style>{body}", only=["inline-css"]).data.decode()
    assert fix_html(once, only=["inline-css"]).data.decode() == once
    return once.partition("<style>")[2].partition("</style>")[0]


@pytest.mark.parametrize(
    ("css", "body", "marked"),
    [
        (f"p{{color:red}} {NARROW}{{p{{color:blue}}}}", "<p>x", "p{color:blue !important}"),
        (f"p{{padding:9px}} {NARROW}{{p{{padding-left:0}}}}", "<p>x", "padding-left:0 !important"),
        (
            f"p{{font-size:9px}} {NARROW}{{p{{font:12px Arial ; color:red}}}}",
            "<p>x",
            "12px Arial !important ; color:red}",
        ),
        (
            f"p{{color:red}} {NARROW}{{p{{color:/* a; b */blue;}}}}",
            "<p>x",
            "color:/* a; b */blue !important;}",
        ),
        (f"p{{color:red}} /* {{ */ {NARROW}{{p{{color:blue}}}}", "<p>x", "{p{color:blue !important}"),
        (f"p{{color:red}} @supports (color:red){{{NARROW}{{p{{color:blue}}}}}}", "<p>x", "blue !important"),
        (
            f"p{{color:red!important}} .a{{top:0}} {NARROW}{{.a{{top:1px}}}}",
            "<p class=a>x",
            "top:1px !important",
        ),
    ],
)
def test_what_won_wins(css: str, body: str, marked: str) -> None:
    """A declaration that inlining would make lose is marked where its value ends."""
    assert marked in sheet(css, body)


@pytest.mark.parametrize(
    ("css", "body"),
    [
        (f"p{{color:red}} {NARROW}{{p{{margin:0}}}}", "<p>x"),  # nothing of it is inlined
        (f"p{{color:red}} {NARROW}{{p{{color:blue}}}}", "<p style='color:green'>x"),  # the author's own wins
        (f"p{{color:red}} {NARROW}{{p{{color:blue}}}}", "<p>x<p style='color:green'>y"),  # on one of them
        (f"p.a{{color:red}} {NARROW}{{p{{color:blue}}}}", "<p class=a>x"),  # a more specific rule wins
        (f"{NARROW}{{p{{color:blue}}}} p{{color:red}}", "<p>x"),  # a later one does
        (f"p{{color:red!important}} {NARROW}{{p{{color:blue}}}}", "<p>x"),  # an important one does
        (f"p{{color:red}} {NARROW}{{p{{color:blue!important}}}}", "<p>x"),  # it is strong already
        (
            f"p{{color:red}} {NARROW}{{p:nth-of-type(2){{color:blue}}}}",
            "<p>x",
        ),  # nobody knows what it matches
        (f"p{{color:red}} {NARROW}{{div{{color:blue}}}}", "<p>x"),  # it matches nothing
        (f"p{{color:red}} {NARROW}{{p{{color:blue}}}}", "<p style='{{ style }}'>x"),  # what a tag will say
        (f"p{{padding-top:1px}} {NARROW}{{p{{padding-left:0}}}}", "<p>x"),  # another side
        (f"@layer a, b; p{{color:red}} {NARROW}{{p{{color:blue}}}}", "<p>x"),  # layers turn importance round
    ],
)
def test_what_lost_still_loses(css: str, body: str) -> None:
    """The sheet stays as it was written."""
    assert sheet(css, body) == css


def test_the_order_of_two_narrow_rules_stays() -> None:
    """The stronger of two is marked with the weaker, and the weaker is not marked alone."""
    both = f"p{{color:red}} {NARROW}{{p{{color:blue}} .a{{color:green}}}}"
    assert sheet(both, "<p class=a>x").count("!important") == 2
    barred = f"p{{color:red}} {NARROW}{{p{{color:blue}} .a{{color:green}}}}"
    assert sheet(barred, "<p class=a>x<i class=a style='color:gray'>y") == barred
    strong = f"p{{color:red}} {NARROW}{{p{{color:blue!important}} .a{{color:green}}}}"
    assert sheet(strong, "<p class=a>x") == strong


def test_two_sheets_are_marked_in_their_places() -> None:
    """Each in its own text."""
    page = f"<style>p{{color:red}}</style><p>x</p><style>{NARROW}{{p{{color:blue}}}}</style>"
    fixed = fix_html(page, only=["inline-css"]).data.decode()
    assert fixed == page.replace("<p>", '<p style="color: red">').replace("blue", "blue !important")
