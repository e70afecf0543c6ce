"""Saving a report on a list with all its rows, and loading it again: one SQLite file, no pickle."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mailflows._result import Reason, Severity, plain
from mailflows.errors import ConfigurationError
from mailflows.recipients._judged import Judged
from mailflows.recipients._lists import DataSource
from mailflows.recipients._policies import Advice, Policy, PolicyVerdict
from mailflows.recipients._prediction import Prediction
from mailflows.recipients._report import Deliverability, DomainState, Trait
from mailflows.recipients._spool import Spool

if TYPE_CHECKING:
    import os
    from collections.abc import Callable


__all__ = ["load_report", "save_report"]

T = TypeVar("T")

_SCHEMA = 1  # by definition: the layout that this version writes


def save_report(report: Any, path: str | os.PathLike[str]) -> None:  # noqa: ANN401 -- a report of lists
    """Write a report with all its rows."""
    place = Path(path)
    if place.exists():
        raise FileExistsError(17, "the file exists", str(place))
    judged = report.judged
    facts = {one.name: _data(getattr(report, one.name)) for one in fields(report) if one.name != "judged"}
    kept = {"schema": _SCHEMA, "columns": list(judged.columns), "facts": facts}
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
    database = sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    try:
        kept = json.loads(Spool(database).read_meta("report"))
        facts = _fields(kept["facts"])
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
        database.close()
        msg = f"{place.name} is not a saved list report"
        raise ConfigurationError(msg, field="path") from error
    judged = Judged(
        Spool(database), columns=kept["columns"], column=facts["column"], checked_at=facts["checked_at"]
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
    facts["checked_at"] = dt.datetime.fromisoformat(facts["checked_at"])
    return facts


def _reason(one: dict[str, Any]) -> Reason:
    severity = None if one["severity"] is None else Severity(one["severity"])
    return Reason(**{**one, "severity": severity, "evidence": tuple(one["evidence"])})


def _policy(one: dict[str, Any]) -> PolicyVerdict:
    rule = Policy(**{**one["policy"], "date": dt.date.fromisoformat(one["policy"]["date"])})
    return PolicyVerdict(**{**one, "policy": rule, "advice": Advice(one["advice"])})
