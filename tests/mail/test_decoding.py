"""What bytes, encodings and parameters stand for, where software writes them as it should not."""

from __future__ import annotations

import pytest

from mailflows._mail.decoding import (
    decode,
    decode_base64,
    decode_value,
    decoded,
    encoded_words,
    has_inner_padding,
    is_known,
    listed_urls,
    parameters,
    transfer_encoding,
    without_comments,
)


@pytest.mark.parametrize(
    ("raw", "charset", "text", "defect"),
    [
        (b"caf\xc3\xa9", "", "café", ""),
        (b"caf\xc3\xa9", "us-ascii", "café", ""),
        (b"caf\xe9", "ISO-8859-1", "café", ""),
        (b"caf\xe9", "", "café", "undeclared-charset"),
        (b"caf\xe9", "utf-8", "café", "lying-charset:utf-8"),
        (b"caf\xc3\xa9", "x-none", "café", "unknown-charset:x-none"),
        (b"caf\xe9", "x-none", "café", "unknown-charset:x-none"),
        (b"cafe", "y" * 41, "cafe", "unknown-charset:" + "y" * 30),
        ("hé".encode("utf-16-le"), "utf-16-le", "hé", ""),
        ("hi".encode("utf-16-le"), "utf-16-le", "hi", ""),
        (b"caf\xe9", "utf-8" + "." * 26, "café", "lying-charset:utf-8" + "." * 25),
        (b"cafe", "." * 35 + "ascii", "cafe", ""),
        (b"cafe", "." * 36 + "ascii", "cafe", "unknown-charset:" + "." * 30),
        (b"hi", "utf-16-le", "hi", "lying-charset:utf-16-le"),
        (b"hi", "cp037", "hi", "lying-charset:cp037"),
        ("hi".encode("cp037"), "cp037", "hi", ""),
        (b"\x1b$B", "iso-2022-jp", "", ""),
        (b"+2AA-", "utf-7", "\ufffd", ""),
        ("é".encode() * 4 + b"\xff", "utf-8", "éééé\ufffd", "lying-charset:utf-8"),
        ("é".encode() * 3 + b"\xff", "utf-8", "Ã©" * 3 + "ÿ", "lying-charset:utf-8"),
    ],
)
def test_a_text_is_decoded_by_what_is_declared_or_by_what_it_looks_like(
    raw: bytes, charset: str, text: str, defect: str
) -> None:
    """And the defect says which of the two it was."""
    assert decode(raw, charset) == (text, defect)


def test_a_text_that_was_cut_may_end_within_a_character() -> None:
    """Half of a character at the end of a whole text is a defect; at the end of a cut one it is left out."""
    half = "caféé".encode()[:-1]
    assert decode(half, "utf-8", is_cut=True) == ("café", "")
    assert decode(half, "utf-8")[1] == "lying-charset:utf-8"
    assert decode(half, "us-ascii", is_cut=True) == ("café", "")
    assert decode(b"x\xe9" + half, "utf-8", is_cut=True)[1] == "lying-charset:utf-8"


@pytest.mark.parametrize(
    "name", ["utf8", "Latin1", "x-sjis", "ISO-8859-8-I", "ks_c_5601-1987", "." * 35 + "ascii"]
)
def test_a_charset_is_known_by_any_of_its_names(name: str) -> None:
    """Whatever separates their parts."""
    assert is_known(name)
    assert is_known(name.upper())


@pytest.mark.parametrize("name", ["", "punycode", "rot13", "base64", "idna", "x-none", "." * 36 + "ascii"])
def test_a_codec_that_is_no_charset_is_none(name: str) -> None:
    """Python has codecs that no message may name."""
    assert not is_known(name)


@pytest.mark.parametrize(
    ("value", "kind", "options"),
    [
        ("", "", {}),
        ("Text/HTML", "text/html", {}),
        ("text / html", "text/html", {}),
        ("text /html", "text/html", {}),
        ("text/ html", "text/html", {}),
        ("text html", "text", {}),
        ("text x/html", "text", {}),
        ('"base64"', "base64", {}),
        ("(a) text/html (b)", "text/html", {}),
        ("; charset=x", "", {"charset": "x"}),
        ("a/b; x=1; x=2", "a/b", {"x": "1"}),
        ("a/b; boundary=1; boundary=1", "a/b", {"boundary": "1"}),
        ("a/b; boundary=1; boundary=2", "a/b", {"boundary": "1", "boundary*": "2"}),
        ("a/b; boundary=1; boundary*=2", "a/b", {"boundary": "2", "boundary*": "1"}),
        ("a/b; boundary*=2", "a/b", {"boundary": "2"}),
        ("a/b; x=one two", "a/b", {"x": "one"}),
        ("a/b; name=one two.pdf ", "a/b", {"name": "one two.pdf"}),
        ('a/b; x="one; two"', "a/b", {"x": "one; two"}),
        ('a/b; x="C:\\\\one\\"two"', "a/b", {"x": 'C:\\one"two'}),
        ('a/b; x="open', "a/b", {"x": "open"}),
        ('a/b; x="', "a/b", {"x": ""}),
        ('a/b; x=""', "a/b", {"x": ""}),
        ("a/b; x=", "a/b", {"x": ""}),
        ("a/b; name*1=b; name*0=a", "a/b", {"name": "ab"}),
        ("a/b; name*0*=utf-8''%C3%A9; name*1=%41", "a/b", {"name": "é%41"}),
        ("a/b; name*=iso-8859-1'fr'%E9", "a/b", {"name": "é"}),
        ("a/b; name*=it's", "a/b", {"name": "it's"}),
        ("a/b; name*=utf-8''a%0Ab", "a/b", {"name": "a b"}),
        ("a/b; name*0=a; name*99=b", "a/b", {"name": "ab"}),
        ("a/b; name*0=a; name*100=b", "a/b", {"name": "a"}),
        ("a/b; name*0=a; name*0=b; name*x=c", "a/b", {"name": "a"}),
    ],
)
def test_a_structured_value_has_a_kind_and_parameters(value: str, kind: str, options: dict[str, str]) -> None:
    """RFC 2045 section 5.1 and RFC 2231, and what is written instead."""
    assert parameters(value) == (kind, options)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a (b) c", "a  c"),
        ('"(a)" (b)', '"(a)" '),
        (r"a\(b (c)", r"a\(b "),
        ("a (b", "a "),
        ("a) b", "a) b"),
        ("(a)", ""),
        ("", ""),
    ],
)
def test_comments_are_taken_out(value: str, shown: str) -> None:
    """Outside quotation marks, and to the end where one is not closed."""
    assert without_comments(value) == shown


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        ("Base64", "base64"),
        ("(x) quoted-printable", "quoted-printable"),
        ("x-uue", "uuencode"),
        ("UUE", "uuencode"),
        ("8bit", ""),
        ("x-none", ""),
        ("", ""),
    ],
)
def test_an_encoding_is_known_by_any_of_its_names(value: str, encoding: str) -> None:
    """What need not be undone, or cannot be, is none."""
    assert transfer_encoding({"content-transfer-encoding": value}) == encoding


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"=41=c3=A9", b"A\xc3\xa9"),
        (b"a=\nb=\r\nc= \nd=\t\ne", b"abcde"),
        (b"1 == 1 =3D", b"1 == 1 ="),
        (b"50% = half", b"50% = half"),
        (b"=", b""),
    ],
)
def test_quoted_printable_is_undone(body: bytes, text: bytes) -> None:
    """A sign that stands for nothing stands for itself (RFC 2045 section 6.7)."""
    assert decoded(body, "quoted-printable") == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"begin 644 x\n%2&5L;&\\ \nend\n", b"Hello"),
        (b"begin 644 x\n%2&5L;&\\\nend\n", b"Hello"),
        (b"begin 644 x\n%2&5L;&\\ xxxx\nend\n", b"Hello"),
        (b"text\nbegin 644 x\n%2&5L;&\\ \n end \ntext\n", b"Hello"),
        (b"begin 644 x\n%2&5L;&\\ \nend\nbegin 644 y\n%2&5L;&\\ \nend\n", b"HelloHello"),
        (b"no begin\n", b"no begin\n"),
    ],
)
def test_uuencoded_lines_are_undone(body: bytes, text: bytes) -> None:
    """Between "begin" and "end", with or without the blanks at their ends."""
    assert decoded(body, "uuencode") == text


def test_what_needs_no_decoding_stays() -> None:
    """Whatever it looks like."""
    assert decoded(b"=41 QUJD", "") == b"=41 QUJD"


@pytest.mark.parametrize(
    ("data", "text", "is_inner"),
    [
        (b"QUJD", b"ABC", False),
        (b"QUI=", b"AB", False),
        (b"QUI", b"AB", False),
        (b"QU", b"A", False),
        (b"Q", b"", False),
        (b"QUJDQ", b"ABC", False),
        (b"Q!U*J D\n", b"ABC", False),
        (b"QQ==QUI=", b"AAB", True),
        (b"=QUJD", b"ABC", True),
        (b"QQ==\n=\n", b"A", False),
        (b"", b"", False),
    ],
)
def test_base64_is_undone_as_far_as_it_goes(data: bytes, text: bytes, *, is_inner: bool) -> None:
    """Cut off, with foreign characters, or going on behind its padding."""
    assert decode_base64(data) == text
    assert has_inner_padding(data) is is_inner


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("subject", "=?utf-8?q?a_b?=", "a b"),
        ("subject", "=?utf-8*en?q?a?= c", "a c"),
        ("subject", "=?utf-8?b?w6k=?= =?utf-8?q?=C3?=\t=?utf-8?q?=A9?=", "éé"),
        ("subject", "=?utf-8?b?w6?= =?utf-8?b?k=?=", "é"),
        ("subject", "=?utf-8?q?=C3=A9?= =?iso-8859-1?q?=E9?=", "éé"),
        ("subject", "=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("subject", "=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("subject", "=?utf-8?q?é?=", "é"),
        ("subject", "=?x-none?q?é?=", "é"),
        ("subject", "=?utf-8?q?a=0Ab?=", "a b"),
        ("subject", "a\x01b", "a b"),
        ("subject", "=?utf-8?q?_a_?=", "a"),
        ("from", "=?utf-8?q?Doe=2C_J?= <j@x.example>", '"Doe, J" <j@x.example>'),
        ("from", "=?utf-8?q?Doe?= <j@x.example>", "Doe <j@x.example>"),
        ("from", '"=?utf-8?q?Doe=2C_J?=" <j@x.example>', '"Doe, J" <j@x.example>'),
        ("from", '"a\\"" =?utf-8?q?b=2Cc?= <j@x.example>', '"a\\"" "b,c" <j@x.example>'),
        ("from", "=?utf-8?q?a=22=5C,?= <j@x.example>", '"a\\"\\\\," <j@x.example>'),
    ],
)
def test_encoded_words_are_decoded(name: str, value: str, text: str) -> None:
    """RFC 2047, and what is written instead; in an address they stay text."""
    assert decode_value(name, value) == text


@pytest.mark.parametrize("text", ["plain", "é", "é" * 11, "é" * 12, "日本語の件名" * 3, "a" * 30 + "é"])
def test_words_are_written_so_that_they_can_be_read(text: str) -> None:
    """None is longer than 75 characters (RFC 2047 section 2); ASCII stays as it is."""
    coded = encoded_words(text)
    assert decode_value("subject", coded) == text
    assert coded.isascii()
    assert all(len(word) <= 75 for word in coded.split(" "))
    assert (coded == text) is text.isascii()


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("<https://a.example/u>", ("https://a.example/u",)),
        ("<https://a.example/ u>,<mailto:u@a.example>", ("https://a.example/u", "mailto:u@a.example")),
        ("<>, < >, https://a.example/u", ()),
        ("NO", ()),
    ],
)
def test_the_addresses_of_a_list_header_are_read(value: str, urls: tuple[str, ...]) -> None:
    """Those in brackets (RFC 2369 section 2)."""
    assert listed_urls(value) == urls
