"""The tables of ``flows.toml`` that say which parts a gate has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mailflows._provider_names import meant_provider, spellings_of
from mailflows._suggestion import did_you_mean
from mailflows.classifier import Classifier
from mailflows.errors import ConfigurationError
from mailflows.feedback import SuppressionList
from mailflows.flow import Flow
from mailflows.flows import GuardSettings
from mailflows.gate._parts import PARTS
from mailflows.gate._place import SECRETS, store_in
from mailflows.gate._tally import Tally
from mailflows.held import HeldMail
from mailflows.limits import Limiter, presets
from mailflows.recipients import Overrides, RecipientChecker
from mailflows.reputation import Reputation
from mailflows.senders import SenderControl
from mailflows.templates import TemplateMemory

if TYPE_CHECKING:
    from pathlib import Path

    from mailflows.flows._file import SettingsFile
    from mailflows.limits import Store

__all__ = ["parts_from_file"]

_SWITCHES: dict[str, Callable[[Store], object]] = {
    "suppressions": SuppressionList,
    "reputation": Reputation,
    "senders": SenderControl,
    "templates": TemplateMemory,
}
"""Parts that only need a store; each is on unless the file says ``false``."""

_PRESETS: dict[str, Callable[..., Limiter]] = {
    "web_form": presets.web_form,
    "contact_form": presets.contact_form,
    "background": presets.background,
    "professional": presets.professional,
    "campaign": presets.campaign,
}

_GIVEN = ("dry_run", "on_conflict", "on_missing_unsubscribe")

_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "gate": {
        "store": str,
        **dict.fromkeys(SECRETS, (str, list)),
        "dry_run": (bool, list),
        "on_conflict": str,
        "on_missing_unsubscribe": str,
        "on_error": dict,
        **dict.fromkeys(_SWITCHES, bool),
    },
    "limits": {**dict.fromkeys(Flow, str), "on_error": str},
    "recipients": {"dns": bool, "budget": (int, float), "refuse": dict, "internal_domains": list},
    "guard": {**dict.fromkeys((f.name for f in fields(GuardSettings)), (int, float)), "kinds": dict},
    "classifier": {"model": str, "threshold": float, "heuristic": bool},
}
"""Table → key → what its value is."""


def parts_from_file(file: SettingsFile, store: Store | None) -> dict[str, Any]:
    """Return the arguments of a `Gate` that a file names.

    Raises:
        ConfigurationError: If the file has an unknown key, or one that contradicts another.
    """
    with file.at(""):
        _require_known(file.tables)
    for name in _KEYS:
        with file.at(name):
            _check(name, file.tables.get(name, {}))
    return _parts(file, store)


def _require_known(tables: Mapping[str, Any]) -> None:
    """Refuse a table that nobody reads."""
    for key in tables:
        if key != "flows" and key not in _KEYS:
            msg = f"unknown table [{key}]: {did_you_mean(key, ('flows', *_KEYS))}"
            raise ConfigurationError(msg, field=key)


def _check(name: str, table: object) -> None:
    """Refuse keys that are unknown, and values of another kind."""
    known = _KEYS[name]
    if not isinstance(table, Mapping):
        msg = f"{name} is a table: write [{name}]"
        raise ConfigurationError(msg, field=name)
    for key, value in table.items():
        if key not in known:
            msg = f"[{name}] unknown key {key}: {did_you_mean(key, known)}"
            raise ConfigurationError(msg, field=key)
        wanted = known[key]
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        is_switch = isinstance(value, bool)
        if not isinstance(value, kinds) or (is_switch and bool not in kinds):
            words = " or ".join(_WORDS[kind] for kind in kinds)
            msg = f"[{name}] {key} must be {words}; got {value!r}"
            raise ConfigurationError(msg, field=key)


_WORDS = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a decimal number",
    dict: "a table",
    list: "a list",
}


def _parts(file: SettingsFile, store: Store | None) -> dict[str, Any]:
    tables, folder = file.tables, file.path.parent
    gate = tables.get("gate", {})
    with file.at("gate"):
        kept = store if store is not None else store_in(gate, folder)
        parts: dict[str, Any] = {name: make(kept) for name, make in _SWITCHES.items() if gate.get(name, True)}
        parts |= {key: gate[key] for key in _GIVEN if key in gate}
        parts |= {"held": HeldMail(kept), "tally": Tally(kept)}
        parts["on_error"] = _on_error(gate.get("on_error", {}))
    with file.at("limits"):
        parts["limiter"] = _limiters(tables.get("limits", {}), kept) or None
    with file.at("recipients"):
        table = tables.get("recipients", {})
        parts["recipients"], parts["recipients_budget"] = _recipients(table)
        parts["refuse_recipients"] = table.get("refuse")
    with file.at("guard"):
        parts["guard_settings"] = GuardSettings(**tables.get("guard", {}))
    with file.at("classifier"):
        parts["classifier"] = _classifier(tables.get("classifier", {}), folder)
    return parts


def _on_error(table: Mapping[str, str]) -> Mapping[str, str]:
    for name in table:
        if name not in PARTS:
            msg = f"[gate] on_error must name parts, which are {', '.join(PARTS)}; got {name}"
            raise ConfigurationError(msg, field="on_error")
    return table


def _limiters(table: Mapping[str, Any], store: Store) -> dict[Flow, Limiter]:
    """Return the limiter of each flow: a preset, by its name."""
    how = {"on_error": table["on_error"]} if "on_error" in table else {}
    found = {}
    for key, value in table.items():
        if key == "on_error":
            continue
        found[Flow(key)] = _limiter(key, value, store, how)
    return found


def _limiter(key: str, value: str, store: Store, how: dict[str, Any]) -> Limiter:
    """Return a preset, or what a provider lets one account send."""
    if value in _PRESETS:
        return _PRESETS[value](store, **how)
    providers = presets.account_providers()
    if (provider := meant_provider(value, providers)) is not None:
        return presets.account(provider, store, **how)
    hint = did_you_mean(value, (*_PRESETS, *spellings_of(providers)), choices=(*_PRESETS, *providers))
    msg = f"[limits] {key} must be a preset, or a provider with limits for one account; got {value!r}: {hint}"
    raise ConfigurationError(msg, field=key)


def _recipients(table: Mapping[str, Any]) -> tuple[RecipientChecker, float]:
    """Return the checker: without the DNS unless the file asks for it, since that leaves the machine."""
    budget = float(table.get("budget", 5.0))
    own = Overrides.of(internal_domains=table.get("internal_domains", ()))
    return RecipientChecker(dns=table.get("dns", False), overrides=own, budget=budget), budget


def _classifier(table: Mapping[str, Any], folder: Path) -> Classifier:
    threshold = table.get("threshold")
    if table.get("heuristic", False):
        return Classifier.heuristic(threshold=threshold)
    if "model" in table:
        file = folder / table["model"]
        if not file.is_file():
            msg = f"[classifier] model: there is no file {file}; remove the key to use the shipped model"
            raise ConfigurationError(msg, field="model")
        return Classifier.load(file, threshold=threshold)
    return Classifier(threshold=threshold)
