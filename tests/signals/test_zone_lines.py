"""Zones line by line: each line of a case stands behind the letter of its zone.

P preheader, H header, B body, A call to action, S signature, Q quoted, D disclaimer, F footer.
"""

from __future__ import annotations

import pytest

from mailflows.signals.zones import MOST_LINES, ZoneKind, zones_of_text

LETTERS = dict(zip("PHBASQDF", ZoneKind, strict=True))
TEXT = "B|Your rail card was renewed today and is valid until March."
MORE = "B|Please write to us if anything is not as you want it to be."


def of_each_line(text: str) -> list[tuple[str, str]]:
    """Return the kind of each line that shows something, and the line."""
    return [(str(zone.kind), line) for zone in zones_of_text(text) for line in zone.text.split("\n")]


def holds(*lines: str) -> None:
    """Check that each line gets the zone that its letter says."""
    told = [line.split("|", 1) for line in lines]
    found = of_each_line("\n".join(text for _, text in told))
    assert found == [(str(LETTERS[letter]), text) for letter, text in told]


def lines_of(count: int, words: int, letter: str) -> list[str]:
    """Return some lines of so many words each."""
    return [f"{letter}|{' '.join(['slogan'] * words)}"] * count


POSTAL = {
    "F|8 Viaduct Road, Leeds": "a number before a short street",
    "B|Viaduct Road 8, Leeds": "a number, and neither a postcode nor three pieces",
    "F|Viaduct Road, Leeds 24103": "a postcode",
    "F|Viaduct Road 8, Leeds LS1 4DY": "a British postcode",
    "F|Viaduct Road 8, Leeds, Kent": "three pieces, one of them with a number",
    "B|Viaduct Road, Leeds, Kent": "no number at all",
    "B|8 Viaduct Road Leeds": "one piece",
    "F|8 Viaduct Road By The, Leeds": "six words",
    "B|8 Viaduct Road By The Sea, Leeds": "seven words, and no other sign",
    "B|8 Viaduct, Leeds, 20 €": "an amount of money",
    "B|Come at 8, 9, 10. See you": "a sentence",
    "F|8 Viaduct Road, Leeds.": "a full stop at the end is none",
    "F|Viaduct Road 8, Leeds, " + " ".join("abcdefghijklmnopqrst"): "twenty-four words",
    "B|Viaduct Road 8, Leeds, " + " ".join("abcdefghijklmnopqrstu"): "twenty-five words",
}


@pytest.mark.parametrize("line", POSTAL, ids=POSTAL.values())
def test_a_postal_address_is_told_from_a_sentence(line: str) -> None:
    """Short pieces with a number among them, and no price."""
    holds(TEXT, line)


FOOTERS = {
    "a label above joins the footer": ["F|Help centre", "F|Unsubscribe"],
    "of three words at most": ["B|Visit our help centre", "F|Unsubscribe"],
    "three words": ["F|Our help centre", "F|Unsubscribe"],
    "without a number": ["B|Order 12", "F|Unsubscribe"],
    "and no sentence": ["B|Help.", "F|Unsubscribe"],
    "a rule joins it, too": ["F|-----", "F|Unsubscribe"],
    "but two lines at most": ["B|Shops", "F|Help", "F|Jobs", "F|Unsubscribe"],
    "a label alone is none": ["B|Help centre"],
    "a web address is no label": ["A|https://a.example/b", "F|Unsubscribe"],
    "a signature above is none of it": ["S|Best regards", "S|Ada", "F|Unsubscribe"],
    "two lines between may say anything": ["F|Unsubscribe", *lines_of(2, 2, "F"), "F|Imprint | Terms"],
    "a third ends it": [
        "B|Unsubscribe",
        *lines_of(1, 2, "B"),
        *lines_of(2, 2, "F"),
        "F|Unsubscribe | Terms",
    ],
    "a line between is short": ["F|Unsubscribe", *lines_of(1, 12, "F"), "F|Unsubscribe | Terms"],
    "a sentence between ends it": [
        "B|Unsubscribe",
        "B|" + "slogan " * 12 + "slogan.",
        "F|Unsubscribe | Terms",
    ],
    "wording counts in a short line": ["F|Unsubscribe " + "now " * 10 + "now."],
    "not in a long one": ["B|Unsubscribe " + "now " * 11 + "now."],
    "unless that is a menu": ["F|Unsubscribe | " + "now " * 11 + "now."],
    "why it came counts in a long one, too": [
        "F|You receive this email because you subscribed " + "once " * 8 + "once."
    ],
    "an address to leave by": ["F|Unsubscribe: https://a.example/u"],
    "an address of something else": ["B|Read the new terms of service: https://a.example/t"],
    "a copyright": ["F|© 2026 Northline"],
    "in letters": ["F|(c) 2026 Northline"],
    "not a list of choices": ["B|Choose (a), (b) or (c) Northline"],
    "a recording": ["F|℗ 2026 Northline"],
    "a quotation ends it": ["B|Unsubscribe", "Q|> So it is.", "F|Unsubscribe"],
}


@pytest.mark.parametrize("lines", FOOTERS.values(), ids=FOOTERS)
def test_a_footer_begins_where_its_wording_does(lines: list[str]) -> None:
    """It is read upwards from the end: its wording, and what may stand between and above."""
    holds(TEXT, *lines)


def test_three_words_are_no_first_sentence() -> None:
    """Four are, and stay what the message says."""
    holds("B|Northline", "F|Unsubscribe me now.", "F|Unsubscribe")
    holds("B|Northline", "B|Unsubscribe me right now.", "F|Unsubscribe")


def test_a_footer_is_not_endless() -> None:
    """A long list of short lines is a body that looks like one."""
    found = of_each_line("\n".join(["Your rail card was renewed today.", *["Unsubscribe"] * 60]))
    assert [kind for kind, _ in found].count("footer") == 31
    assert [kind for kind, _ in found][:30] == ["body"] * 30


@pytest.mark.parametrize(("words", "kind"), [(5, "body"), (6, "disclaimer")])
def test_a_disclaimer_is_more_than_a_label(words: int, kind: str) -> None:
    """A stamp such as "strictly confidential" is no notice."""
    line = " ".join(["Strictly confidential", *["so"] * (words - 2)])
    assert of_each_line(f"{TEXT[2:]}\n{line}")[-1] == (kind, line)


SIGNATURES = {
    "a sign-off and a name": ["S|Kind regards", "S|Ada"],
    "the mark of mail clients": ["S|--", "S|Ada"],
    "three dashes are no mark": ["B|---", "B|Ada"],
    "a sign-off in a sentence is none": ["B|Kind regards to you all there", "B|Ada"],
    "a line of twelve words may follow": ["S|Kind regards", *lines_of(1, 12, "S")],
    "one of thirteen is a text": ["B|Kind regards", *lines_of(1, 13, "B")],
    "six lines may follow": ["S|Kind regards", *["S|Ada"] * 6],
    "not seven": ["B|Kind regards", *["B|Ada"] * 7],
    "a quotation below ends the search": ["B|Kind regards", "B|Ada", "Q|> So it is."],
}


@pytest.mark.parametrize("lines", SIGNATURES.values(), ids=SIGNATURES)
def test_a_signature_is_a_sign_off_and_few_short_lines(lines: list[str]) -> None:
    """What stands below it is a name, a role, a street, a telephone number."""
    holds(TEXT, *lines)


TOPS = {
    "a name and a menu": ["H|Northline", "B|Tickets"],
    "four lines of a menu": ["H|Northline", "H|Tickets", "H|Trains", "H|News", "B|Jobs", "B|Help"],
    "a name alone is no band": ["B|Northline"],
    "an offer to view it elsewhere": ["P|View in browser"],
    "with what stands above": ["P|Northline", "P|View in browser"],
    "behind a sentence it is none": ["B|Your card is ready, and it is free.", "B|View in browser"],
    "behind a greeting it is none": ["B|Hello Ada", "B|View in browser"],
    "a number is no name": ["B|Order 12", "B|Tickets"],
    "an address is no name": ["A|https://a.example/b", "B|Tickets"],
    "the sixth line may be the offer": ["H|A", "H|B", "H|C", "H|D", "B|E", "B|View in browser"],
}


@pytest.mark.parametrize("lines", TOPS.values(), ids=TOPS)
def test_what_stands_above_the_text_is_told_from_it(lines: list[str]) -> None:
    """The name of the house, its menu, and the offer to view the message in a browser."""
    holds(*lines, TEXT, MORE)


QUOTED = {
    "from its introduction on": ["B|Hi", "Q|On Monday Ada wrote:", "Q|Hello there"],
    "nothing is quoted before the text": ["B|On Monday Ada wrote:", "B|Hello there"],
    "three words introduce nothing": ["B|Hi", "B|Monday Ada wrote:", "B|Hello there"],
    "a line of five dashes": ["B|Hi", "Q|-----Original Message-----", "Q|Hello"],
    "of four": ["B|Hi", "B|----Original Message-----", "B|Hello"],
    "and of other words": ["B|Hi", "B|----- Part two -----", "B|Hello"],
    "three fields of a head": ["B|Hi", "Q|From: Ada", "Q|Sent: Monday", "Q|To: Ben", "Q|Hello"],
    "two are none": ["B|Hi", "B|From: Ada", "B|Sent: Monday", "B|Size: 3", "B|Hello"],
    "within five lines": ["B|Hi", "Q|From: Ada", "Q|x", "Q|y", "Q|Sent: Monday", "Q|To: Ben"],
    "not six": ["B|Hi", "B|From: Ada", "B|x", "B|y", "B|z", "B|Sent: Monday", "B|To: Ben"],
    "marked lines": ["B|Hi", "Q|> one", "Q|| two", "B||three"],
    "answers between them": ["B|Hi", "Q|On Monday Ada wrote:", "Q|> one", "B|Yes"],
    "none below them": ["B|Hi", "Q|On Monday Ada wrote:", "Q|> one", "Q|> two"],
}


@pytest.mark.parametrize("lines", QUOTED.values(), ids=QUOTED)
def test_a_quotation_is_told_by_its_introduction(lines: list[str]) -> None:
    """A line that introduces it, the fields of a head, or a mark before each line."""
    holds(*lines)


@pytest.mark.parametrize("count", [MOST_LINES - 1, MOST_LINES, MOST_LINES + 1, 2 * MOST_LINES])
def test_of_very_many_lines_both_ends_are_read(count: int) -> None:
    """The middle of a very long text says nothing of its zones."""
    text = [f"line{number}" for number in range(count)]
    half = MOST_LINES // 2
    kept = text if count <= MOST_LINES else text[:half] + text[-half:]
    assert [line for _, line in of_each_line("\n".join(text))] == kept


def test_a_zone_knows_where_it_begins() -> None:
    """Lines are counted from 0, and blank ones count."""
    found = zones_of_text(f"\n{TEXT[2:]}\n\n\nUnsubscribe")
    assert [(zone.kind, zone.start) for zone in found] == [(ZoneKind.BODY, 1), (ZoneKind.FOOTER, 4)]
