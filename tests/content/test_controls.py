"""Forms and what looks like one: what a reader sees or opens stays."""

from __future__ import annotations

import pytest

from mailflows.content import fix, fix_html, lint_html, plain_text

ACCORDION = (
    "<style>.box~div .more{display:none}.box:checked~div .more{display:block}</style>"
    "<label><input type=checkbox class=box style='display:none'><div><p>Delivery</p>"
    "<div class=more>Three days, by post, to your door</div></div></label>"
)


def fixed(html: str) -> str:
    """Return a page after all repairs of a page but inlining."""
    only = ["active-content", "forms", "roles", "spacer-alt", "lang"]
    return fix_html(html, only=only).data.decode()


def test_a_form_goes_only_where_that_was_asked_for() -> None:
    """A reader sees its controls: they stay, the result says why, and lint goes on naming them."""
    page = "<form><input name=q placeholder=Shoes><button>Search</button></form>"
    raw = b"From: a@shop.example\nContent-Type: text/html\n\n" + page.encode()
    for result in (fix_html(page), fix(raw)):
        assert page.encode() in result.data
        assert "forms" not in result.done
        assert "only" in dict(result.skipped)["forms"]
    assert "form" in lint_html(fix_html(page).data.decode())
    assert fix_html(page, only=["forms"]).data == b"Shoes" + b"Search"
    assert b"<form" not in fix(raw, only=["forms"]).data
    assert "forms" not in dict(fix_html("<p>no form</p>").skipped)


def test_what_opens_a_part_of_the_page_stays() -> None:
    """An accordion is no form, what it opens is no hidden text, and it stands in the plain text."""
    report = lint_html(ACCORDION)
    assert fixed(ACCORDION) == ACCORDION
    assert "form" not in report
    assert "hidden-text" not in report
    assert "Three days" in plain_text(ACCORDION)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<form><input type=submit value='Go &lt; on'></form>", "Go &lt; on"),
        ("<select><option>S</option><option>L</option></select>", "S / L"),
        (
            "<input type=image src=https://x.example/a.png alt='Go on'>",
            '<img src="https://x.example/a.png" alt="Go on">',
        ),
        ("<input type=password value=secret>", ""),
        ("<input type=checkbox> yes", " yes"),
        ("<textarea>Dear <b></textarea>", "Dear &lt;b>"),
        ("<button href='{{ url }}'>Buy</button>", "<button href='{{ url }}'>Buy</button>"),
    ],
)
def test_the_words_of_a_control_stay(html: str, expected: str) -> None:
    """What is seen is left as text; what is typed or ticked goes."""
    assert fixed(html) == expected


def test_a_table_of_data_is_not_called_a_layout() -> None:
    """Rows of as many short cells are data, pictures and columns are layout."""
    data = "<table><tr><td>Shoe<td>9.90<tr><td>Hat<td>4.90</table>"
    layout = "<table><tr><td><img src=https://x.example/a.png alt=''><td>Hat<tr><td>a<td>b</table>"
    assert fixed(data) == data
    assert 'role="presentation"' in fixed(layout)
