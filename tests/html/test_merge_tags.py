"""Merge tags of the usual engines, and what only looks like one."""

from __future__ import annotations

import pytest

from mailflows._html.merge_tags import merge_tag, merge_tag_mark

TAGS = [
    "{{ name }}", "{{{ html }}}", "{% if a %}", "{!! $name !!}", "*|FNAME|*", "%%First Name%%",
    "%%=v(@name)=%%",
    "%recipient.name%", "%FIRSTNAME%", "<%= name %>", "${name}", "$!{name}", "$[FNAME]$", "{$name}",
    "{!firstname_fix}", "[[var:name]]", "[%first_name%]", "[firstname,fallback=there]", "#{name}",
    "~Contact.FirstName~", "«FirstName»", "%(name)s", "{first_name}", "$firstname$", "@FIRSTNAME@",
    "@Model.Name",
    "###UNSUBSCRIBE###", "##first_name##", "__FIRST_NAME__", "((firstname))", "<<firstname>>", "-first_name-",
]  # fmt: skip


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_is_known(tag: str) -> None:
    """Alone, within words, and in a link."""
    assert merge_tag().findall(f"Dear {tag}, hello") == [tag]
    assert merge_tag_mark().search(f"https://shop.example/{tag}")


@pytest.mark.parametrize(
    "text",
    [
        "50% off, 20% more", "[EXTERNAL] Hello", "a[0]", "{ color: red }", "$5.00", "100%", "f(x) = {1, 2}",
        "https://x.example/?q=%C3%A9%20%2F", "«Bonjour»", "~20 people~", "# 1 {x}", "C#",
        "#SALE #NOW", "a@b.example", "##", "$5 and $6", "well-named-things",
        "__init__ of it", "((what))", "<<see>>", "@ada and @bob",
    ],
)  # fmt: skip
def test_what_is_no_tag_is_left(text: str) -> None:
    """Prices, addresses, brackets and quotations."""
    assert merge_tag().search(text) is None
