"""The route of one flow: which domains, addresses, keys and relay are its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from mailflows._result import Result
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.flow import Flow
from mailflows.flows._esp import esp_named

if TYPE_CHECKING:
    from mailflows.message import Message

__all__ = ["AccountMaySend", "FlowRoute", "Relay", "read_domain"]

_PORTS = {"smtp": 25, "smtps": 465}

TLS_MODES = ("opportunistic", "require", "verify")
"""As Postfix has them: may, encrypt, secure."""

AccountMaySend: TypeAlias = "Mapping[str, Iterable[str]] | Callable[[str, str], bool]"
"""What each account may write into From: addresses, or ``@domain``; or a function of account and address."""


@dataclass(frozen=True, slots=True)
class Relay:
    """The host that a flow's messages are sent to.

    Attributes:
        host: Its host name or IP address.
        port: 25 by default, 465 for ``smtps``.
        is_tls: Whether TLS starts with the connection (implicit TLS, ``smtps``).
        username: Name to log in with; empty for none.

    Example:
        >>> from mailflows.flows import FlowRoute
        >>> FlowRoute("marketing", domains="news.example.org", relay="smtp://relay.example.org:587").server
        Relay(host='relay.example.org', port=587, is_tls=False, username='')
    """

    host: str
    port: int
    is_tls: bool
    username: str


@dataclass(frozen=True, slots=True)
class FlowRoute(Result):
    """The route of one flow.

    Args:
        flow: The flow, as a `Flow` or its name.
        domains: From domains; a single one may be a string. A subdomain counts as a different domain.
        source_ips: IP addresses that it is sent from; a single one may be a string.
        ehlo: Name given in EHLO, which should resolve to the source address and back.
        dkim_selector: Selector of the signing key; several may be given.
        dkim_domain: Signing domain (``d=``); by default the first of *domains*.
        dkim_key: File with the private key in PEM format, if mailflows is to sign; it belongs to the first
            selector. By default the relay or the provider signs.
        return_path: Domain of the envelope sender. If given, it is used in MAIL FROM. The default for checks
            is the first of *domains*; it leaves MAIL FROM unchanged.
        relay: ``smtp://user@host:port`` or ``smtps://…``; never with a password in it.
        password_env: Environment variable that holds the relay's password.
        password: A function that returns the password, for secrets kept elsewhere.
        tls: How TLS is used with the relay: ``opportunistic`` (if the relay offers it; a missing or
            unverifiable certificate is only logged), ``require`` (never in cleartext) or ``verify`` (with a
            valid certificate). By default ``verify`` if there is a login or a *tls_ca*, else
            ``opportunistic``. A password is never sent in cleartext.
        tls_ca: File with trusted CA certificates in PEM format; by default those of the system.
        esp: Name of the provider that sends, reached by its API or, with *relay*, over SMTP.
        stream: The name of the flow's stream there, whatever the provider calls it: message stream,
            sub-account, configuration set, tag.
        ip_pool: The name of the flow's IP pool there.
        tracking_host: Host of rewritten links and pixels.
        list_id: List-Id of its mailings, without angle brackets (RFC 2919).
        account_may_send: The From addresses that each account may use, such as ``{"ada": ["ada@example.org",
            "@ada.example"]}``, or a function of account and address.
        dry_run: Whether the gate only reports what it would do with this flow's mail.

    Raises:
        ConfigurationError: If a field is missing, malformed, or contradicts another.

    Example:
        >>> route = FlowRoute("marketing", domains="news.example.org", source_ips="192.0.2.20")
        >>> route.domains, route.dkim_domain, route.return_path
        (('news.example.org',), 'news.example.org', 'news.example.org')
    """

    flow: Flow
    domains: tuple[str, ...]
    source_ips: tuple[str, ...] = ()
    ehlo: str = ""
    dkim_selector: tuple[str, ...] = ()
    dkim_domain: str = ""
    dkim_key: str = field(default="", repr=False)
    return_path: str = ""
    relay: str = ""
    password_env: str = ""
    password: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    tls: str = ""
    tls_ca: str = ""
    esp: str = ""
    stream: str = ""
    ip_pool: str = ""
    tracking_host: str = ""
    list_id: str = ""
    account_may_send: AccountMaySend | None = field(default=None, repr=False, compare=False)
    dry_run: bool = False
    has_return_path: bool = field(default=False, init=False, repr=False)

    def __init__(  # noqa: PLR0913 -- what a flow may have of its own
        self,
        flow: Flow | str,
        *,
        domains: str | Iterable[str],
        source_ips: str | Iterable[str] = (),
        ehlo: str = "",
        dkim_selector: str | Iterable[str] = (),
        dkim_domain: str = "",
        dkim_key: str = "",
        return_path: str = "",
        relay: str = "",
        password_env: str = "",
        password: Callable[[], str] | None = None,
        tls: str = "",
        tls_ca: str = "",
        esp: str = "",
        stream: str = "",
        ip_pool: str = "",
        tracking_host: str = "",
        list_id: str = "",
        account_may_send: AccountMaySend | None = None,
        dry_run: bool = False,
    ) -> None:
        named = _several(domains, "domains", read_domain)
        if not named:
            msg = "domains is empty: name the domain used in From"
            raise ConfigurationError(msg, field="domains")
        content: dict[str, Any] = {
            "flow": Flow(flow),
            "domains": named,
            "source_ips": _several(source_ips, "source_ips", _address),
            "ehlo": _optional(ehlo, "ehlo", read_domain),
            "dkim_selector": _several(dkim_selector, "dkim_selector", _selector),
            "dkim_domain": _optional(dkim_domain, "dkim_domain", read_domain) or named[0],
            "dkim_key": _optional(dkim_key, "dkim_key", _text),
            "return_path": _optional(return_path, "return_path", read_domain) or named[0],
            "relay": _optional(relay, "relay", _relay_url),
            "password_env": _optional(password_env, "password_env", _variable),
            "password": password,
            "tls": _optional(tls, "tls", _tls_mode),
            "tls_ca": _optional(tls_ca, "tls_ca", _text),
            "esp": _optional(esp, "esp", _esp),
            "stream": _optional(stream, "stream", _text),
            "ip_pool": _optional(ip_pool, "ip_pool", _text),
            "tracking_host": _optional(tracking_host, "tracking_host", read_domain),
            "list_id": _optional(list_id, "list_id", _list_id),
            "account_may_send": _accounts(account_may_send),
            "dry_run": _switch(dry_run),
            "has_return_path": return_path != "",
        }
        for name, value in content.items():
            object.__setattr__(self, name, value)
        self._require_sense()

    def __str__(self) -> str:
        """Return the flow, its domains and how it leaves, in one line."""
        way = " by ".join(filter(None, (self.esp, self.relay))) or "no relay"
        return f"{self.flow}: {', '.join(self.domains)} ({way})"

    def _require_sense(self) -> None:
        """Refuse fields that contradict each other."""
        if self.password is not None and not callable(self.password):
            msg = (
                "password must be a function that returns the password, not the password itself; "
                "or use password_env"
            )
            raise ConfigurationError(msg, field="password")
        if self.password is not None and self.password_env:
            msg = "password and password_env are both set: keep one of them"
            raise ConfigurationError(msg, field="password")
        if (self.password or self.password_env) and not self.relay:
            msg = 'a password is set without a relay: it belongs with relay = "smtps://user@host"'
            raise ConfigurationError(msg, field="relay")
        for name in ("stream", "ip_pool"):
            if getattr(self, name) and not self.esp:
                msg = f"{name} is given without an esp: name the provider it belongs to"
                raise ConfigurationError(msg, field=name)
        if self.ip_pool and not esp_named(self.esp).knows_pools:
            msg = (
                f"ip_pool: {self.esp} does not accept an IP pool in a message; choose it in the "
                "provider's settings"
            )
            raise ConfigurationError(msg, field="ip_pool")
        if self.dkim_key and not self.dkim_selector:
            msg = "dkim_key is set without dkim_selector: name the selector of its public key in the DNS"
            raise ConfigurationError(msg, field="dkim_selector")
        if (self.tls or self.tls_ca) and not self.relay:
            msg = "tls is set without a relay: it only applies to a relay"
            raise ConfigurationError(msg, field="tls" if self.tls else "tls_ca")

    def headers(self, message: Message | None = None) -> dict[str, str]:
        """Return the header fields that tell the provider the flow's stream and IP pool.

        They replace fields of the same name. Without a provider, there are none.

        Args:
            message: The message, so that other keys of a JSON header field in it are kept.

        Raises:
            ConfigurationError: If its provider is not in our table.

        >>> FlowRoute("marketing", domains="example.org", esp="postmark", stream="broadcast").headers()
        {'X-PM-Message-Stream': 'broadcast'}
        """
        if not self.esp:
            return {}
        given = dict(reversed(message.headers)) if message is not None else {}
        return esp_named(self.esp).headers({"stream": self.stream, "ip_pool": self.ip_pool}, given)

    def api_fields(self) -> dict[str, Any]:
        """Return the stream and IP pool as fields to merge into a request to the provider's API.

        Raises:
            ConfigurationError: If its provider is not in our table.

        >>> FlowRoute("marketing", domains="example.org", esp="SES", stream="news").api_fields()
        {'ConfigurationSetName': 'news'}
        """
        if not self.esp:
            return {}
        return esp_named(self.esp).fields({"stream": self.stream, "ip_pool": self.ip_pool})

    def mail_from(self, sender: str) -> str:
        """Return an envelope sender with the flow's return path, if one is declared.

        The null sender of a report (RFC 5321 section 4.5.5), and an address that already uses the return
        path, such as a VERP address, are left unchanged.

        >>> route = FlowRoute("marketing", domains="example.org", return_path="b.example.org")
        >>> route.mail_from("hi@example.org")
        'hi@b.example.org'
        """
        local, at, domain = sender.rpartition("@")
        if not at or not self.has_return_path or domain.lower().removesuffix(".") == self.return_path:
            return sender
        return f"{local}@{self.return_path}"

    def may_send(self, account: str, address: str) -> bool | None:
        """Return whether an account may use a From address; `None` if nothing is declared."""
        declared = self.account_may_send
        if declared is None:
            return None
        if callable(declared):
            return bool(declared(account, address))
        wanted = address.lower()
        own = declared.get(account, declared.get(account.lower(), ()))
        return wanted in own or "@" + wanted.rpartition("@")[2] in own

    @property
    def server(self) -> Relay | None:
        """The parsed relay; `None` if mail is sent through a provider's API."""
        if not self.relay:
            return None
        parts = urlsplit(self.relay)
        return Relay(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            username=unquote(parts.username or ""),
        )

    @property
    def tls_mode(self) -> str:
        """The TLS mode for the relay: that of *tls*, or a suitable default."""
        needs_check = self.tls_ca or "@" in self.relay
        return self.tls or ("verify" if needs_check else "opportunistic")

    def secret(self) -> str:
        """Return the relay's password, fetched now; empty if none is set.

        Raises:
            ConfigurationError: If the environment variable is not set.
        """
        if self.password is not None:
            return self.password()
        if not self.password_env:
            return ""
        if self.password_env not in os.environ:
            msg = f"password_env: the environment has no variable {self.password_env}"
            raise ConfigurationError(msg, field="password_env")
        return os.environ[self.password_env]

    def to_dict(self) -> dict[str, Any]:
        """Return everything except passwords and accounts as plain data, ready for JSON."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.repr}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items()}


def _several(value: object, name: str, read: Callable[[object, str], str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (read(value, name),)
    if not isinstance(value, Iterable):
        msg = f"{name} must be one string or several, not {value!r}"
        raise ConfigurationError(msg, field=name)
    return tuple(dict.fromkeys(read(entry, name) for entry in value))


def _optional(value: object, name: str, read: Callable[[object, str], str]) -> str:
    return read(value, name) if value != "" else ""


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        msg = f"{name} must be text on one line, not {value!r}"
        raise ConfigurationError(msg, field=name)
    return value.strip()


def read_domain(value: object, name: str) -> str:
    """Return a domain as A-labels in lower case.

    Raises:
        ConfigurationError: If it is not one, with *name* as its field.
    """
    text = _text(value, name).removesuffix(".").lower()
    if "://" in text:
        msg = f"{name} must be a domain, not a URL: write {urlsplit(text).hostname or 'news.example.org'!r}"
        raise ConfigurationError(msg, field=name)
    if "@" in text:
        msg = f"{name} must be a domain, not an address: write {text.rpartition('@')[2]!r}"
        raise ConfigurationError(msg, field=name)
    try:
        text = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError as error:
        msg = f"{name}: {text!r} cannot be a domain"
        raise ConfigurationError(msg, field=name) from error
    labels = text.split(".")
    if len(labels) < 2 or len(text) > 253 or not all(_is_label(label) for label in labels):
        msg = f"{name}: {text!r} is not a domain such as news.example.org"
        raise ConfigurationError(msg, field=name)
    return text


def _is_label(label: str) -> bool:
    is_made_of = label.replace("-", "a").replace("_", "a").isalnum()
    return 0 < len(label) <= 63 and is_made_of and label[0] != "-" != label[-1]


def _address(value: object, name: str) -> str:
    text = _text(value, name)
    try:
        return str(ip_address(text))
    except ValueError as error:
        msg = f"{name}: {text!r} is not an IP address such as 192.0.2.10"
        raise ConfigurationError(msg, field=name) from error


def _selector(value: object, name: str) -> str:
    text = _text(value, name).lower()
    if not all(_is_label(label) for label in text.split(".")):
        msg = f"{name}: {text!r} is not a selector, the part before ._domainkey in the DNS"
        raise ConfigurationError(msg, field=name)
    return text


def _relay_url(value: object, name: str) -> str:
    text = _text(value, name)
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in _PORTS and parts.hostname
    except ValueError:
        well_formed = False
    if well_formed and not _has_good_port(parts):
        msg = f"{name}: the port must be a number from 1 to 65535, such as smtp://{parts.hostname}:587"
        raise ConfigurationError(msg, field=name)
    if not well_formed:
        msg = f"{name} must be smtp://host or smtps://user@host:465, not {_without_secret(text)!r}"
        raise ConfigurationError(msg, field=name)
    if parts.password is not None:
        msg = f"{name} contains a password: remove it, and name its environment variable in password_env"
        raise ConfigurationError(msg, field=name)
    return text


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _without_secret(url: str) -> str:
    """Return a URL without what precedes the host: error texts end in logs."""
    before, at, rest = url.rpartition("@")
    return f"{before.partition('//')[0]}//…@{rest}" if at else url


def _variable(value: object, name: str) -> str:
    text = _text(value, name)
    if not text.isidentifier():
        msg = f"{name} must be the name of an environment variable such as SMTP_PASSWORD"
        raise ConfigurationError(msg, field=name)
    return text


def _esp(value: object, name: str) -> str:
    return esp_named(_text(value, name)).name


def _tls_mode(value: object, name: str) -> str:
    text = _text(value, name)
    if text not in TLS_MODES:
        msg = f"{name}: {text!r} is not a TLS mode: {did_you_mean(text, TLS_MODES)}"
        raise ConfigurationError(msg, field=name)
    return text


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"dry_run must be true or false; got {value!r}"
        raise ConfigurationError(msg, field="dry_run")
    return value


def _accounts(value: object) -> AccountMaySend | None:
    """Return what accounts may send, with addresses in lower case."""
    if value is None or callable(value):
        return value
    if not isinstance(value, Mapping):
        msg = (
            'account_may_send is a table of accounts, such as { ada = ["ada@example.org"] }, or a function; '
            f"got {type(value).__name__}"
        )
        raise ConfigurationError(msg, field="account_may_send")
    return {str(account): _several(own, "account_may_send", _from) for account, own in value.items()}


def _from(value: object, name: str) -> str:
    text = _text(value, name).lower()
    if "@" not in text:
        msg = f"{name} must list addresses, or domains such as @example.org; got one without @"
        raise ConfigurationError(msg, field=name)
    return text


def _list_id(value: object, name: str) -> str:
    return _text(value, name).rpartition("<")[2].removesuffix(">").lower()
