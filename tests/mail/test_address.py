"""Addresses: who is judged is who readers see, and what cannot be read is mailed by nobody."""

from __future__ import annotations

import pytest

from mailflows._mail.address import LONGEST, mailbox_of, mailboxes_of, read_addresses, read_author


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
    ["ada@.example", "ada@x..example", '""@x.example', "<ada@.example>", "ada@x.example, bob", "''"],
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
