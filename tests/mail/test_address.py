"""Addresses: who is judged is who readers see, and what cannot be read is mailed by nobody."""

from __future__ import annotations

import pytest

from mailflows._mail.address import (
    AUTHOR_LIMIT,
    LONGEST,
    comment_end,
    mailbox,
    mailbox_of,
    mailboxes_of,
    read_addresses,
    read_author,
)


@pytest.mark.parametrize(
    ("value", "sure"),
    [
        ("(a(b)<x@good.example>)boss@bad.example", ["boss@bad.example"]),
        (r"(\)<x@good.example>)boss@bad.example", ["boss@bad.example"]),
        ("a@b.example (x(y), c@d.example, (z))", ["a@b.example"]),
        ("team: a@b.example, Carol <c@d.example>;", ["a@b.example", "c@d.example"]),
        ('"boss@bad.example"@b.example', ['"boss@bad.example"@b.example']),
        ("a@b.example <a@b.example>", ["a@b.example"]),
        ("<@relay.example:a@b.example>", ["a@b.example"]),
        ("<x@good.example> boss@bad.example", []),
        ("boss@bad.example <x@good.example>", []),
        ("<x@good.example:boss@bad.example>", []),
        ("boss@bad.example:x@good.example;", []),
        ('"a\\" <x@good.example>', []),
    ],
)
def test_only_what_every_reader_finds_is_sure(value: str, sure: list[str]) -> None:
    """Comments nest, a backslash quotes, and two addresses in one mailbox are none."""
    found = read_addresses(value)
    assert [box.address for box in found.mailboxes] == sure
    assert bool(found.unread) == (not sure)


@pytest.mark.parametrize(
    "spelled",
    ["Ada <ada@x.example>", "<ada@x.example>", "mailto:ada@x.example?subject=x", '"ada"@x.example',
     " ada@x.example", "ada@x.example (home)", "ada@x.example.", "<@relay.example:ada@x.example>"],
)  # fmt: skip
def test_a_mailbox_is_found_however_it_is_spelled(spelled: str) -> None:
    """The address is what counts."""
    assert mailbox_of(spelled) == "ada@x.example"


@pytest.mark.parametrize(
    "spelled", ["ada", "(ada@x.example)", '"ada@x.example"', "a@x.example>", "a@x, b@x", ""]
)
def test_what_is_no_mailbox_is_none(spelled: str) -> None:
    """Nobody is mailed by a guess."""
    assert mailbox_of(spelled) is None


@pytest.mark.parametrize(
    "value", ['"Oak <ada@oak.example>"', "Oak <ada@oak,example>", 'Oak <"ada@oak.example">', "<kent>"]
)
def test_what_nobody_can_read_is_no_address(value: str) -> None:
    """A name that holds an address, and a domain with a comma, are nobody."""
    found = read_addresses(value)
    assert (found.mailboxes, found.likely) == ((), ())
    assert found.unread


def test_an_author_is_as_short_as_a_line() -> None:
    """A From that is longer than any real one is told as unread, and quickly."""
    found = read_author("a@oak.example, " * 1000)
    assert not found.mailboxes
    assert found.unread


@pytest.mark.parametrize(
    "spelled",
    [
        "ada@.example",
        "ada@x..example",
        "ada@x.example..",
        '""@x.example',
        "<ada@.example>",
        "ada@x.example, bob",
        "''",
    ],
)
def test_an_address_without_a_whole_domain_or_local_part_is_none(spelled: str) -> None:
    """A label or a local part of nothing is mailed by nobody (RFC 5321 section 4.1.2)."""
    assert mailboxes_of(spelled) == ()


@pytest.mark.parametrize(
    ("spelled", "found"),
    [
        ("'ada@x.example'", "ada@x.example"),
        ("<'ada@x.example'>", "ada@x.example"),
        ("o'hara@x.example", "o'hara@x.example"),
        ("'o'hara@x.example'", "o'hara@x.example"),
    ],
)
def test_quotation_marks_around_an_address_are_left_out(spelled: str, found: str) -> None:
    """Outlook writes them around; inside a local part they are letters."""
    assert mailboxes_of(spelled) == (found,)


def test_the_longest_address_is_still_one() -> None:
    """254 characters are one (RFC 5321 section 4.5.3.1.3, errata 1690), 255 are none, also in brackets."""
    domain = ".".join(["x" * 60] * 4)
    for length, is_one in ((LONGEST, True), (LONGEST + 1, False)):
        address = f"{'a' * (length - len(domain) - 1)}@{domain}"
        assert bool(mailboxes_of(f"<{address}>")) == is_one


def test_an_ordinary_author_is_read_whole() -> None:
    """Name and address of a From of usual length."""
    (author,) = read_author("Ada Lovelace <Ada@X.example>").mailboxes
    assert (author.name, author.address) == ("Ada Lovelace", "Ada@x.example".lower())
    assert read_author("Ada <ada@x.example>, bob@x.example").unread == ()


def test_an_address_in_a_quoted_name_does_not_contradict_the_real_one() -> None:
    """What stands in quotation marks is a name; bare, beside the brackets, it is a second address."""
    quoted, bare = '"boss@bad.example" <x@good.example>', "boss@bad.example <x@good.example>"
    assert [box.address for box in read_addresses(quoted).mailboxes] in ([], ["x@good.example"])
    assert read_addresses(bare).mailboxes == ()


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("(Ada) <a@x.example>", "Ada", "a@x.example"),
        ("a@x.example (Ada) (King)", "Ada King", "a@x.example"),
        ("Ada <a@x.example> (home)", "Ada", "a@x.example"),
        ("Ada [x] <a@x.example>", "Ada", "a@x.example"),
        ("\"A\" 'B' <a@x.example>", "A 'B'", "a@x.example"),
        ("'Ada' <a@x.example>", "Ada", "a@x.example"),
        ("'Ada <a@x.example>", "'Ada", "a@x.example"),
        ("' <a@x.example>", "'", "a@x.example"),
        ("'' <a@x.example>", "", "a@x.example"),
        ("Ada@x.example <ada@x.example>", "Ada@x.example", "ada@x.example"),
        ('"a b"@x.example', "a b", '"a b"@x.example'),
        ("a@[192.0.2.1]", "", "a@[192.0.2.1]"),
        ("(Ada (of) Byron) a@x.example", "Ada (of) Byron", "a@x.example"),
        ("<MAILTO:a@x.example>", "", "a@x.example"),
        ("<a(c)@x.example>", "", "a@x.example"),
        ("a@x.example'", "", "a@x.example'"),
    ],
)
def test_one_mailbox_has_a_name_and_an_address(value: str, name: str, address: str) -> None:
    """The name stands in front, or in a comment; quotation marks around it are none of it."""
    found = read_addresses(value)
    assert found.unread == ()
    assert [(box.name, box.address) for box in found.mailboxes] == [(name, address)]
    assert mailbox(value) == found.mailboxes[0]


@pytest.mark.parametrize(
    ("value", "unread", "likely"),
    [
        ("Ada a@x.example", ["Ada a@x.example"], ["a@x.example"]),
        ("<a@x.example", ["<a@x.example"], ["a@x.example"]),
        ("a@x.example>", ["a@x.example>"], ["a@x.example"]),
        ("it was 'a@x.example.' who", ["it was 'a@x.example.' who"], ["a@x.example"]),
        ("it was a@x who", ["it was a@x who"], []),
        ('"a@x.example" who', ['"a@x.example" who'], []),
        ("<>", ["<>"], []),
        ("(a@x.example", ["(a@x.example"], ["a@x.example"]),
        ("one, a@x.example; two", ["one", "two"], ["a@x.example"]),
        ("a@x.example: b@x.example, c@x.example; d@x.example", ["b@x.example", "c@x.example"], list("bcd")),
        ("team:;", [], []),
        (" , ;", [], []),
    ],
)
def test_what_is_not_sure_is_told_with_its_likely_meaning(
    value: str, unread: list[str], likely: list[str]
) -> None:
    """One text for each that is none; a name that looks like an address makes its group unsure."""
    found = read_addresses(value)
    assert list(found.unread) == unread
    meant = [one if "@" in one else f"{one}@x.example" for one in likely]
    assert [box.address for box in found.likely] == meant


@pytest.mark.parametrize(
    ("value", "name"), [('"Mailer" <$$$>', "Mailer"), ("Ada, Byron", "Ada"), ('"Ada', "Ada"), ("", "")]
)
def test_without_an_address_there_may_be_a_name(value: str, name: str) -> None:
    """It is shown to people, and mailed by nobody."""
    assert (mailbox(value).name, mailbox(value).address) == (name, "")
    assert (mailbox(value).local, mailbox(value).domain) == ("", "")


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [("(a) b", 0, 3), ("x(a(b))c", 1, 7), (r"(a\))", 0, 5), ("(a", 0, 3), ("(((a)", 0, 6)],
)
def test_a_comment_ends_where_it_is_closed(value: str, start: int, end: int) -> None:
    """One that has no end goes beyond the text."""
    assert comment_end(value, start) == end


@pytest.mark.parametrize(("depth", "is_read"), [(100, True), (101, False)])
def test_comments_may_stand_in_comments_a_hundred_deep(depth: int, *, is_read: bool) -> None:
    """No software writes more than one."""
    value = "(" * depth + ")" * depth
    assert (comment_end(value, 0) == len(value)) is is_read
    assert (mailbox_of(f"{value} a@x.example") == "a@x.example") is is_read


@pytest.mark.parametrize(("length", "is_read"), [(100_000, True), (100_001, False)])
def test_a_cell_of_a_table_may_hold_a_list(length: int, *, is_read: bool) -> None:
    """One of a hundred thousand letters is read, a longer one is no list of addresses."""
    value = "a@x.example, " * 7690
    value += "b" * (length - len(value) - len("@x.example")) + "@x.example"
    assert len(value) == length
    assert bool(mailboxes_of(value)) is is_read


@pytest.mark.parametrize("spelled", ["mailto:ada%0A@x.example", "ada\x00@x.example", "ada@x.example\n"])
def test_what_cannot_be_printed_is_no_address(spelled: str) -> None:
    """Also where it is written in hexadecimal."""
    assert mailboxes_of(spelled) == ()
    assert mailboxes_of("mailto:ada%2Bx@x.example?subject=a%0Ab") == ("ada+x@x.example",)


@pytest.mark.parametrize(("words", "is_read"), [(1000, True), (1001, False)])
def test_a_display_name_has_a_number_of_words(words: int, *, is_read: bool) -> None:
    """A thousand quoted strings in a row are read, more are nobody's name."""
    for value in ('"a"' * words + "<a@x.example>", "(a)" * words + "<a@x.example>"):
        assert (read_addresses(value).unread == ()) is is_read


@pytest.mark.parametrize(("length", "is_read"), [(AUTHOR_LIMIT, True), (AUTHOR_LIMIT + 1, False)])
def test_an_author_has_a_length(length: int, *, is_read: bool) -> None:
    """Four thousand letters and a few, with the blanks around."""
    found = read_author("ada@x.example".rjust(length))
    assert bool(found.mailboxes) is is_read
    assert bool(found.unread) is not is_read
