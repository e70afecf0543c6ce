"""The tables of ``flows.toml`` that say which parts a gate has."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailflows.classifier import Classifier
from mailflows.errors import ConfigurationError
from mailflows.feedback import SuppressionList
from mailflows.flow import Flow
from mailflows.flows import GuardSettings
from mailflows.gate._parts import PARTS
from mailflows.limits import Limiter, MemoryStore, SQLiteStore, presets
from mailflows.recipients import RecipientChecker
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory

if TYPE_CHECKING:
    import os

    from mailflows.limits import Store

__all__ = ["parts_from_toml", "store_of"]

_SWITCHES: dict[str, Callable[[Store], object]] = {
    "suppressions": SuppressionList,
    "reputation": Reputation,
    "senders": SenderControl,
    "templates": TemplateMemory,
}
"""Parts that only need a store; each is on unless the file says ``false``."""

_PRESETS: dict[str, Callable[..., Limiter]] = {
    "web_form": presets.web_form,
    "professional": presets.professional,
    "campaign": presets.campaign,
}

_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "gate": {
        "store": str,
        "dry_run": bool,
        "on_conflict": str,
        "on_error": dict,
        **dict.fromkeys(_SWITCHES, bool),
    },
    "limits": {**dict.fromkeys(Flow, str), "on_error": str},
    "recipients": {"dns": bool, "budget": (int, float)},
    "guard": dict.fromkeys((f.name for f in fields(GuardSettings)), (int, float)),
    "classifier": {"model": str, "threshold": float, "heuristic": bool},
}
"""Table → key → what its value is."""


def parts_from_toml(path: str | os.PathLike[str], store: Store | None) -> dict[str, Any]:
    """Return the arguments of a `Gate` that a file names.

    Raises:
        ConfigurationError: If the file is no TOML, or has an unknown key; the text names file and line.
        OSError: If it cannot be read.
    """
    text, tables = _read(path)
    try:
        for name in _KEYS:
            _check(name, tables.get(name, {}))
        return _parts(tables, Path(path).parent, store)
    except ConfigurationError as error:
        table = str(error).partition("]")[0].removeprefix("[")
        line = _line_of(text, table, error.field)
        msg = f"{path}{f', line {line}' if line else ''}: {error}"
        raise ConfigurationError(msg, field=error.field) from error


def store_of(path: str | os.PathLike[str]) -> Store:
    """Return the store that a file names.

    Raises:
        ConfigurationError: If the file is no TOML.
        OSError: If it cannot be read.
    """
    table = _read(path)[1].get("gate", {})
    name = table.get("store") if isinstance(table, Mapping) else None
    return _store(name if isinstance(name, str) else None, Path(path).parent)


def _read(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    text = Path(path).read_text("utf-8")
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: {error}"
        raise ConfigurationError(msg, field="toml") from error


def _check(name: str, table: object) -> None:
    """Refuse keys that are unknown, and values of another kind."""
    known = _KEYS[name]
    if not isinstance(table, Mapping):
        msg = f"{name} is a table: write [{name}]"
        raise ConfigurationError(msg, field=name)
    for key, value in table.items():
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            msg = f"[{name}] unknown key {key}: {hint}"
            raise ConfigurationError(msg, field=key)
        wanted = known[key]
        is_switch = isinstance(value, bool)
        if not isinstance(value, wanted) or (is_switch and wanted is not bool):
            kinds = wanted if isinstance(wanted, tuple) else (wanted,)
            words = " or ".join(_WORDS[kind] for kind in kinds)
            msg = f"[{name}] {key} is {words}; got {value!r}"
            raise ConfigurationError(msg, field=key)


_WORDS = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number with a point",
    dict: "a table",
}


def _parts(tables: Mapping[str, Any], folder: Path, store: Store | None) -> dict[str, Any]:
    gate = tables.get("gate", {})
    kept = store if store is not None else _store(gate.get("store"), folder)
    parts: dict[str, Any] = {name: make(kept) for name, make in _SWITCHES.items() if gate.get(name, True)}
    parts |= {key: gate[key] for key in ("dry_run", "on_conflict") if key in gate}
    parts["on_error"] = _on_error(gate.get("on_error", {}))
    parts["limiter"] = _limiters(tables.get("limits", {}), kept) or None
    parts["recipients"], parts["recipients_budget"] = _recipients(tables.get("recipients", {}))
    parts["guard_settings"] = GuardSettings(**tables.get("guard", {}))
    parts["classifier"] = _classifier(tables.get("classifier", {}), folder)
    return parts


def _store(name: str | None, folder: Path) -> Store:
    """Return the store of a file beside the settings; without a name, state ends with the process."""
    return MemoryStore() if name is None else SQLiteStore(folder / name)


def _on_error(table: Mapping[str, str]) -> Mapping[str, str]:
    for name in table:
        if name not in PARTS:
            msg = f"[gate] on_error names the parts {', '.join(PARTS)}; got {name}"
            raise ConfigurationError(msg, field="on_error")
    return table


def _limiters(table: Mapping[str, Any], store: Store) -> dict[Flow, Limiter]:
    """Return the limiter of each flow: a preset, by its name."""
    how = {"on_error": table["on_error"]} if "on_error" in table else {}
    found = {}
    for key, value in table.items():
        if key == "on_error":
            continue
        if value not in _PRESETS:
            msg = f"[limits] {key} names a preset, {', '.join(_PRESETS)}; got {value!r}"
            raise ConfigurationError(msg, field=key)
        found[Flow(key)] = _PRESETS[value](store, **how)
    return found


def _recipients(table: Mapping[str, Any]) -> tuple[RecipientChecker, float]:
    """Return the checker: without the DNS unless the file asks for it, since that leaves the machine."""
    budget = float(table.get("budget", 5.0))
    return RecipientChecker(dns=table.get("dns", False), budget=budget), budget


def _classifier(table: Mapping[str, Any], folder: Path) -> Classifier:
    threshold = table.get("threshold")
    if table.get("heuristic", False):
        return Classifier.heuristic(threshold=threshold)
    if "model" in table:
        return Classifier.load(folder / table["model"], threshold=threshold)
    return Classifier(threshold=threshold)


def _line_of(text: str, name: str, key: str) -> int | None:
    """Return the line of a key in a table, or that of the table, or `None`."""
    table = None
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0].strip()
        if bare.startswith("["):
            if table:
                break
            table = number if bare.strip("[] ") == name else None
        elif table and bare.partition("=")[0].strip(" \"'") == key:
            return number
    return table
