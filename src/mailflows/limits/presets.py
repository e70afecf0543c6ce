"""Limiters for the usual cases; every number has a source in ``docs/limits.md``.

Each function returns a `Limiter`; ``limiter.limits`` shows its limits, so you can build a variant of your
own.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any, TypedDict

from mailflows import _data
from mailflows._provider_names import meant_provider, spellings_of
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.limits._limit import Limit
from mailflows.limits._limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Unpack

    from mailflows._stores import Store
    from mailflows._stores._fallback import OnError
    from mailflows.limits._decision import Decision

__all__ = [
    "BIG_PROVIDERS",
    "Settings",
    "account",
    "background",
    "campaign",
    "contact_form",
    "professional",
    "web_form",
]

BIG_PROVIDERS = frozenset(
    (
        "gmail.com outlook.com hotmail.com live.com msn.com hotmail.fr outlook.fr yahoo.com yahoo.fr "
        "ymail.com icloud.com aol.com gmx.de gmx.net web.de t-online.de orange.fr wanadoo.fr free.fr sfr.fr "
        "laposte.net libero.it mail.ru yandex.ru qq.com 163.com protonmail.com"
    ).split()
)
"""Domains where many strangers have their mailbox: no limit per domain makes sense there."""


class Settings(TypedDict, total=False):
    """What a preset hands to its `Limiter`."""

    on_error: OnError
    dry_run: bool
    name: str
    hooks: Iterable[Callable[[Decision], object]]


def web_form(store: Store | None = None, **settings: Unpack[Settings]) -> Limiter:
    """Return a limiter for mail that a form on a web site triggers: sign-up, password reset, contact.

    It needs the recipient and ``client=``, the visitor's IP address, plus ``form=`` and ``template=`` if
    there are several. One visitor can cause mail to few people, and each person gets only a few messages.

    Args:
        store: Where the counters are kept; a `SQLiteStore` or `RedisStore` if several processes serve the
            form.
        settings: See `Limiter`.

    Example:
        >>> from mailflows.limits import presets
        >>> limiter = presets.web_form()
        >>> attempts = [limiter.acquire(to="ada@example.org", client="192.0.2.1") for _ in range(4)]
        >>> [bool(attempt) for attempt in attempts], attempts[-1].per
        ([True, True, True, False], 'recipient')
    """
    limiter = _preset(
        Limit("3/hour; 10/day", per="recipient"),
        Limit("1/15min", per="duplicate", optional=True),
        Limit("5/10min; 30/day", per="client"),
        Limit("60/hour", per="client_network"),
        Limit("150/hour", per="client_site"),
        Limit("20 distinct/day", per="client", of="recipient"),
        Limit("200/hour", per="recipient_domain", exempt=BIG_PROVIDERS),
        Limit("500/hour; burst 50", per="form", optional=True),
        Limit("2000/hour", per="global"),
        **_filled(store, settings, "web_form"),
    )
    limiter.background = background(limiter.store, **settings)
    return limiter


def background(store: Store | None = None, **settings: Unpack[Settings]) -> Limiter:
    """Return a limiter for mail from a job that no visitor triggered: Celery, cron, `mail_admins`.

    It needs only the recipient. For mail without a client, a `Gate` uses it automatically instead of
    `web_form`. It stops a runaway job, which sends the same message to the same person again and again.

    Args:
        store: Where counts live.
        settings: See `Limiter`.

    Example:
        >>> from mailflows.limits import presets
        >>> limiter = presets.background()
        >>> all(limiter.acquire(to=f"reader{n}@example.org", template="reminder") for n in range(500))
        True
        >>> [bool(limiter.acquire(to="ada@example.org", template="reminder")) for _ in range(5)]
        [True, True, True, True, False]
    """
    return _preset(
        Limit("4/hour", per="duplicate", optional=True),
        Limit("20/hour; 60/day", per="recipient"),
        Limit("20000/hour; burst 5000", per="global"),
        **_filled(store, settings, "background"),
    )


def contact_form(store: Store | None = None, **settings: Unpack[Settings]) -> Limiter:
    """Return a limiter for a form whose mail always goes to its owner: contact, support, quotation.

    It needs ``client=``, the visitor's IP address, and the recipient, who is the owner, plus ``form=`` if
    there are several. The owner may receive many messages; one visitor may send few, and the same text once.

    Args:
        store: Where counts live.
        settings: See `Limiter`.

    Example:
        >>> from mailflows.limits import presets
        >>> limiter = presets.contact_form()
        >>> sent = [limiter.acquire(to="shop@example.org", client=f"192.0.2.{n}") for n in range(20)]
        >>> all(sent)
        True
    """
    return _preset(
        Limit("1/15min", per="duplicate", optional=True),
        Limit("3/10min; 10/day", per="client"),
        Limit("30/hour", per="client_network"),
        Limit("60/hour", per="client_site"),
        Limit("60/hour; 300/day", per="recipient"),
        Limit("60/hour; 300/day", per="form", optional=True),
        **_filled(store, settings, "contact_form"),
    )


def account(provider: str, store: Store | None = None, **settings: Unpack[Settings]) -> Limiter:
    """Return a limiter with the limits that a provider sets for one account; it needs ``account=``.

    A message refused here costs nothing; one refused by the provider may cost you the account.

    Args:
        provider: A provider in ``data/limits/accounts.toml``, such as ``gmail`` or ``microsoft-365``, in any
            common spelling: ``Office 365`` works, too.
        store: Where counts live.
        settings: See `Limiter`.

    Raises:
        ConfigurationError: If there is no such provider.

    Example:
        >>> from mailflows.limits import presets
        >>> [limit.name for limit in presets.account("gmail").limits]
        ['500 per day per account']
    """
    known = _accounts()
    name = meant_provider(provider, known)
    if name is None:
        hint = did_you_mean(provider, spellings_of(known), choices=known)
        msg = f"no limits are known for an account at {provider!r}: {hint}"
        raise ConfigurationError(msg, field="provider")
    limits = [
        Limit(entry["rate"], per="account", counts=entry["counts"], of=entry.get("of"))
        for entry in known[name]
    ]
    return Limiter(*limits, **_filled(store, settings, f"provider {name}"))


def account_providers() -> tuple[str, ...]:
    """Return the providers whose limits for one account are known."""
    return tuple(_accounts())


@cache
def _accounts() -> dict[str, list[dict[str, Any]]]:
    """Return what providers say, by name."""
    read = tomllib.loads(_data.read("limits/accounts.toml"))
    return {entry["name"]: entry["limits"] for entry in read["account"]}


def professional(store: Store | None = None, **settings: Unpack[Settings]) -> Limiter:
    """Return a limiter for mail that people write; it needs ``account=``. Use it with a `SenderControl`.

    Args:
        store: Where counts live.
        settings: See `Limiter`.

    Example:
        >>> from mailflows.limits import presets
        >>> bool(presets.professional().acquire(to="ada@example.org", account="charles"))
        True
    """
    return _preset(
        Limit("30/min", per="account", counts="messages"),
        Limit("2000/day", per="account", counts="messages"),
        Limit("10000/day", per="account"),
        Limit("3000 distinct/day", per="account", of="recipient"),
        Limit("100 distinct/day", per="account", of="client", optional=True),
        **_filled(store, settings, "professional"),
    )


def campaign(store: Store | None = None, **settings: Unpack[Settings]) -> Limiter:
    """Return a limiter for mail to a list; ``template=`` or ``content=`` names the mailing.

    Nobody gets the same mailing twice, or mail too often. For the pace towards each provider, use a `Pacer`.

    Args:
        store: Where counts live.
        settings: See `Limiter`.

    Example:
        >>> from mailflows.limits import presets
        >>> limiter = presets.campaign()
        >>> [bool(limiter.acquire(to="ada@example.org", template="spring")) for _ in range(2)]
        [True, False]
    """
    return _preset(
        Limit("1/week", per="duplicate"),
        Limit("2/day; 5/week", per="recipient"),
        Limit("100/second", per="global", exact=False),
        **_filled(store, settings, "campaign"),
    )


def _preset(*limits: Limit, **filled: Unpack[_Filled]) -> Limiter:
    limiter = Limiter(*limits, **filled)
    limiter.is_preset = True
    return limiter


class _Filled(Settings, total=False):
    store: Store | None


def _filled(store: Store | None, settings: Settings, name: str) -> _Filled:
    """Return the settings of a limiter; presets that share a store count apart."""
    return {"name": name, **settings, "store": store}
