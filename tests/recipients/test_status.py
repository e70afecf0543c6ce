"""Columns of an export that say who is not to be mailed."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING

import pytest

from mailflows import check_list
from mailflows.errors import ConfigurationError
from mailflows.recipients import ListReport

if TYPE_CHECKING:
    from pathlib import Path


def kept(text: str, **options: bool) -> list[str]:
    """Return the clean addresses of a table whose first column is "email"."""
    return [row["email"] for row in check_list(io.StringIO(text), dns=False).clean(**options)]


@pytest.mark.parametrize(
    ("head", "stays", "goes", "why"),
    [
        ("Status", "Subscribed", "Unsubscribed", "unsubscribed"),
        ("Email Marketing Status", "Subscribed", "Cleaned", "bounced"),
        ("Email Marketing Status", "Subscribed", "Non-Subscribed", "no-consent"),
        ("UNSUB_TIME", "", "2025-03-04 10:11:12", "unsubscribed"),
        ("CLEAN_TIME", "", "2025-03-04 10:11:12", "bounced"),
        ("EMAIL_BLACKLISTED", "No", "Yes", "blocked"),
        ("Blocklisted", "false", "true", "blocked"),
        ("IsUnsubscribed", "0", "1", "unsubscribed"),
        ("IsExcludedFromCampaigns", "False", "True", "blocked"),
        ("subscribed", "true", "false", "no-consent"),
        ("Unsubscribed from all email", "", "TRUE", "unsubscribed"),
        ("Opted out of email: Newsletter", "No", "Yes", "unsubscribed"),
        ("Email hard bounce reason", "", "UNKNOWN_USER", "bounced"),
        ("Accepts Email Marketing", "yes", "no", "no-consent"),
        ("Email Marketing Consent", "SUBSCRIBED", "NEVER_SUBSCRIBED", "no-consent"),
        ("Email Suppressions", "[]", "['SPAM_COMPLAINT']", "complained"),
        ("status", "Active", "Bounced", "bounced"),
        ("BOUNCE", "", "hard", "bounced"),
        ("Bounce", "soft", "2026-02-14", "bounced"),
        ("Bounce", "no", "Permanent", "bounced"),
        ("Bounce type", "Soft", "Hard", "bounced"),
        ("Rebond", "non", "oui", "bounced"),
        ("Newsletter", "1", "0", "no-consent"),
        ("Inscrit à la newsletter", "oui", "non", "no-consent"),
        ("Newsletter abonniert", "ja", "nein", "no-consent"),
        ("status", "active", "junk", "complained"),
        ("status", "soft bounce", "hard bounce", "bounced"),
        ("status", "Subscribed", "Unsubscribed on 2025-03-04", "unsubscribed"),
        ("Statut", "Inscrit", "Désinscrit", "unsubscribed"),
        ("Statut", "Actif", "NPAI", "bounced"),
        ("Date de désabonnement", "", "04/03/2025", "unsubscribed"),
        ("Désabonné", "non", "oui", "unsubscribed"),
        ("Abgemeldet am", "", "04.03.2025", "unsubscribed"),
        ("Newsletterstatus", "aktiv", "abgemeldet", "unsubscribed"),
        ("Zustand", "aktiv", "Unzustellbar", "bounced"),
        ("Statut de l'abonnée", "Abonnée", "Désabonnée", "unsubscribed"),
        ("Статус", "активен", "Отписан", "unsubscribed"),
        ("Durum", "", "abonelikten çıktı", "unsubscribed"),
        ("ステータス", "配信中", "配信停止", "unsubscribed"),
        ("Estado", "Suscrito", "Dado de baja", "unsubscribed"),
        ("Stato iscrizione", "Iscritto", "Disiscritto", "unsubscribed"),
        ("bounced_at", "0000-00-00 00:00:00", "2025-03-04 10:11:12", "bounced"),
        ("my own name", "Subscribed", "Unsubscribed", "unsubscribed"),
        ("Consentement newsletter", "Oui", "NON", "no-consent"),
        ("Consentement e-mail (RGPD)", "", "Non", "no-consent"),
        ("Opt-in pour la newsletter", "1", "0", "no-consent"),
        ("RGPD", "oui", "non", "no-consent"),
        ("Souhaite recevoir la newsletter", "oui", "non", "no-consent"),
        ("Einwilligung Marketing", "ja", "nein", "no-consent"),
        ("Consentimiento para el newsletter", "sí", "no", "no-consent"),
        ("Consenso newsletter", "sì", "no", "no-consent"),
        ("Permission", "yes", "no", "no-consent"),
        ("Blacklisté e-mail", "0", "1", "blocked"),
        ("Désinscrit de la newsletter", "non", "14/02/2026", "unsubscribed"),
        ("Newsletter: opted out", "", "x", "unsubscribed"),
        ("Statut newsletter", "Inscrit", "Désinscrit", "unsubscribed"),
    ],
)
def test_who_is_not_to_be_mailed_is_left_out(head: str, stays: str, goes: str, why: str) -> None:
    """By the name of the column, or its words, in several languages; the report says so and counts it."""
    report = check_list(
        io.StringIO(f'email;{head}\nada@shop.fr;"{stays}"\nbob@shop.fr;"{goes}"\neve@shop.fr;"{stays}"\n'),
        dns=False,
    )
    assert [row["email"] for row in report.clean()] == ["ada@shop.fr", "eve@shop.fr"]
    assert report.do_not_mail == {why: 1}
    assert report.left_out() == {why: 1}
    assert report.status_columns == (head,)
    assert report.prediction.addresses == 2
    assert "1 of 3 rows (33%)" in next(one for one in report.findings if one.code == "marked-rows").sentence
    assert len(list(report.clean(ignore_status=True))) == 3


@pytest.mark.parametrize(
    ("head", "one", "other"),
    [
        ("State", "CA", "NY"),
        ("Type", "customer", "prospect"),
        ("Notes", "unsubscribed by mistake", "called, no answer"),
        ("Lead Status", "Open", "Lost"),
        ("OPTIN_TIME", "2024-03-01 10:11:12", ""),
        ("City", "Baja", "Paris"),
        ("Active", "yes", "no"),
        ("Date de consentement newsletter", "14/02/2024", "non"),
        ("Stop", "Part-Dieu", "Bellecour"),
        ("Opposition marketing", "budget", "délai"),
        ("Source du consentement", "web", "salon"),
        ("E-mail", "non", "oui"),
    ],
)
def test_other_columns_say_nothing(head: str, one: str, other: str) -> None:
    """A word in a column of something else keeps nobody from being mailed."""
    assert len(kept(f'email;{head}\nada@shop.fr;"{one}"\nbob@shop.fr;"{other}"\n')) == 2


def test_who_left_once_stays_away() -> None:
    """A mailbox that is marked in one row is left out of all of them, in any order."""
    text = "email;status\nAda@shop.fr;subscribed\nada@shop.fr;unsubscribed\nbob@shop.fr;subscribed\n"
    assert kept(text) == ["bob@shop.fr"]
    report = check_list(io.StringIO(text), dns=False)
    assert report.left_out() == {"unsubscribed": 2}
    assert report.prediction.addresses == 1


def test_a_suggestion_does_not_bring_back_who_left() -> None:
    """The corrected address is one that is marked in another row."""
    text = "email;status\nada@gmial.com;subscribed\nada@gmail.com;unsubscribed\n"
    assert kept(text, apply_suggestions=True) == []


def test_a_list_of_those_who_left() -> None:
    """Most rows are marked: the report says that this is the wrong export, and there is nobody to send to."""
    rows = "".join(f"p{i}@firm{i}.fr,2025-03-04 10:11:12\n" for i in range(10))
    report = check_list(io.StringIO(f"Email Address,UNSUB_TIME\n{rows}"), dns=False)
    assert [one.code for one in report.findings] == ["mostly-not-to-mail"]
    assert report.advice == "stop"
    assert report.left_out() == {"unsubscribed": 10}


@pytest.mark.parametrize(
    ("marked", "code"), [(1, "marked-rows"), (5, "marked-rows"), (6, "mostly-not-to-mail")]
)
def test_more_than_half_is_most(marked: int, code: str) -> None:
    """Of ten rows, five marked ones are some and six are most."""
    rows = "".join(f"p{i}@firm{i}.fr,{'2025-03-04' if i < marked else ''}\n" for i in range(10))
    report = check_list(io.StringIO(f"Email Address,UNSUB_TIME\n{rows}"), dns=False)
    assert [one.code for one in report.findings] == [code]


def test_mappings_whose_keys_come_late() -> None:
    """A key that only a later object has is a column of status, too."""
    people: list[object] = [{"email": f"p{i}@firm{i}.fr"} for i in range(300)]
    people.append({"email": "bob@shop.fr", "unsubscribed_at": "2025-03-04"})
    report = check_list(people, dns=False)
    assert report.do_not_mail == {"unsubscribed": 1}


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    """Rows in are rows kept and rows left out; the file of all rows says why, and a saved report knows it."""
    text = (
        "email,status\nada@shop.fr,subscribed\nADA@shop.fr,subscribed\nbob@gmial.com,subscribed\n,subscribed\n"
        "nothing,subscribed\neve@shop.fr,cleaned\na@shop.fr; b@shop.fr,subscribed\n"
    )
    report = check_list(io.StringIO(text), dns=False)
    assert report.left_out() == {"duplicate": 1, "risky": 1, "bad-row": 1, "undeliverable": 1, "bounced": 1}
    assert report.clean_to_csv(tmp_path / "clean.csv") == 3  # one row holds two
    assert report.rows == 2 + sum(report.left_out().values())
    report.to_csv(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[6].endswith(",bounced")
    report.save(tmp_path / "report.db")
    again = ListReport.load(tmp_path / "report.db")
    assert again == report
    assert again.left_out() == report.left_out() == pickle.loads(pickle.dumps(report)).left_out()


@pytest.mark.parametrize(
    "content",
    [
        "email;prénom\r\nada@shop.fr;Élodie\r\n".encode("cp1252"),
        "\ufeffemail;ville\nada@shop.fr;Orléans; Cedex\n".replace("; Cedex", "").encode(),
        '"email";"ville"\r\n"ada@shop.fr";"Orléans"\r\n'.encode(),
        "email\tville\r\nada@shop.fr\tOrléans\r\n".encode("utf-16"),
        b"sep=;\r\nemail;ville\r\nada@shop.fr;Paris\r\n",
        b"email|city\nada@shop.fr|Paris\n",
        b'email,city\nada@shop.fr,"Paris, France"\n',
    ],
)
def test_a_file_comes_back_as_it_was_written(content: bytes, tmp_path: Path) -> None:
    """Delimiter, encoding with its mark, quotes, line ends: what opened it opens the clean rows."""
    file, clean = tmp_path / "in.csv", tmp_path / "clean.csv"
    file.write_bytes(content)
    report = check_list(file, dns=False)
    report.clean_to_csv(clean)
    assert clean.read_bytes() == content
    report.save(tmp_path / "report.db")
    ListReport.load(tmp_path / "report.db").clean_to_csv(clean)
    assert clean.read_bytes() == content


def test_another_dialect_can_be_asked_for(tmp_path: Path) -> None:
    """Excel in French opens semicolons, and UTF-8 by its mark."""
    report = check_list([{"email": "ada@shop.fr", "ville": "Orléans"}], dns=False)
    report.clean_to_csv(tmp_path / "clean.csv", delimiter=";", encoding="utf-8-sig")
    assert (tmp_path / "clean.csv").read_bytes() == "\ufeffemail;ville\r\nada@shop.fr;Orléans\r\n".encode()
    for wrong in ({"delimiter": ";;"}, {"encoding": "klingon"}):
        with pytest.raises(ConfigurationError):
            report.to_csv(tmp_path / "x.csv", **wrong)  # type: ignore[arg-type] # wrong on purpose


def test_what_a_provider_says() -> None:
    """By any common spelling; one without a known limit is refused with the names of the others."""
    report = check_list(["ada@shop.fr"], dns=False)
    assert report.policy("brevo").policy.name == "Brevo"
    assert report.policy("SES").policy.name == "Amazon SES"
    with pytest.raises(ConfigurationError, match="did you mean brevo"):
        report.policy("Breevo")


def test_a_size_rule_counts_recipients() -> None:
    """Blank rows, repeated ones and people who left are no recipients; bad addresses are."""
    people = [f"p{i}@firm{i}.fr" for i in range(1_990)]
    rows = [{"email": one, "unsubscribed": ""} for one in [*people, *[""] * 50, *people[:50]]]
    rows += [{"email": f"left{i}@shop.fr", "unsubscribed": "yes"} for i in range(50)]
    assert "recipients" not in check_list(rows, dns=False).policy("mailout").sentence
    more = [*rows, *({"email": f"bad@@{i}", "unsubscribed": ""} for i in range(11))]
    assert "2001 recipients" in check_list(more, dns=False).policy("mailout").sentence


def test_two_columns_of_one_name_come_back(tmp_path: Path) -> None:
    """Each keeps its own cells, in the place where it stood."""
    content = b"email,tag,tag\nada@shop.fr,one,two\n"
    (tmp_path / "in.csv").write_bytes(content)
    check_list(tmp_path / "in.csv", dns=False).clean_to_csv(tmp_path / "clean.csv")
    assert (tmp_path / "clean.csv").read_bytes() == content


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("brevo", "Brevo"),
        ("Sendinblue", "Brevo"),
        ("SES", "Amazon SES"),
        ("gmail", "Gmail and Yahoo"),
        ("yahoo", "Gmail and Yahoo"),
    ],
)
def test_a_policy_by_any_spelling_of_its_provider(word: str, name: str) -> None:
    """As every other setting takes it."""
    assert check_list([], dns=False).policy(word).policy.name == name


@pytest.mark.parametrize("word", ["", "a", "hub", "and"])
def test_no_policy_is_guessed(word: str) -> None:
    """A letter that a name has is not that provider."""
    with pytest.raises(ConfigurationError, match="no bounce limit"):
        check_list([], dns=False).policy(word)


@pytest.mark.parametrize(
    ("cells", "count"),
    [
        (["oui", "", "non", " "], 2),
        (["oui", "oui", "non", "oui"], 0),
        (["", "", "", ""], 0),
        (["x", "x", "", "x"], 1),
    ],
)
def test_an_empty_consent_is_kept_and_told(cells: list[str], count: int) -> None:
    """Whether nothing means no is the owner's to say; a column that nobody fills in says nothing."""
    rows = "".join(f"p{number}@shop.fr;{cell};\n" for number, cell in enumerate(cells))
    report = check_list(io.StringIO(f"email;Consentement newsletter;Désinscrit\n{rows}"), dns=False)
    told = [one for one in report.findings if one.code == "consent-unsaid"]
    assert [one.parameters["count"] for one in told] == [count] * (count > 0)
    for one in told:
        assert f'"Consentement newsletter" says nothing in {count} of 4 rows' in one.sentence
    assert sum(report.left_out().values()) == cells.count("non")


def test_who_has_left_is_not_told_twice() -> None:
    """A row that another column leaves out needs no consent."""
    text = "email;newsletter;Désinscrit\na@shop.fr;;oui\nb@shop.fr;oui;\n"
    assert [one.code for one in check_list(io.StringIO(text), dns=False).findings] == ["marked-rows"]
