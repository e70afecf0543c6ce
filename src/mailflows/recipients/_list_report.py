"""The report on a list: the counts, the prediction, what each policy means, and the rows themselves."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mailflows._provider_names import every_spelling, is_provider, meant_provider, spellings_of
from mailflows._result import (
    Bar,
    Reason,
    Result,
    Severity,
    heading,
    number_of,
    paragraph,
    plain,
    to_html,
    to_text,
)
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.recipients._bounce_rate import (
    Advice,
    Policy,
    PolicyVerdict,
    Prediction,
    judge,
    unpublished_policy,
)
from mailflows.recipients._cleaning import Cleaning
from mailflows.recipients._csv import Dialect
from mailflows.recipients._explained import in_words
from mailflows.recipients._plot import draw
from mailflows.recipients._reference import DataSource
from mailflows.recipients._report import Deliverability, DomainState, Trait
from mailflows.recipients._segments import Segment, divide
from mailflows.recipients._spool import Judged, Spool, opened
from mailflows.recipients._tables import dialect_for, to_data_frame, write_csv, write_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from mailflows._result import Cell
    from mailflows.recipients._report import RecipientReport
    from mailflows.recipients._spool import JudgedRow

__all__ = ["ListReport"]

_MOST_PICKLED = 100_000
"""Rows up to which a report is pickled whole: about 20 MB. A bound on work."""


@dataclass(frozen=True, slots=True)
class ListReport(Result):
    """The report on a mailing list.

    Attributes:
        rows: Rows that were read.
        addresses: Number of addresses that were checked; the counts below are of these. A row may contain
            several.
        bad_rows: Rows with nothing to check: empty, not text, a broken line. They are included, and marked,
            in `to_csv` and `to_pandas`.
        bad_row_examples: The first thousand bad rows: line and problem.
        verdicts: Addresses by verdict.
        reasons: Addresses by reason code, the most frequent first.
        traits: Addresses by trait, such as role accounts and disposable domains.
        states: Addresses by state of their domain.
        dead_domain_share: Share of addresses whose domain accepts no mail, in [0, 1].
        mistyped: Addresses that are probably mistyped: those with a suggestion.
        typos: The first thousand of these: address and suggestion.
        duplicates: Addresses that repeat the mailbox of an earlier row.
        domains: Number of distinct domains.
        worst_domains: Domains with the most undeliverable addresses.
        providers: Who receives the mail of the addresses: a large provider by its name (``google``), any
            other by the registered domain of its mail host.
        known_bounces: Number of mailboxes that are known to bounce; the prediction assumes that they are not
            mailed. People who unsubscribed or complained did not bounce, and are not counted here.
        findings: Patterns in the list as a whole, such as serially numbered addresses, and what to do.
        prediction: The expected hard-bounce rate with its 90 % interval.
        policies: What each known policy means for the list.
        dns: Whether DNS checks were on.
        resolver_trouble: What is wrong with the resolver; then no address is undeliverable because of its
            domain. Usually empty.
        column: The column that was read, or `None` for a list without columns.
        column_share: Share of its first rows that hold an address.
        other_columns: Further columns that hold addresses.
        do_not_mail: Rows that are left out because none of their mailboxes may be mailed, by reason. The
            list's own status columns give ``complained``, ``bounced``, ``unsubscribed``, ``blocked`` or
            ``no-consent`` (not subscribed, or not confirmed), which applies to a mailbox in all of its rows;
            ``suppressed`` is for mailboxes only on the suppression list. `left_out` returns the same counts;
            the prediction excludes these rows.
        status_columns: The columns that these reasons come from: a status, a flag, an unsubscription date.
        sources: The reference lists behind the verdicts, with their age.
        checked_at: When, in UTC.
        digest: A hash that is the same for the same addresses with the same verdicts in the same order.

    Example:
        >>> from mailflows import check_list
        >>> report = check_list(["ada@shop.fr", "ADA@shop.fr", "bob@gmial.com"], dns=False)
        >>> report.duplicates, report.typos, list(report.clean())
        (1, (('bob@gmial.com', 'bob@gmail.com'),), ['ada@shop.fr'])
    """

    rows: int
    addresses: int
    bad_rows: int
    bad_row_examples: tuple[tuple[int, str], ...]
    verdicts: dict[Deliverability, int]
    reasons: dict[str, int]
    traits: dict[Trait, int]
    states: dict[DomainState, int]
    dead_domain_share: float
    mistyped: int
    typos: tuple[tuple[str, str], ...]
    duplicates: int
    domains: int
    worst_domains: tuple[tuple[str, int], ...]
    providers: tuple[tuple[str, int], ...]
    known_bounces: int
    findings: tuple[Reason, ...]
    prediction: Prediction
    policies: tuple[PolicyVerdict, ...]
    dns: bool
    resolver_trouble: str
    column: str | None
    column_share: float
    other_columns: tuple[str, ...]
    do_not_mail: dict[str, int]
    status_columns: tuple[str, ...]
    sources: tuple[DataSource, ...]
    checked_at: dt.datetime
    digest: str
    judged: Judged = field(repr=False, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns of the list; empty for a list without columns."""
        return self.judged.columns

    @property
    def advice(self) -> Advice:
        """The advice of the strictest policy that does not forbid large mailings altogether."""
        order = list(Advice)
        return max((v.advice for v in self.policies if v.policy.max_recipients is None), key=order.index)

    def policy(self, provider: str) -> PolicyVerdict:
        """Return what the policy of a provider means for the list.

        For a provider that publishes no limit, the strictest published limit of another provider is applied,
        and the rule says so.

        Args:
            provider: Its name in any common spelling: ``brevo``, ``SES``, ``Sendinblue``, ``gmail``.

        Raises:
            ConfigurationError: If there is no such provider; the text suggests the one probably meant.

        Example:
            >>> from mailflows import check_list
            >>> print(check_list([], dns=False).policy("brevo"))
            Brevo: stop (there is nobody to send to)
        """
        # One rule may be of two providers: "Gmail and Yahoo".
        known = {name: one for one in self.policies for name in one.policy.name.split(" and ")}
        name = meant_provider(provider, known)
        if name is not None:
            return known[name]
        if is_provider(provider):
            return judge(
                unpublished_policy(provider.strip()),
                self.prediction,
                is_certain=self.dns,
                is_believed=not self.resolver_trouble,
            )
        hint = did_you_mean(provider, (*spellings_of(known), *every_spelling()), choices=tuple(known))
        msg = f"no bounce limit is known for {provider!r}, which is not a provider in our table: {hint}"
        raise ConfigurationError(msg, field="provider")

    def explain(self) -> str:
        """Return one paragraph for whoever decides whether to send.

        It says what was checked, what is left out and why, what to expect of the list, and what to do next;
        it contains no address.

        Example:
            >>> from mailflows import check_list
            >>> print(check_list(["ada@shop.fr", "ADA@shop.fr"], dns=False).explain()[:71])
            2 rows were read, with 2 addresses at 1 domain; DNS checks were off. 1
        """
        kept, left_out = Cleaning(self.judged, self.dns, False, False, False).count()  # noqa: FBT003 -- as `clean` is by default
        return in_words(self, kept, dict(left_out.most_common()))

    def reports(self) -> Iterator[tuple[int, RecipientReport, int | None]]:
        """Yield each address as (line, report, line of the row that it duplicates)."""
        for row in self.judged.rows():
            for report, first in zip(row.reports, row.firsts, strict=True):
                yield row.line, report, first

    def clean(
        self, *, risky: bool = False, apply_suggestions: bool = False, ignore_status: bool = False
    ) -> Iterator[Any]:
        """Yield the rows that are safe to send to, each mailbox once.

        Args:
            risky: Whether to keep risky addresses and those whose domain got no DNS answer, too. If DNS
                checks are off, addresses with no issues are kept in any case.
            apply_suggestions: Whether to replace an address that would be left out by the one that was
                probably meant, unless that mailbox is already in the list.
            ignore_status: Whether to keep mailboxes that must not be mailed according to `status_columns`;
                those on the suppression list are still left out.

        Yields:
            Addresses as text for a list without columns; otherwise whole rows, each a dictionary with the
            address in its column.
        """
        for row, addresses, _ in self._cleaning(risky, apply_suggestions, ignore_status).rows():
            for address in addresses:
                yield self._whole(row, address)

    def left_out(
        self, *, risky: bool = False, apply_suggestions: bool = False, ignore_status: bool = False
    ) -> dict[str, int]:
        """Return how many rows `clean` leaves out, by reason; the arguments are those of `clean`.

        Returns:
            ``bad-row``, ``duplicate``, a verdict, or a reason of `do_not_mail`, each with its count; the most
            frequent first. All other rows are kept.
        """
        _, left_out = self._cleaning(risky, apply_suggestions, ignore_status).count()
        return dict(left_out.most_common())

    def _cleaning(self, risky: bool, apply_suggestions: bool, ignore_status: bool) -> Cleaning:  # noqa: FBT001 -- as `clean` has them
        return Cleaning(self.judged, self.dns, risky, apply_suggestions, ignore_status)

    def _whole(self, row: JudgedRow, address: str) -> Any:  # noqa: ANN401 -- as `clean` says
        if not self.judged.columns:
            return address
        return dict(zip(self.judged.columns, self._row_of(row, address), strict=True))

    def _row_of(self, row: JudgedRow, address: str) -> list[str]:
        """Return a row with the address in its column; names of columns may occur twice."""
        if not self.judged.columns:
            return [address]
        cells = list(row.cells)
        cells[self.judged.columns.index(self.column) if self.column else 0] = address
        return cells

    def segments(self, column: str | None = None, *, by_risk: bool = False) -> tuple[Segment, ...]:
        """Divide the list into segments, by default by mailbox provider, with the figures of each.

        Args:
            column: A column of the list, such as the source or the year of a sign-up.
            by_risk: Whether to divide by the decisive reason, such as ``typo`` or ``nxdomain``.

        Returns:
            The segments, the largest first.

        Raises:
            ConfigurationError: If there is no such column, or both are given.
        """
        if column is not None and by_risk:
            msg = "segments can be by a column or by risk, not both"
            raise ConfigurationError(msg, field="by_risk")
        return divide(self.judged, column, by_risk=by_risk)

    def to_csv(
        self,
        path: str | os.PathLike[str],
        *,
        guard_formulas: bool = True,
        delimiter: str | None = None,
        encoding: str | None = None,
    ) -> None:
        """Write every input row with all its columns and its verdict as CSV; bad rows are marked.

        A CSV file keeps its delimiter, encoding, quotes and line endings. Any other list gets commas and
        UTF-8.

        Args:
            path: File to write.
            guard_formulas: Whether to put an apostrophe before a cell that a spreadsheet would treat as a
                formula.
            delimiter: Another delimiter, such as ``;``.
            encoding: Another encoding, such as ``utf-8-sig``, which Excel recognises by its byte order mark.

        Raises:
            ConfigurationError: If there is no such delimiter or encoding.
        """
        dialect = dialect_for(self.judged.dialect, delimiter, encoding)
        write_csv(self.judged, path, dialect, guard_formulas=guard_formulas)

    def clean_to_csv(  # noqa: PLR0913 -- what is kept, and how it is written
        self,
        path: str | os.PathLike[str],
        *,
        risky: bool = False,
        apply_suggestions: bool = False,
        ignore_status: bool = False,
        guard_formulas: bool = True,
        delimiter: str | None = None,
        encoding: str | None = None,
    ) -> int:
        """Write the rows of `clean` as CSV, with all columns of the list.

        Args:
            path: File to write.
            risky: As in `clean`.
            apply_suggestions: As in `clean`.
            ignore_status: As in `clean`.
            guard_formulas: As in `to_csv`.
            delimiter: As in `to_csv`.
            encoding: As in `to_csv`.

        Returns:
            The number of rows written; `left_out` explains why the others were not.

        Raises:
            ConfigurationError: If there is no such delimiter or encoding.
        """
        dialect = dialect_for(self.judged.dialect, delimiter, encoding)
        rows = self._cleaning(risky, apply_suggestions, ignore_status).rows()
        cells = (self._row_of(row, address) for row, addresses, _ in rows for address in addresses)
        return write_rows(self.columns or ("email",), cells, path, dialect, guard_formulas=guard_formulas)

    def to_pandas(self) -> Any:  # noqa: ANN401 -- pandas is optional
        """Return a data frame with one row for every input row and its verdict, with the original index.

        Raises:
            MissingExtra: If pandas is not installed.
        """
        return to_data_frame(self.judged)

    def plot(self, ax: Any = None, *, dark: bool = False) -> Any:  # noqa: ANN401 -- matplotlib is optional
        """Plot the predicted rate against the limits of the policies.

        Args:
            ax: Axes to draw on; new ones by default.
            dark: Whether to draw for a dark background.

        Raises:
            MissingExtra: If matplotlib is not installed.
        """
        return draw(self.policies, self.prediction, ax, addresses=self.addresses, dark=dark)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the report with all its rows to one SQLite file, which contains the addresses in plain text.

        Raises:
            FileExistsError: If the file exists.
        """
        save_report(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ListReport:
        """Load a saved report.

        Raises:
            ConfigurationError: If the file is not a saved report.
            OSError: If the file cannot be read.
        """
        return load_report(cls, path)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.rows > _MOST_PICKLED:
            msg = (
                f"a report on more than {_MOST_PICKLED} rows is not pickled; use save() and ListReport.load()"
            )
            raise ConfigurationError(msg, field="report")
        facts = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "judged"}
        kept = self.judged
        return _made_again, (facts, kept.to_bytes(), kept.columns, kept.frame, kept.dialect)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON, without the rows."""
        return {
            "rows": self.rows,
            "addresses": self.addresses,
            "bad_rows": self.bad_rows,
            "bad_row_examples": [
                {"line": line, "problem": problem} for line, problem in self.bad_row_examples
            ],
            "verdicts": {str(name): count for name, count in self.verdicts.items()},
            "reasons": self.reasons,
            "traits": {str(name): count for name, count in self.traits.items()},
            "domain_states": {str(name): count for name, count in self.states.items()},
            "dead_domain_share": self.dead_domain_share,
            "mistyped": self.mistyped,
            "typos": [{"address": address, "suggestion": meant} for address, meant in self.typos],
            "duplicates": self.duplicates,
            "domains": self.domains,
            "worst_domains": dict(self.worst_domains),
            "providers": dict(self.providers),
            "known_bounces": self.known_bounces,
            "findings": [finding.to_dict() for finding in self.findings],
            "predicted_bounce_rate": self.prediction.rate,
            "predicted_interval": [self.prediction.low, self.prediction.high],
            "advice": str(self.advice),
            "policies": [verdict.to_dict() for verdict in self.policies],
            "dns": self.dns,
            "resolver_trouble": self.resolver_trouble,
            "column": self.column,
            "column_share": self.column_share,
            "other_columns": list(self.other_columns),
            "do_not_mail": self.do_not_mail,
            "status_columns": list(self.status_columns),
            "data": [
                {
                    "name": s.name,
                    "entries": s.entries,
                    "version": s.version,
                    "age_days": s.age(self.checked_at.date()),
                }
                for s in self.sources
            ],
            "checked_at": self.checked_at.isoformat(),
            "digest": self.digest,
        }

    def __str__(self) -> str:
        parts = [
            self._headline(),
            "",
            self.explain(),
            "",
            to_text(["what", "count", "share"], self._counts()),
        ]
        parts += ["", to_text(["policy", "advice", "sample", "why"], self._advice_rows())]
        parts += [f"\n{finding.severity}: {finding}" for finding in self.findings]
        if self.typos:
            shown = ", ".join(f"{a} → {m}" for a, m in self.typos[:_TOLD_TYPOS])
            parts += ["", f"{self._typos_title(_TOLD_TYPOS)}: {shown}"]
        return "\n".join(parts)

    def _page_title(self) -> str:
        return f"Mailing list: {number_of(self.addresses, 'address', 'addresses')}; advice: {self.advice}"

    def _repr_html_(self) -> str:
        """Return the report as a paragraph and small escaped tables, for a notebook."""
        shares: list[list[Cell]] = [
            [name.replace("  ", "\u00b7 "), count, Bar(share, f"{share:.1%}")]
            for name, count, share in self._shares()
        ]
        html = heading(self._headline()) + paragraph(self.explain())
        html += to_html("Counts", ["what", "count", "share"], shares)
        html += to_html("What each policy means", ["policy", "advice", "sample", "why"], self._advice_rows())
        if self.findings:
            found: list[list[Cell]] = [[str(one.severity), one.sentence] for one in self.findings]
            html += to_html("The list as a whole", ["severity", "what was found"], found)
        if self.typos:
            typos: list[list[Cell]] = [list(pair) for pair in self.typos[:_SHOWN_TYPOS]]
            html += to_html(self._typos_title(_SHOWN_TYPOS), ["address", "meant"], typos)
        if self.worst_domains:
            html += to_html(
                "Worst domains", ["domain", "addresses"], [list(pair) for pair in self.worst_domains]
            )
        return html

    def _headline(self) -> str:
        addresses = number_of(self.addresses, "address", "addresses")
        where = number_of(self.domains, "domain")
        return f"{addresses} at {where}: {self.prediction} hard bounces predicted; {self.advice}."

    def _typos_title(self, most: int) -> str:
        """Return the title of a list of typing errors, which says so where it is cut."""
        return f"Typing errors ({most} of {self.mistyped})" if self.mistyped > most else "Typing errors"

    def _shares(self) -> list[tuple[str, int, float]]:
        total = max(1, self.addresses)
        counted = [(str(verdict), count) for verdict, count in self.verdicts.items()]
        counted += [(f"  {code}", count) for code, count in self.reasons.items() if code not in _UNKNOWN]
        counted.append(("duplicates", self.duplicates))
        shares = [(name, count, count / total) for name, count in counted]
        of_rows = [("bad rows", self.bad_rows)]
        of_rows += [(f"rows marked {why}", count) for why, count in self.do_not_mail.items()]
        return shares + [(name, count, count / max(1, self.rows)) for name, count in of_rows]

    def _counts(self) -> list[list[Cell]]:
        return [[name, count, f"{share:.1%}"] for name, count, share in self._shares()]

    def _advice_rows(self) -> list[list[Cell]]:
        return [
            [
                v.policy.name,
                str(v.advice),
                f"{v.sample}, at most {v.allowed} bounces" if v.sample else None,
                v.sentence,
            ]
            for v in self.policies
        ]


_TOLD_TYPOS = 10  # choice: a line or two of text
_SHOWN_TYPOS = 20  # choice: fits on a screen

_UNKNOWN = frozenset({"not-asked", "unknown"})
"""Reasons that say no more than the verdict: it is not known."""


def _made_again(
    facts: dict[str, Any],
    data: bytes,
    columns: tuple[str, ...],
    frame: Any,  # noqa: ANN401 -- pandas is optional
    dialect: Dialect,
) -> ListReport:
    judged = Judged(
        Judged.spool_of(data),
        columns=list(columns),
        column=facts["column"],
        checked_at=facts["checked_at"],
        frame=frame,
        dialect=dialect,
    )
    return ListReport(**facts, judged=judged)


T = TypeVar("T")

_SCHEMA = 1  # by definition: the layout that this version writes


def save_report(report: Any, path: str | os.PathLike[str]) -> None:  # noqa: ANN401 -- a report of lists
    """Write a report with all its rows."""
    place = Path(path)
    if place.exists():
        raise FileExistsError(17, "the file exists", str(place))
    judged = report.judged
    facts = {one.name: _data(getattr(report, one.name)) for one in fields(report) if one.name != "judged"}
    kept = {"schema": _SCHEMA, "columns": list(judged.columns), "dialect": judged.dialect, "facts": facts}
    judged.spool.write_meta("report", json.dumps(kept, ensure_ascii=False))
    judged.spool.database.execute("VACUUM INTO ?", (str(place),))


def _data(value: Any) -> Any:  # noqa: ANN401 -- any field
    """Return a field as JSON has it, with every field of a value, derived ones left out."""
    if isinstance(value, (Prediction, PolicyVerdict, Policy, DataSource, Reason)):
        return {one.name: _data(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, (list, tuple)):
        return [_data(one) for one in value]
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    return plain(value)


def load_report(kind: Callable[..., T], path: str | os.PathLike[str]) -> T:
    """Read a report that `save_report` wrote."""
    place = Path(path)
    if not place.is_file():
        raise FileNotFoundError(2, "no such file", str(place))
    database = opened(f"{place.resolve().as_uri()}?mode=ro", uri=True)
    try:
        kept = json.loads(Spool(database).read_meta("report"))
        facts = _fields(kept["facts"])
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
        database.close()
        msg = f"{place.name} is not a saved list report"
        raise ConfigurationError(msg, field="path") from error
    judged = Judged(
        Spool(database),
        columns=kept["columns"],
        column=facts["column"],
        checked_at=facts["checked_at"],
        dialect=Dialect(*kept["dialect"]),
    )
    return kind(**facts, judged=judged)


def _fields(facts: dict[str, Any]) -> dict[str, Any]:
    for name in ("bad_row_examples", "typos", "worst_domains", "providers"):
        facts[name] = tuple((one, other) for one, other in facts[name])
    facts["verdicts"] = {Deliverability(name): count for name, count in facts["verdicts"].items()}
    facts["traits"] = {Trait(name): count for name, count in facts["traits"].items()}
    facts["states"] = {DomainState(name): count for name, count in facts["states"].items()}
    facts["findings"] = tuple(_reason(one) for one in facts["findings"])
    facts["prediction"] = Prediction(**facts["prediction"])
    facts["policies"] = tuple(_policy(one) for one in facts["policies"])
    facts["sources"] = tuple(
        DataSource(**{**one, "date": one["date"] and dt.date.fromisoformat(one["date"])})
        for one in facts["sources"]
    )
    facts["other_columns"] = tuple(facts["other_columns"])
    facts["status_columns"] = tuple(facts["status_columns"])
    facts["checked_at"] = dt.datetime.fromisoformat(facts["checked_at"])
    return facts


def _reason(one: dict[str, Any]) -> Reason:
    severity = None if one["severity"] is None else Severity(one["severity"])
    return Reason(**{**one, "severity": severity, "evidence": tuple(one["evidence"])})


def _policy(one: dict[str, Any]) -> PolicyVerdict:
    rule = Policy(**{**one["policy"], "date": dt.date.fromisoformat(one["policy"]["date"])})
    return PolicyVerdict(**{**one, "policy": rule, "advice": Advice(one["advice"])})
