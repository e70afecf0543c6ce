"""One table says what the words of a status mean, in lists of contacts and in suppression files."""

from __future__ import annotations

import io

import pytest

from mailflows import check_list
from mailflows._status_words import answers, fold_words, meanings
from mailflows.feedback import SuppressionList, import_suppressions
from mailflows.limits import MemoryStore

ACTIVE = "email;status\nada@shop.fr;{}\nbob@shop.fr;subscribed\n"


def marked(word: str) -> dict[str, int]:
    """Return why a list leaves out who has such a status."""
    return check_list(io.StringIO(ACTIVE.format(word)), dns=False).do_not_mail


def suppressed(word: str) -> list[str]:
    """Return the reasons that a suppression file gives."""
    suppressions = SuppressionList(MemoryStore())
    import_suppressions(suppressions, io.StringIO(ACTIVE.format(word)))
    return [entry.reason for entry in suppressions]


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("Unsubscribed", "unsubscribed"),
        ("Désabonnée", "unsubscribed"),
        ("отписана", "unsubscribed"),
        ("購読解除", "unsubscribed"),
        ("недействителен", "bounced"),
        ("Nieprawidłowy", "bounced"),
        ("hartbounce", "bounced"),
        ("als Spam markiert", "complained"),
        ("пожаловался", "complained"),
    ],
)
def test_a_word_means_the_same_in_both_kinds_of_files(word: str, why: str) -> None:
    """Whichever of the two it was met in first, in any case and with any accent."""
    assert marked(word) == {why: 1}
    assert suppressed(word) == [why]


@pytest.mark.parametrize(
    ("word", "in_a_list", "in_a_file"),
    [
        ("removed", {"unsubscribed": 1}, []),
        ("deleted", {"blocked": 1}, []),
        ("never subscribed", {"no-consent": 1}, []),
        ("customer", {}, ["opted-out"]),
        ("active", {}, []),
        ("blacklisted", {"blocked": 1}, ["opted-out"]),
    ],
)
def test_what_differs_stands_in_its_section(
    word: str, in_a_list: dict[str, int], in_a_file: list[str]
) -> None:
    """Who was removed from a suppression list may be mailed; who was removed from a mailing list may not."""
    assert marked(word) == in_a_list
    assert suppressed(word) == in_a_file


def test_no_word_has_two_meanings_in_one_kind_of_file() -> None:
    """A word that stood twice would mean what stands last."""
    from mailflows._status_words import _table

    for kind in ("lists", "suppressions"):
        rows = [row for name in ("shared", kind) for row in _table()[name].values()]
        words = [word for row in rows for word in {fold_words(word) for word in row}]
        assert sorted(words) == sorted(set(words))
        assert len(meanings(kind)) == len(words)
    assert not answers("yes") & answers("no")
