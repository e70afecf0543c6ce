"""The plain text of a page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflows.content import plain_text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        ("<ul><li>a<li>b</ul>c", "- a\n\n- b\n\nc"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a  b\nc"),
        ("<a href='https://x.example/a?b=1&amp;c=2'>go</a>", "go (https://x.example/a?b=1&c=2)"),
        ("<a href='https://x.example'>https://x.example</a>", "https://x.example"),
        ("<a href='mailto:a@x.example'>a@x.example</a>", "a@x.example"),
        ("<a href='https://x.example'><img src=y></a>", "https://x.example"),
        ("<a href='https://x.example'><img src=y alt='our shop'></a>", "our shop (https://x.example)"),
        ("<a href='#top'>up</a>", "up"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("caf&eacute; &lt;b&gt;", "café <b>"),
        ("<script>x</script><style>y</style><title>z</title>w", "w"),
        ("<style>.p { display: none }</style><i class=p>preview</i>text", "text"),
        ("<div style='font-size:0'>no<p style='font-size:9px'>yes</p></div>", "yes"),
        ("zero\u200bwidth", "zerowidth"),
        ("<map><area href='https://x.example' alt=shop></map>", "shop (https://x.example)"),
    ],
)
def test_a_page_as_text(html: str, expected: str) -> None:
    """Blocks, lists, tables, links, references, and nothing that is hidden."""
    lines = [line for line in plain_text(html).split("\n") if line or "\n\n" in expected]
    assert "\n".join(lines).replace("\n\n- ", "\n- ") == expected.replace("\n\n- ", "\n- ")


@pytest.mark.property
@given(st.text(alphabet="<>/= \n'\"abpr td&;#x1", max_size=150))
def test_any_page_has_a_text(html: str) -> None:
    """No page raises; no line ends in a space; no two empty lines follow each other."""
    text = plain_text(html)
    assert not any(line != line.rstrip() for line in text.split("\n"))
    assert "\n\n\n" not in text
