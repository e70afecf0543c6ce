"""The table of sending systems, made from the data files of the library."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEADER", "rows"]

HEADER = ("system", "stream", "SMTP header", "API field", "webhooks", "signature")

_SCHEMES = {
    "amazon_ses": "SNS, RSA",
    "hmac-sha256": "HMAC-SHA-256",
    "mailgun": "HMAC-SHA-256",
    "mandrill": "HMAC-SHA-1",
    "postal": "RSA",
    "sendgrid": "ECDSA",
    "sns": "SNS, RSA",
    "svix": "Svix, HMAC-SHA-256",
    "unisender": "MD5",
    "unisender_go": "MD5",
}


def rows() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield a row for each provider: what it calls a stream, how it is told, what comes back."""
    data = files("mailflows") / "data"
    esps = tomllib.loads((data / "flows/esps.toml").read_text("utf-8"))
    hooks = tomllib.loads((data / "feedback/webhooks.toml").read_text("utf-8"))
    for name in sorted({*esps, *(_title(key, hook, esps) for key, hook in hooks.items())}, key=str.lower):
        esp = esps.get(name, {})
        key = next((key for key, hook in hooks.items() if _title(key, hook, esps) == name), "")
        signed = hooks.get(key, {}).get("signed", "")
        yield (
            name,
            esp.get("stream", ""),
            ", ".join([*esp.get("headers", {}), *esp.get("json", {})]),
            ", ".join(_paths(esp.get("fields", {}))),
            key,
            _SCHEMES.get(signed, signed) or ("none" if key else ""),
        )


def _title(key: str, hook: dict[str, Any], esps: dict[str, Any]) -> str:
    """Return the name of a webhook's provider as the table of streams spells it."""
    folded = key.replace("_", "")
    return next((name for name in esps if name.replace(" ", "").lower() == folded), hook["title"])


def _paths(fields: dict[str, Any], before: str = "") -> Iterator[str]:
    for key, value in fields.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"
