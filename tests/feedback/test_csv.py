"""Suppression lists as CSV."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mailflows import ConfigurationError, Flow
from mailflows.feedback import SuppressionList, export_suppressions, import_suppressions
from mailflows.limits import SQLiteStore
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
        return SuppressionList(stores[-1], clear=clear, now=FixedClock(NOW))

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
    assert "one.example" not in file.getvalue()


def test_the_export_of_a_provider(empty: Callable[..., SuppressionList]) -> None:
    """A provider's export with a column «Email» is read, with a byte-order mark and other columns."""
    suppressions = empty()
    file = io.StringIO("\ufeffEmail,Created\nada@one.example,1\n bob@two.example ,2\n")
    import_suppressions(suppressions, file, reason="bounced elsewhere")
    assert [a in suppressions for a in ("ada@one.example", "bob@two.example")] == [True, True]


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
    assert (str(result), "eve@two.example" in suppressions) == ("1 added, 2 skipped", True)
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
