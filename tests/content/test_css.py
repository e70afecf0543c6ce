"""Style sheets, selectors and colours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows._html.tree import parse
from mailflows.content import fix_html
from mailflows.content._color import Color, contrast, parse_color
from mailflows.content._css import declarations, read_sheet
from mailflows.content._selectors import compiled, matches


def names(source: str) -> list[str]:
    """Return the properties of all rules of a style sheet."""
    return [d.name for rule in read_sheet(source).rules for d in rule.declarations]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a { color: red; nonsense; width: 1px }", ["color", "width"]),
        ("a { color: red /* ; width: 1px */ }", ["color"]),
        ("a { background: url(data:a;b) } b { width: 1px }", ["background", "width"]),
        ("a { content: '}' } b { width: 1px }", ["content", "width"]),
        ("<!-- a { color: red } -->", ["color"]),
        ("a { font-family: 'Arial;\n color: red } b { width: 1px }", ["width"]),
        ("@media print { a { color: red } } b { width: 1px }", ["color", "width"]),
        ("@import url(x.css); a { color: red }", ["color"]),
    ],
)
def test_a_bad_declaration_takes_no_other_with_it(source: str, expected: list[str]) -> None:
    """What can be read is read, as a mail client does."""
    found = names(source)
    assert [name for name in found if name in {*expected}] == expected


def test_conditions_and_nesting_are_kept() -> None:
    """A rule knows the at-rules around it, and the rule that it stands in."""
    rules = read_sheet("@media (max-width: 9px) { .a { .b { color: red } } }").rules
    assert rules[0].conditions == ("@media (max-width: 9px)",)
    assert rules[0].selectors == (".a .b",)
    assert rules[0].is_nested


def test_importance_is_no_part_of_the_value() -> None:
    """However it is written."""
    declaration = declarations("color: red ! IMPORTANT")[0]
    assert (declaration.value, declaration.is_important) == ("red", True)


PAGE = "<div id=a class='x y'><p lang=fr>1</p><p class=z>2</p><span>3</span></div>"


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("p", ["p", "p"]),
        ("#a.x.y > p", ["p", "p"]),
        ("div .z", ["p"]),
        ("p + span", ["span"]),
        ("p ~ span", ["span"]),
        ("[lang|=fr]", ["p"]),
        ("[class~='y']", ["div"]),
        ("p:first-child", ["p"]),
        ("p:not(.z)", ["p"]),
        ("*", ["div", "p", "p", "span"]),
        ("p:hover", []),
        ("p::before", []),
        ("div..x", []),
        (".1, #2", []),
        (".-1", []),
        ("span > p", []),
    ],
)
def test_selectors_match(selector: str, expected: list[str]) -> None:
    """The selectors that mail uses."""
    found = compiled(selector)
    elements = [e for e in parse(PAGE).elements if found and found.key in {"*", *e.keys}]
    assert [e.name for e in elements if found and matches(found, e, [1_000])] == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("#ABC", Color(170, 187, 204)),
        ("aabbcc", Color(170, 187, 204)),
        ("rgb(100% 0 0 / 50%)", Color(255, 0, 0, 0.5)),
        ("hsl(120, 100%, 25%)", Color(0, 127.5, 0)),
        ("transparent", Color(0, 0, 0, 0)),
        ("var(--x)", None),
        ("rgb(1)", None),
    ],
)
def test_colours_are_read(written: str, expected: Color | None) -> None:
    """As style sheets and old attributes write them."""
    assert parse_color(written) == expected


def test_contrast_is_that_of_the_guidelines() -> None:
    """WCAG's own example: #777 on white has 4.48."""
    grey, white = Color(119, 119, 119), Color(255, 255, 255)
    assert round(contrast(grey, white), 2) == 4.48


@pytest.mark.property
@given(st.text(alphabet="{}@;:()'\"/*\\ab-.# \n!", max_size=200))
def test_any_text_is_a_style_sheet(source: str) -> None:
    """No text raises, and no rule is without a selector."""
    assert all(rule.selectors for rule in read_sheet(source).rules)


def test_a_long_page_is_inlined_to_its_end() -> None:
    """Eight hundred rows under the rules of a newsletter tool."""
    rules = "".join(f".a{n} td, #b{n} > td, td[align=x{n}] {{ color: red }}" for n in range(20))
    css = f"{rules} table tr td {{ padding: 1px }} .last td.k {{ color: green }}"
    rows = "<tr><td align=left>x</td></tr>" * 800
    page = f"<style>{css}</style><table class=last>{rows}<tr><td class=k>y</td></tr></table>"
    assert b'<td style="padding: 1px; color: green" class=k>' in fix_html(page, only=["inline-css"]).data


@pytest.mark.parametrize(
    ("source", "selectors"),
    [
        (".a { b { top: 0 } }", (".a b",)),
        (".a { & b { top: 0 } }", (".a b",)),
        (".a { &.b { top: 0 } }", (".a.b",)),
        (".a { .b & & { top: 0 } }", (".b .a .a",)),
    ],
)
def test_a_rule_in_a_rule_says_where_the_outer_one_stands(source: str, selectors: tuple[str, ...]) -> None:
    """At each ampersand; in front where there is none (CSS Nesting, section 3)."""
    (rule,) = read_sheet(source).rules
    assert rule.selectors == selectors


def test_rules_in_rules_do_not_grow_without_end() -> None:
    """Each level could multiply what the one before it says."""
    source = ".a { " + "& & & & & & & & { " * 7 + "top: 0" + " }" * 8
    assert all(len(selector) <= 500 for rule in read_sheet(source).rules for selector in rule.selectors)
