"""The template values in a payload for a provider's API or SDK."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache

from mailflows import _data
from mailflows.errors import ConfigurationError

__all__ = ["fields_of", "flat"]

_DEEPEST = 12  # bound: nobody nests template data deeper
_STEP = re.compile(r"([A-Za-z_]+)(\[\])?")
_PAIRS = "{name: content}"
_JSON = "(json)"


@cache
def _paths() -> tuple[str, ...]:
    """Return all paths of all providers: they do not contradict each other."""
    table = tomllib.loads(_data.read("templates/payloads.toml"))
    return tuple(path for row in table.values() for path in row["paths"])


def fields_of(payload: object) -> dict[str, object]:
    """Return the values that a payload of SendGrid, Brevo, Mailjet, Postmark, Mandrill or SES fills in.

    Args:
        payload: The payload for the provider's API: a dictionary, or an object of its SDK.

    Raises:
        ConfigurationError: If it does not have the shape of any of them: an unknown payload is never reported
            as clean.

    Example:
        >>> fields_of({"From": "a@b.example", "TemplateModel": {"user": {"name": "Ada"}}})
        {'user.name': 'Ada'}
    """
    plain = _plain(payload)
    found: dict[str, object] = {}
    is_known = False
    for path in _paths():
        for number, value in enumerate(_at(plain, path)):
            is_known = True
            for name, one in flat(_values(value, path)):
                is_other = name in found and found[name] != one
                found[f"{name} ({number + 1})" if is_other else name] = one
    if not is_known:
        msg = "payload: no template values found; pass them as a mapping to check_fields() directly"
        raise ConfigurationError(msg, field="payload")
    return found


def flat(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield name and value of all that nests in a value, such as ``user.name`` and ``items.0.title``."""
    plain = _plain(value) if depth < _DEEPEST else str(value)
    if isinstance(plain, Mapping):
        for key, one in plain.items():
            yield from flat(one, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(plain, list | tuple):
        for number, one in enumerate(plain):
            yield from flat(one, f"{name}.{number}" if name else str(number), depth + 1)
    else:
        yield name, plain


def _plain(value: object) -> object:
    """Return an object of an SDK as a mapping; what is plain already stays."""
    if value is None or isinstance(value, str | bytes | int | float | Mapping | list | tuple):
        return value
    if callable(getattr(value, "to_dict", None)):
        return value.to_dict()  # type: ignore[attr-defined]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if callable(getattr(value, "get", None)) and hasattr(value, "personalizations"):
        return value.get()  # type: ignore[attr-defined]  # SendGrid's Mail
    if hasattr(value, "__dict__"):
        return {name.lstrip("_"): one for name, one in vars(value).items()}
    return str(value)


def _at(plain: object, path: str) -> list[object]:
    """Return what stands at a path, each of a list for itself."""
    found = [plain]
    for step in path.removesuffix(_JSON).removesuffix(_PAIRS).split("."):
        match = _STEP.match(step)
        if match is None:  # pragma: no cover -- the table is ours
            return []
        name, is_list = (
            match[1],
            bool(match[2]) and not (path.endswith(_PAIRS) and path.endswith(step + _PAIRS)),
        )
        following: list[object] = []
        for one in map(_plain, found):
            value = one.get(name) if isinstance(one, Mapping) else None
            if is_list:
                following += value if isinstance(value, list | tuple) else []
            elif value is not None:
                following.append(value)
        found = following
    return found


def _values(value: object, path: str) -> object:
    """Return the mapping that stands at the end of a path."""
    if path.endswith(_JSON) and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return {"TemplateData": value}
    if path.endswith(_PAIRS) and isinstance(value, Sequence) and not isinstance(value, str):
        pairs = [_plain(pair) for pair in value]
        return {str(pair.get("name")): pair.get("content") for pair in pairs if isinstance(pair, Mapping)}
    return value
