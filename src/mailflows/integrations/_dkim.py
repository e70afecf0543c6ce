"""DKIM signatures (RFC 6376) with the flow's own key, made last, so that they cover what leaves."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mailflows.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from mailflows.flows import FlowRoute

__all__ = ["signed"]


def signed(content: bytes, route: FlowRoute) -> bytes:
    """Return a message with the signature of its flow before it; unchanged where the flow has no key here.

    Raises:
        ConfigurationError: If the key cannot be used.
        MissingExtra: If dkimpy is not installed.
    """
    if not route.dkim_key:
        return content
    try:
        import dkim  # noqa: PLC0415 -- an extra
    except ImportError as problem:
        extra = "dkim"
        raise MissingExtra(extra, "dkimpy") from problem
    try:
        field = dkim.sign(
            content,
            route.dkim_selector[0].encode(),
            route.dkim_domain.encode(),
            _key(route.dkim_key),
            canonicalize=(b"relaxed", b"relaxed"),
            linesep=b"\r\n",
        )
    except dkim.DKIMException as problem:
        msg = f"dkim_key: the {route.flow} flow cannot sign with {route.dkim_key} ({type(problem).__name__})"
        raise ConfigurationError(msg, field="dkim_key") from problem
    return bytes(field) + content


@lru_cache(maxsize=16)
def _key(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        msg = f"dkim_key: {path} cannot be read ({problem.strerror})"
        raise ConfigurationError(msg, field="dkim_key") from problem
