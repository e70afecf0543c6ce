"""Suppression lists as CSV."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mailflows import ConfigurationError, Flow
from mailflows.feedback import SuppressionList, export_suppressions, import_suppressions
from mailflows.feedback._export_table import formats
from mailflows.limits import MemoryStore, SQLiteStore
from mailflows.testing import FixedClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = b"s" * 32
NOW = datetime(2100, 1, 1, tzinfo=UTC)
"""Later than the store's own clock, so that nothing expires in between."""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[..., SuppressionList]]:
    """Return what makes empty lists, in stores with one secret."""
    stores: list[SQLiteStore] = []

    def make(*, clear: bool = False) -> SuppressionList:
        stores.append(SQLiteStore(tmp_path / f"{len(stores)}.db", secret=SECRET))
        return SuppressionList(stores[-1], clear=clear, clock=FixedClock(NOW))

    yield make
    for store in stores:
        store.close()


@pytest.mark.parametrize("clear", [False, True])
def test_there_and_back(empty: Callable[..., SuppressionList], clear: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """What was written into a store with the same secret is the same list."""
    first, second = empty(clear=clear), empty(clear=clear)
    first.add("ada@one.example", reason="mailbox-unknown")
    first.add("bob@two.example", flow=Flow.MARKETING, expires=3600.0)
    first.add("eve@two.example", list="news, and more")
    file = io.StringIO()
    rows = export_suppressions(first, file)
    file.seek(0)
    result = import_suppressions(second, file)
    assert (rows, result.added, set(second)) == (3, 3, set(first))


def test_an_export_holds_no_address(empty: Callable[..., SuppressionList]) -> None:
    """Without addresses in clear an export holds none."""
    suppressions = empty()
    suppressions.add("ada@one.example")
    file = io.StringIO()
    export_suppressions(suppressions, file)
    assert ("ada" in file.getvalue(), "@" in file.getvalue()) == (False, False)


def test_the_export_of_a_provider(empty: Callable[..., SuppressionList]) -> None:
    """A provider's export with a column "Email" is read, with a byte-order mark and other columns."""
    suppressions = empty()
    file = io.StringIO("\ufeffEmail,Created\nada@one.example,1\n bob@two.example ,2\n")
    import_suppressions(suppressions, file, reason="bounced elsewhere")
    assert [suppressions.is_suppressed(a) for a in ("ada@one.example", "bob@two.example")] == [True, True]


def test_the_flow_of_an_import(empty: Callable[..., SuppressionList]) -> None:
    """The rows of an import hold for the flow that was given."""
    suppressions = empty()
    import_suppressions(suppressions, io.StringIO("email\nada@one.example\n"), flow=Flow.MARKETING)
    assert [e.scope for e in suppressions] == ["flow:marketing"]


def test_bad_rows_are_told_and_the_rest_goes_on(empty: Callable[..., SuppressionList]) -> None:
    """A row that cannot be read is told by its line, without its address; the others are taken."""
    suppressions = empty()
    file = io.StringIO("email,flow\nada.one.example,\nbob@two.example,pigeon\neve@two.example,\n")
    result = import_suppressions(suppressions, file)
    assert (str(result), suppressions.is_suppressed("eve@two.example")) == ("1 added, 2 skipped", True)
    assert [problem[:6] for problem in result.problems] == ["line 2", "line 3"]
    assert "one.example" not in str(result.problems)


def test_a_row_without_an_address_or_a_key(empty: Callable[..., SuppressionList]) -> None:
    """A row that names nobody is skipped."""
    result = import_suppressions(empty(), io.StringIO("key,reason\n,left\n1234,left\n"))
    assert (result.added, result.skipped) == (0, 2)


def test_no_column_of_addresses(empty: Callable[..., SuppressionList]) -> None:
    """A file without addresses is said to have none, with what it has."""
    with pytest.raises(ConfigurationError, match="found: created, name"):
        import_suppressions(empty(), io.StringIO("name,created\n1,2\n"))


def test_a_formula_is_no_formula(empty: Callable[..., SuppressionList]) -> None:
    """A spreadsheet that opens an export runs nothing."""
    suppressions = empty()
    suppressions.add("ada@one.example", reason="=cmd()")
    file = io.StringIO()
    export_suppressions(suppressions, file)
    assert ",'=cmd()," in file.getvalue()


@pytest.mark.parametrize(
    "address", ["+ada@one.example", "-x@one.example", "'=x@one.example", "'ada@one.example"]
)
def test_what_looks_like_a_formula_comes_back(empty: Callable[..., SuppressionList], address: str) -> None:
    """The mark against formulas is taken away again, so that the address itself is suppressed."""
    there, back = empty(clear=True), empty()
    there.add(address, list="=news")
    file = io.StringIO()
    export_suppressions(there, file)
    file.seek(0)
    import_suppressions(back, file)
    assert back.is_suppressed(address, list="=news")


@pytest.mark.parametrize(
    "row",
    [
        "x" * 200_000 + "@one.example",
        '"y@one.example\nz@one.example"',
    ],
)
def test_one_bad_row_costs_one_row(empty: Callable[..., SuppressionList], row: str) -> None:
    """A cell too long, a quotation mark left open: the rest is read."""
    suppressions = empty()
    file = io.StringIO(f"email,time\nada@one.example,\n{row}\nbob@one.example,\n")
    result = import_suppressions(suppressions, file)
    assert (result.added, result.skipped, len(list(suppressions))) == (2, 1, 2)


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"])
def test_a_date_that_cannot_be_read(empty: Callable[..., SuppressionList], stamp: str) -> None:
    """Somebody whose date cannot be read is suppressed all the same, and it is told."""
    suppressions = empty()
    result = import_suppressions(suppressions, io.StringIO(f"email,time\ny@one.example,{stamp}\n"))
    assert (result.added, suppressions.is_suppressed("y@one.example")) == (1, True)
    assert result.problems[0].startswith("line 2: the time is not a date")


def test_problems_show_no_address(empty: Callable[..., SuppressionList]) -> None:
    """Where the columns are shifted, the address in another column is not repeated."""
    file = io.StringIO("email,flow,time\nx,ada@one.example,\ny@two.example,,bob@one.example\n")
    result = import_suppressions(empty(), file)
    assert (result.skipped, len(result.problems)) == (1, 2)
    assert "one.example" not in " ".join(result.problems)


def test_a_file_without_a_header_shows_no_address(empty: Callable[..., SuppressionList]) -> None:
    """The first row of a bare list is no header, and not repeated in the error."""
    with pytest.raises(ConfigurationError, match=r"no column .*; found: none"):
        import_suppressions(empty(), io.StringIO("ada@one.example\nbob@one.example\n"))


def test_a_first_row_that_cannot_be_read(empty: Callable[..., SuppressionList]) -> None:
    """A file that is no CSV at all is a clear error."""
    with pytest.raises(ConfigurationError, match="its first row"):
        import_suppressions(empty(), io.StringIO("x" * 200_000))


@pytest.mark.parametrize("key", ["é" * 32, "z" * 32, "0" * 31])
def test_a_key_that_is_none(empty: Callable[..., SuppressionList], key: str) -> None:
    """Only a hash of ours is taken for a key."""
    result = import_suppressions(empty(), io.StringIO(f"key\n{key}\n"))
    assert (result.added, result.skipped) == (0, 1)


def test_half_a_character_does_not_stop_an_export(
    empty: Callable[..., SuppressionList], tmp_path: Path
) -> None:
    """A reason that no file can hold costs nobody else's row."""
    suppressions = empty(clear=True)
    suppressions.add("ada@one.example", reason="\ud800")
    suppressions.add("bob@one.example")
    with (tmp_path / "list.csv").open("w", encoding="utf-8") as file:
        assert export_suppressions(suppressions, file) == 2


def imported(empty: Callable[..., SuppressionList], text: str) -> list[tuple[str | None, str, str]]:
    """Return address, reason and day of what a file suppresses."""
    suppressions = empty(clear=True)
    import_suppressions(suppressions, io.StringIO(text))
    return sorted((e.address, e.reason, f"{e.time:%Y-%m-%d}") for e in suppressions)


EXPORTS = {
    "bounces of SendGrid": (
        'status,reason,email,created\n5.1.1,"550 5.1.1 unknown user",a@x.example,1577872800\n',
        ("mailbox-unknown", "2020-01-01"),
    ),
    "unsubscribes of SendGrid": ("email,created\na@x.example,1577872800\n", ("unsubscribed", "2020-01-01")),
    "spam reports of SendGrid": (
        "email,ip,created\na@x.example,192.0.2.1,1577872800\n",
        ("complained", "2020-01-01"),
    ),
    "unsubscribed of Mailchimp": (
        'Email Address,UNSUB_TIME,UNSUB_REASON\na@x.example,2020-01-01 10:00:00,"too many"\n',
        ("unsubscribed", "2020-01-01"),
    ),
    "unsubscribed of Mailchimp who say that it is spam": (
        "Email Address,UNSUB_TIME,UNSUB_REASON\na@x.example,2020-01-01 10:00:00,SPAM\n",
        ("complained", "2020-01-01"),
    ),
    "unsubscribed of Mailchimp with a status": (
        "Email,Status,UNSUB_TIME,UNSUB_REASON\na@x.example,unsubscribed,2020-01-01,SPAM\n",
        ("complained", "2020-01-01"),
    ),
    "unsubscribed of Mailchimp with the sentence of the survey": (
        "Email,Unsub time,Unsub reason\na@x.example,2020-01-01,The emails are spam and should be reported",
        ("complained", "2020-01-01"),
    ),
    "unsubscribed of Mailchimp with another answer": (
        "Email Address,UNSUB_TIME,UNSUB_REASON\na@x.example,2020-01-01 10:00:00,NORMAL\n",
        ("unsubscribed", "2020-01-01"),
    ),
    "unsubscribed of a survey whose answer means something else elsewhere": (
        "Email Address,UNSUB_TIME,UNSUB_REASON\na@x.example,2020-01-01 10:00:00,active\n",
        ("unsubscribed", "2020-01-01"),
    ),
    "cleaned of Mailchimp": (
        "Email Address,CLEAN_TIME\na@x.example,2020-01-01 10:00:00\n",
        ("bounced", "2020-01-01"),
    ),
    "rejects of Mandrill": (
        "email,reason,detail,created_at,expires_at\na@x.example,hard-bounce,,2020-01-01,2199-01-01\n",
        ("bounced", "2020-01-01"),
    ),
    "blocked contacts of Brevo": (
        "Email;Reason;BlockedAt\na@x.example;contactFlaggedAsSpam;2020-01-01T10:00:00Z\n",
        ("complained", "2020-01-01"),
    ),
    "contacts of Brevo": (
        "EMAIL;EMAIL_BLACKLISTED;ADDED_TIME\na@x.example;true;2020-01-01\nb@x.example;false;2020-01-01\n",
        ("opted-out", "2020-01-01"),
    ),
    "bounces of Mailgun": (
        "address,code,error,created_at\na@x.example,550,no mailbox,2020-01-01T10:00:00Z\n",
        ("mailbox-unknown", "2020-01-01"),
    ),
    "complaints of Mailgun": (
        'address,created_at\na@x.example,"Wed, 01 Jan 2020 09:00:00 UTC"\n',
        ("complained", "2020-01-01"),
    ),
    "exclusions of Mailjet": (
        "Email,IsExcludedFromCampaigns,CreatedAt\na@x.example,true,2020-01-01T00:00:00Z\nb@x.example,false,\n",
        ("opted-out", "2020-01-01"),
    ),
    "suppressions of Postmark": (
        "EmailAddress,SuppressionReason,CreatedAt\na@x.example,ManualSuppression,2020-01-01T09:00:00-05:00\n",
        ("unsubscribed", "2020-01-01"),
    ),
    "suppressions of Amazon SES": (
        "EmailAddress,Reason,LastUpdateTime\na@x.example,COMPLAINT,2020-01-01T10:00:00+00:00\n",
        ("complained", "2020-01-01"),
    ),
    "a German table": (
        "Vorname;E-Mail;Status;Datum\nA;a@x.example;Abgemeldet;01.01.2020\nB;b@x.example;Aktiv;\n",
        ("unsubscribed", "2020-01-01"),
    ),
    "a French table": (
        "Prénom\tAdresse e-mail\tMotif\tDate\nA\ta@x.example\tdésabonné\t01/01/2020 09:00\n",
        ("unsubscribed", "2020-01-01"),
    ),
    "a table that Excel wrote": (
        "sep=;\nemail;reason;date\na@x.example;spam;2020-01-01\n",
        ("complained", "2020-01-01"),
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_what_providers_and_spreadsheets_write(empty: Callable[..., SuppressionList], name: str) -> None:
    """Each export is read with its reason and its date; who is not suppressed there is not here."""
    text, (reason, day) = EXPORTS[name]
    assert imported(empty, text) == [("a@x.example", reason, day)]


def test_a_dead_mailbox_is_dead_for_every_flow(empty: Callable[..., SuppressionList]) -> None:
    """The export of a newsletter tool: who left is left to the other flows, who does not exist is not."""
    suppressions = empty()
    rows = "gone@x.example,hard bounce\nleft@x.example,unsubscribed\nangry@x.example,spam\nold@x.example,\n"
    import_suppressions(suppressions, io.StringIO(f"email,reason\n{rows}"), flow=Flow.MARKETING)
    found = {
        name: [suppressions.is_suppressed(f"{name}@x.example", flow=flow) for flow in Flow]
        for name in ("gone", "left", "angry", "old")
    }
    alone = [flow is Flow.MARKETING for flow in Flow]
    assert found == {"gone": [True] * 3, "left": alone, "angry": alone, "old": alone}


def test_a_bounce_that_names_its_flow_keeps_it(empty: Callable[..., SuppressionList]) -> None:
    """What a row says by itself is taken as it is, and a given reason is a reason, too."""
    suppressions = empty()
    named = "email,reason,flow\na@x.example,mailbox-unknown,marketing\n"
    import_suppressions(suppressions, io.StringIO(named))
    import_suppressions(
        suppressions, io.StringIO("email\nb@x.example\n"), reason="bounced", flow=Flow.MARKETING
    )
    scopes = {entry.reason: entry.scope for entry in suppressions}
    assert scopes == {"mailbox-unknown": "flow:marketing", "bounced": "global"}


@pytest.mark.parametrize(
    "text",
    [
        'status,reason,email,created\n5.7.1,"554 5.7.1 blocked using a list",a@x.example,1577872800\n',
        "email,reason,removed_at\na@x.example,bounce,2020-02-01\n",
        "email,reason,expires_at\na@x.example,bounce,2020-02-01\n",
        "email,status\na@x.example,reactivated\n",
        "email,opt_out\na@x.example,no\n",
        "email,opt_out\na@x.example,0\n",
    ],
)
def test_what_suppresses_nobody(empty: Callable[..., SuppressionList], text: str) -> None:
    """A block by the sender's fault, a lifted or an ended entry, and who never left are counted as free."""
    suppressions = empty()
    result = import_suppressions(suppressions, io.StringIO(text))
    assert (result.added, result.free, result.skipped, list(suppressions)) == (0, 1, 0, [])


@pytest.mark.parametrize("mark", ['"x@x.example', 'x@x.example,"left'])
def test_a_stray_mark_costs_its_own_row(empty: Callable[..., SuppressionList], mark: str) -> None:
    """A quotation mark left open takes no other row with it, and its line is told."""
    suppressions = empty()
    rows = "".join(f"u{number}@x.example,left\n" for number in range(200))
    result = import_suppressions(suppressions, io.StringIO(f"email,reason\n{mark}\n{rows}"))
    assert (result.added, result.skipped, result.problems[0][:6]) == (200, 1, "line 2")


def test_every_row_with_a_stray_mark_is_told(empty: Callable[..., SuppressionList]) -> None:
    """Stray marks in rows that follow one another do not close each other: each row is counted."""
    rows = "".join(f'"u{number}@x.example,left\n' for number in range(50))
    result = import_suppressions(empty(), io.StringIO(f"email,reason\n{rows}bob@x.example,left\n"))
    assert (result.added, result.skipped) == (1, 50)


def test_a_quoted_cell_over_several_lines(empty: Callable[..., SuppressionList]) -> None:
    """A server's reply of several lines is one cell."""
    found = imported(empty, 'email,reason\na@x.example,"550 5.1.1\nunknown user"\nb@x.example,left\n')
    assert [(address, reason) for address, reason, _ in found] == [
        ("a@x.example", "mailbox-unknown"),
        ("b@x.example", "unsubscribed"),
    ]


@pytest.mark.parametrize("provider", sorted(formats()))
def test_an_export_for_a_provider_comes_back(empty: Callable[..., SuppressionList], provider: str) -> None:
    """What is written for a provider is read again; what holds for one flow goes only with that flow."""
    suppressions = empty(clear=True)
    when = datetime(2020, 1, 1, tzinfo=UTC)
    suppressions.add("ada@one.example", reason="mailbox-unknown", time=when)
    suppressions.add("bob@two.example", reason="unsubscribed", flow=Flow.MARKETING, time=when)
    suppressions.add("eve@two.example", reason="unsubscribed", list="news", time=when)
    all_mail, marketing = io.StringIO(), io.StringIO()
    counts = (
        export_suppressions(suppressions, all_mail, provider=provider),
        export_suppressions(suppressions, marketing, provider=provider, flow=Flow.MARKETING),
    )
    assert counts == (1, 2)
    back = imported(empty, marketing.getvalue())
    assert [address for address, _, _ in back] == ["ada@one.example", "bob@two.example"]
    if {"time", "minute", "seconds"} & set(formats()[provider]["columns"].values()):
        assert [day for _, _, day in back] == ["2020-01-01"] * 2


def test_an_export_for_a_provider_needs_addresses(empty: Callable[..., SuppressionList]) -> None:
    """A list of keyed hashes cannot be handed to a provider, and says what to do."""
    suppressions = empty()
    suppressions.add("ada@one.example")
    with pytest.raises(ConfigurationError, match="clear=True"):
        export_suppressions(suppressions, io.StringIO(), provider="sendgrid")
    with pytest.raises(ConfigurationError, match="no suppression file format"):
        export_suppressions(suppressions, io.StringIO(), provider="dolist")


def test_our_own_columns_in_any_order(empty: Callable[..., SuppressionList]) -> None:
    """A file with just key, reason and time is one of ours: its reasons are taken as they are."""
    first, second = empty(), empty()
    entry = first.add("ada@one.example", reason="a reason of our own")
    text = f"time,reason,key\n{entry.time.isoformat()},{entry.reason},{entry.key}\n"
    import_suppressions(second, io.StringIO(text))
    assert [(e.key, e.reason) for e in second] == [(entry.key, "a reason of our own")]


@pytest.mark.parametrize(("others", "is_read"), [(1, True), (2, False)])
def test_a_column_without_a_name_is_read_if_most_of_it_is_addresses(
    empty: Callable[..., SuppressionList], others: int, *, is_read: bool
) -> None:
    """Two addresses and one other cell are a column of addresses; as many others as addresses are none."""
    text = "who,since\n" + "".join(f"{who},2020\n" for who in ["a@x.example", "b@x.example", *["?"] * others])
    if not is_read:
        with pytest.raises(ConfigurationError, match="column"):
            imported(empty, text)
    else:
        assert [address for address, _, _ in imported(empty, text)] == ["a@x.example", "b@x.example"]


def test_mailgun_gets_a_code_with_each_bounce(empty: Callable[..., SuppressionList]) -> None:
    """A bounce whose code nobody kept is told as 550: without one it would not be imported there."""
    suppressions = empty(clear=True)
    suppressions.add("ada@one.example", reason="mailbox-unknown")
    file = io.StringIO()
    export_suppressions(suppressions, file, provider="mailgun")
    assert "550" in file.getvalue()


def test_a_reply_that_says_nothing_known_is_a_bounce(empty: Callable[..., SuppressionList]) -> None:
    """The provider suppresses the address, and its reply names no better reason."""
    text = "email,status,reason\na@x.example,5.0.0,550 5.0.0 computer says no\n"
    assert [reason for _, reason, _ in imported(empty, text)] == ["bounced"]


@pytest.mark.parametrize(
    ("header", "left", "stays"),
    [
        ("Correo electrónico;Estado", "Dado de baja", "Suscrito"),
        ("Indirizzo email;Stato", "Disiscritto", "Iscritto"),
        ("E-mail;Situação", "Descadastrado", "Ativo"),
        ("E-mailadres;Status", "Uitgeschreven", "Ingeschreven"),
        ("Adres e-mail;Status", "Wypisany", "Aktywny"),
        ("Эл. почта;Статус", "Отписан", "Подписан"),
        ("メールアドレス;状態", "配信停止", "配信中"),
        ("Email;Unsubscribed from all email", "true", "false"),
        ("Email;Email Marketing Consent", "UNSUBSCRIBED", "SUBSCRIBED"),
        ("email;emailListUnsub", "TRUE", "FALSE"),
        ("Adres e-mail;Wypisany", "tak", "nie"),
    ],
)
def test_contacts_in_other_words(header: str, left: str, stays: str) -> None:
    """Of an export of contacts, in other languages and of other systems, only who left is suppressed."""
    suppressions = SuppressionList(MemoryStore())
    text = f"{header}\nada@one.example;{left}\nbob@one.example;{stays}\n"
    result = import_suppressions(suppressions, io.StringIO(text))
    assert (result.added, result.skipped) == (1, 0)
    assert suppressions.is_suppressed("ada@one.example")
    assert [entry.reason for entry in suppressions] == ["unsubscribed"]


@pytest.mark.parametrize("rows", [[{"email": "ada@one.example"}], ["ada@one.example"], None])
def test_rows_that_are_no_file(rows: Any) -> None:
    """They are told how they get into the list, instead of failing somewhere inside."""
    with pytest.raises(ConfigurationError, match=r"open text file; got .*suppressions\.add\("):
        import_suppressions(SuppressionList(MemoryStore()), rows)


def test_lines_of_a_file_are_a_file() -> None:
    """As whoever reads it elsewhere, from an archive or a response, has them."""
    suppressions = SuppressionList(MemoryStore())
    import_suppressions(suppressions, iter(["email\n", "ada@one.example\n"]))
    assert suppressions.is_suppressed("ada@one.example")


def test_a_bare_list_says_what_is_missing() -> None:
    """A list of addresses without names of columns is told how to begin, not that there are none."""
    with pytest.raises(ConfigurationError, match='add a first line "email"'):
        import_suppressions(SuppressionList(MemoryStore()), io.StringIO("ada@one.example\nbob@one.example\n"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_path(empty: Callable[..., SuppressionList], tmp_path: Path, encoding: str) -> None:
    """A list is written to a path and read from one, in whatever encoding a tool wrote it."""
    path = tmp_path / "gesperrt.csv"
    path.write_bytes("Empfänger;Grund\r\nada@one.example;abgemeldet\r\n".encode(encoding))
    first, second = empty(clear=True), empty()
    assert import_suppressions(first, str(path)).added == 1
    assert export_suppressions(first, tmp_path / "out.csv") == 1
    assert import_suppressions(second, tmp_path / "out.csv").added == 1
    assert [entry.reason for entry in second] == ["unsubscribed"]


def test_american_dates_are_read_alike() -> None:
    """One row with a day above twelve decides about all rows, in whichever column of dates it stands."""

    def months(text: str, **how: Any) -> list[str]:
        suppressions = SuppressionList(MemoryStore())
        import_suppressions(suppressions, io.StringIO(text), **how)
        return sorted(f"{entry.time:%m-%d}" for entry in suppressions)

    rows = "email,status,date,expires\na@x.fr,bounced,03/04/2026,\nb@x.fr,bounced,04/05/2026,"
    assert months(f"{rows}05/24/2126\n") == ["03-04", "04-05"]
    assert months(f"{rows}\n", dates="month-first") == ["03-04", "04-05"]
    assert months(f"{rows}\n", dates="day-first") == ["04-03", "05-04"]
    with pytest.warns(UserWarning, match='dates="month-first"'):
        assert months(f"{rows}\n") == ["04-03", "05-04"]
    both = f"{rows}05/24/2126\nc@x.fr,bounced,24/03/2026,\n"
    result = import_suppressions(SuppressionList(MemoryStore()), io.StringIO(both))
    assert result.added == 3
    assert "line 4: the date is not a date" in result.problems[0]
