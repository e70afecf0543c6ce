"""Whose mailbox an address is, for the suppression list."""

from __future__ import annotations

from mailflows._mailbox import mailbox_key
from mailflows._providers import provider_of
from mailflows.errors import ConfigurationError

__all__ = ["domain_of", "home_of", "require_text"]


def domain_of(mailbox: str) -> str:
    """Return the domain of an address, as A-labels in lower case where it is one."""
    domain = mailbox.rpartition("@")[2].lower()
    return domain if domain.isascii() else mailbox_key(f"x@{domain}").partition("@")[2]


def home_of(mailbox: str) -> str:
    """Return who gives a mailbox."""
    return provider_of(domain_of(mailbox)).name


def require_text(address: object) -> None:
    """Refuse what is not text.

    Raises:
        ConfigurationError: If it is not text.
    """
    if not isinstance(address, str):
        msg = f"an address must be text; got {type(address).__name__}"
        raise ConfigurationError(msg, field="address")
