"""Limits: how many messages or recipients, per which key."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mailflows._rates import Rate, duration, parse_rates
from mailflows._stores import BucketMeter, DistinctMeter, GcraMeter, WindowMeter
from mailflows._suggestion import did_you_mean
from mailflows.errors import ConfigurationError
from mailflows.limits._attempt import BY_ATTEMPT, BY_RECIPIENT, KINDS, Attempt, keys_of, text_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mailflows._stores import Charge, Meter

__all__ = ["Limit", "Per", "Prepared"]

Per: TypeAlias = "str | tuple[str, ...] | Callable[[Attempt], str | Iterable[str] | None]"
"""What a limit counts by: a kind of key, several kinds together, or a function of the attempt."""

# bound: 512 bytes of times a key
EXACT_UP_TO = 64
"""Units per period up to which a window is exact by default: the times of so few are cheap to keep."""

# bound: 8 kB of times a key
MOST_EXACT = 1000
"""Units per period up to which a window can be exact."""

Prepared: TypeAlias = "tuple[str, Callable[[Any], str], tuple[Meter, ...], bool, Limit]"
"""The key of the attempt that it counts by (or nothing), its canonical form, meters, whether each message
counts as one, and the limit itself for all other attempts."""

# bound: texts that are kept
MOST_RATES = 1000
"""Different texts that a function of rates may return: plans, not people."""

_ABUSE = frozenset({"client", "client_network", "client_site", "account"})
"""Keys of who sends. A refused attempt may count against these, never against a victim or a shared budget."""


def _ignore(_: Limit) -> None:
    """Do nothing with a limit that was brought up."""


class Limit:
    """A limit: how many messages or recipients, per which key.

    Args:
        rates: Such as ``"3/hour; 10/day"``, ``"500/hour; burst 50"`` or ``"20 distinct/day"``; or a function
            of the `Attempt` that returns such text, or `None` for no limit: per tenant, per plan.
        per: The kind of key it counts by: ``recipient``, ``recipient_domain``, ``client`` (an IPv4 address,
            or the /64 of an IPv6 one), ``client_network`` (/24, /56), ``account``, ``form``, ``flow``,
            ``template``, ``duplicate`` (the same content to the same recipient) or ``global``; a tuple of
            kinds that count together; or a function of the `Attempt` that returns a key, several keys (each
            takes one unit per occurrence), or `None`.
        of: What is counted by a ``distinct`` rate: ``recipient`` by default, or another kind.
        name: Its name in decisions, hooks and headers; by default made from the rates and the key.
        exact: How a window is counted. By default there are never more than N units in any period: for an N
            of up to 64 the time of each unit is kept; above that, the period is divided into 64 sub-windows,
            and a unit may count up to 1/64 of the period too long. With `True`, the times of up to 1,000
            units are kept. With `False`, and whenever a burst is given, the rate is steady (GCRA): at most
            burst + N units in any period, where the burst is N by default.
        counts: ``recipients``, so that one message to fifty people takes fifty units, or ``messages``.
        count_denied: Whether refused attempts count, too, so that a client that keeps trying stays blocked
            for longer. Only for keys of the sender (client, client_network, account, a function): a refused
            message must not use up a victim's quota, or a shared one.
        exempt: Keys that are not limited, in canonical form, or a function of a key that returns whether it
            is exempt.
        optional: Whether attempts without the key pass. By default they raise an error, since a limit that
            silently counts nothing protects nothing.

    Raises:
        ConfigurationError: If the rates cannot be read, or contradict each other or the other arguments.

    Example:
        >>> Limit("3/hour; 10/day", per="recipient")
        <Limit 3 per hour, 10 per day per recipient, counting recipients: exact, in any period of that length>
        >>> Limit("500/hour; burst 50", per="form")
        <Limit 500 per hour per form, counting recipients: steady, 50 at once, at most 550 in any hour>
    """

    def __init__(  # noqa: PLR0913 -- the settings of a limit
        self,
        rates: str | Callable[[Attempt], str | None],
        *,
        per: Per,
        of: str | None = None,
        name: str | None = None,
        exact: bool | None = None,
        counts: Literal["recipients", "messages"] = "recipients",
        count_denied: bool = False,
        exempt: Collection[str] | Callable[[str], bool] = (),
        optional: bool = False,
    ) -> None:
        self._rates_of = rates if callable(rates) else None
        self.rates = () if callable(rates) else parse_rates(rates)
        self.per = per
        self.kind = _kind(per)
        self._of = of
        self.of = _counted(self.rates, of) if self.rates else None
        self.counts = counts
        self.optional = optional
        self.count_denied = count_denied
        self.name = name or _in_words(self.rates, self.kind)
        self._exact = exact
        self._is_exempt = exempt if callable(exempt) else frozenset(exempt).__contains__
        self._has_exempt = callable(exempt) or bool(exempt)
        # Most limits count by one key of the attempt: those take a short way.
        is_plain = not self._has_exempt and self.of is None and not callable(per)
        self._key, self._canonical = BY_ATTEMPT.get(self.kind if is_plain else "", ("", text_key))
        self._per_message = counts == "messages"
        self.meters: tuple[Meter, ...] = ()
        self._scope = ""
        self._known: dict[str, Limit] = {}
        self._found: Callable[[Limit], object] = _ignore
        self._check()

    def _check(self) -> None:
        """Refuse what contradicts itself."""
        if self.counts not in {"recipients", "messages"}:
            msg = f"a limit counts 'recipients' or 'messages'; got {self.counts!r}"
            raise ConfigurationError(msg, field="counts")
        if self.count_denied and not callable(self.per) and not _ABUSE.issuperset(_kinds(self.per)):
            msg = (
                f"refused attempts may count per {', '.join(sorted(_ABUSE))}; per {self.kind} they would use "
                "up a victim's quota, or a shared one"
            )
            raise ConfigurationError(msg, field="count_denied")
        for rate in self.rates:
            if self._exact and (rate.burst is not None or rate.limit > MOST_EXACT):
                what = "with a burst" if rate.burst is not None else f"of more than {MOST_EXACT}"
                msg = f"a rate {what} cannot be exact; got {rate}"
                raise ConfigurationError(msg, field="exact")
        for small, large in zip(self._by_period(), self._by_period()[1:], strict=False):
            if small.period == large.period or small.limit >= large.limit:
                msg = (
                    f"{small} can never be reached, because {large} is stricter: a longer period "
                    "must allow more"
                )
                raise ConfigurationError(msg, field="limit")

    @property
    def guarantees(self) -> tuple[str, ...]:
        """What each rate guarantees, in words.

        >>> Limit("3/hour; 2000/day", per="account").guarantees  # doctest: +NORMALIZE_WHITESPACE
        ('exact, in any period of that length', 'never more in any day, each counted up to 22 minutes too
        long')
        """
        return tuple(_guarantee(rate, self._exact) for rate in self.rates)

    def _by_period(self) -> list[Rate]:
        return sorted(self.rates, key=lambda rate: rate.period)

    def bound(self, scope: str, *, found: Callable[[Limit], object] = _ignore) -> Limit:
        """Return the limit with its meters, whose identity holds all that they count by.

        Args:
            scope: What separates limiters that share a store.
            found: Called with each limit that a function of rates returns.
        """
        limit = copy.copy(self)
        counted_by = self.name if callable(self.per) else self.kind  # two functions may share their name
        identity = f"{scope}|{counted_by}|{self.of}|{self.counts}"
        limit.meters = tuple(
            _meter(rate, identity, self._exact, strict=self.count_denied) for rate in self.rates
        )
        limit._scope, limit._known, limit._found = scope, {}, found  # noqa: SLF001 -- its own class
        return limit

    def _of_attempt(self, attempt: Attempt) -> Limit | None:
        """Return the limit that a function of rates says, with its meters; the same text is the same one."""
        rates = self._rates_of(attempt) if self._rates_of is not None else None
        if rates is None:
            return None
        limit = self._known.get(rates)
        if limit is None:
            limit = copy.copy(self)
            limit._rates_of = None  # noqa: SLF001 -- its own class
            limit.rates = parse_rates(rates)
            limit.of = _counted(limit.rates, self._of)
            limit._check()  # noqa: SLF001 -- its own class
            limit = limit.bound(self._scope)
            if len(self._known) < MOST_RATES:
                self._known[rates] = limit
                self._found(limit)
        return limit

    def prepared(self) -> Prepared:
        """Return what a limiter needs for most attempts; for the rest it asks the limit."""
        key = self._key if self._rates_of is None else ""
        return key, self._canonical, self.meters, self._per_message, self

    def charge(self, attempt: Attempt, charges: list[Charge]) -> None:
        """Add what an attempt takes.

        Raises:
            ValueError: If the attempt does not say what the limit counts by.
        """
        if self._rates_of is not None:
            limit = self._of_attempt(attempt)
            if limit is not None:
                limit.charge(attempt, charges)
            return
        if self._key:
            value = attempt.keys.get(self._key)
            if value is not None:
                key = self._canonical(value)
                cost = 1 if self._per_message or attempt.costs_one else attempt.cost
                for meter in self.meters:
                    charges.append((meter, key, cost))  # noqa: PERF401 -- faster for one or two
                return
        keys = self._keys(attempt)
        if keys is None:
            if self.optional:
                return
            msg = f"the limit '{self.name}' counts per {self.kind}, but this attempt has none"
            raise ValueError(msg)
        amounts = self._amounts(attempt)
        for key, cost in keys:
            if self._has_exempt and self._is_exempt(key):
                continue
            amount = amounts if amounts is not None else 1 if self.counts == "messages" else cost
            charges.extend((meter, key, amount) for meter in self.meters)

    def places(self, attempt: Attempt) -> list[Charge]:
        """Return the counters of an attempt, with nothing to be taken; none where it does not say the key."""
        limit = self if self._rates_of is None else self._of_attempt(attempt)
        keys = None if limit is None else limit._keys(attempt)  # noqa: SLF001 -- its own class
        if limit is None or keys is None:
            return []
        return [
            (meter, key, () if isinstance(meter, DistinctMeter) else 0)
            for key, _ in keys
            for meter in limit.meters
        ]

    def _keys(self, attempt: Attempt) -> list[tuple[str, int]] | None:
        """Return the keys of an attempt, each with its cost."""
        if callable(self.per):
            found = self.per(attempt)
            if found is None:
                return None
            if isinstance(found, str):
                return [(text_key(found), attempt.cost)]
            return list(Counter(map(text_key, found)).items()) or None
        joined: list[tuple[str, int]] = [("", attempt.cost)]
        for kind in _kinds(self.per):
            keys = keys_of(kind, attempt)
            if keys is None:
                return None
            joined = [(f"{a}\n{b}" if a else b, min(m, n)) for a, m in joined for b, n in keys]
        return joined

    def _amounts(self, attempt: Attempt) -> tuple[str, ...] | None:
        """Return the values to be counted, where different ones are."""
        if self.of is None:
            return None
        values = keys_of(self.of, attempt)
        if values is None and not self.optional:
            msg = f"the limit '{self.name}' counts distinct values of {self.of}, but this attempt has none"
            raise ValueError(msg)
        return tuple(value for value, _ in values or ())

    def __repr__(self) -> str:
        rates = ", ".join(map(str, self.rates))
        how = "; ".join(dict.fromkeys(self.guarantees)) or "its rates come from a function"
        what = f"different values of {self.of}" if self.of else self.counts
        strict = ", refused attempts too" if self.count_denied else ""
        return f"<Limit {rates} per {self.kind}, counting {what}{strict}: {how}>"


def _kinds(per: Per) -> tuple[str, ...]:
    return per if isinstance(per, tuple) else () if callable(per) else (per,)


def _kind(per: Per) -> str:
    """Return the name of a key kind."""
    if callable(per):
        return getattr(per, "__name__", "function")
    kinds = _kinds(per)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        meant = f" ({did_you_mean(unknown[0], KINDS)})" if unknown else ""
        msg = f"per= must be one of {', '.join(KINDS)}, a tuple of them, or a function; got {per!r}{meant}"
        raise ConfigurationError(msg, field="per")
    if len(set(kinds)) < len(kinds) or sum(kind in BY_RECIPIENT for kind in kinds) > 1:
        msg = (
            f"kinds that count together must be different, and at most one may be of recipients; got {per!r}"
        )
        raise ConfigurationError(msg, field="per")
    return "+".join(kinds)


_OF_KIND = {"duplicate": "of the same message to one recipient", "global": "in all"}
"""What is said in place of "per" and the kind."""


def _in_words(rates: tuple[Rate, ...], kind: str) -> str:
    """Return the name of a limit, as a postmaster says it.

    >>> _in_words(parse_rates("1/15min"), "duplicate"), _in_words(parse_rates("3/hour"), "recipient_domain")
    ('1 per 15 minutes of the same message to one recipient', '3 per hour per recipient domain')
    """
    per = _OF_KIND.get(kind) or f"per {kind.replace('_', ' ').replace('+', ' and ')}"
    return f"{'; '.join(map(str, rates)) or 'its own rate'} {per}"


def _counted(rates: tuple[Rate, ...], of: str | None) -> str | None:
    """Return the kind whose different values are counted, or `None`."""
    distinct = {rate.is_distinct for rate in rates}
    if len(distinct) > 1:
        msg = "rates that count distinct values cannot be mixed with other rates; write two limits"
        raise ConfigurationError(msg, field="limit")
    if distinct == {False}:
        if of is not None:
            msg = f"of={of!r} counts distinct values; write the rate as '20 distinct/day'"
            raise ConfigurationError(msg, field="of")
        return None
    kind = "recipient" if of is None else of
    if kind not in KINDS or kind == "global":
        msg = f"of= must be one of {', '.join(k for k in KINDS if k != 'global')}; got {of!r}"
        raise ConfigurationError(msg, field="of")
    return kind


def _is_exact(rate: Rate, exact: bool | None) -> bool:  # noqa: FBT001 -- as the limit says it
    return rate.burst is None and (exact if exact is not None else rate.limit <= EXACT_UP_TO)


def _meter(rate: Rate, scope: str, exact: bool | None, *, strict: bool) -> Meter:  # noqa: FBT001
    """Return the arithmetic of a rate."""
    identity = f"{scope}|{rate.limit}/{rate.period:g}"
    if rate.is_distinct:
        return DistinctMeter(f"{identity}|distinct", rate.limit, rate.period, strict=strict)
    if _is_exact(rate, exact):
        return WindowMeter(f"{identity}|window", rate.limit, rate.period, strict=strict)
    if rate.burst is None and exact is None:
        return BucketMeter(f"{identity}|bucket", rate.limit, rate.period, strict=strict)
    burst = rate.burst or rate.limit
    return GcraMeter(f"{identity}|gcra|{burst}", rate.limit, rate.period, burst, strict=strict)


def _guarantee(rate: Rate, exact: bool | None) -> str:  # noqa: FBT001
    """Return what a rate promises, in words."""
    if rate.is_distinct or _is_exact(rate, exact):
        return "exact, in any period of that length"
    unit = duration(rate.period).removeprefix("1 ")
    if rate.burst is None and exact is None:
        return f"never more in any {unit}, each counted up to {duration(rate.period / 64)} too long"
    burst = rate.burst or rate.limit
    return f"steady, {burst} at once, at most {burst + rate.limit} in any {unit}"
