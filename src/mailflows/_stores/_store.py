"""The interface of a store: counters that are decided on together, and small persistent documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from mailflows.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailflows._stores._meter import Amount, Meter, State

__all__ = [
    "Charge",
    "Documents",
    "Outcome",
    "Store",
    "seconds_to_wait",
    "settled",
    "stamp_of",
    "steady",
    "weighed",
]

Place = TypeVar("Place")
"""Where a store keeps a state."""

Charge: TypeAlias = "tuple[Meter, str, int | tuple[str, ...]]"
"""A meter, the key it counts for, and what to take: units, or the values that a distinct meter is to see.
No pair of meter and key occurs twice in one decision."""


class Documents(Protocol):
    """Small pieces of state that survive a restart: blocks, checkpoints, suppressed addresses.

    A document is a few hundred bytes under a key of at most 200 printable ASCII characters, such as
    ``suppressed:global:4f1c…``. It is replaced only as a whole, by compare-and-swap.
    """

    def digest(self, text: str) -> str:
        """Return a keyed hash of 32 hexadecimal digits, the same in every process that shares the store.

        Anything that names a person appears in a key only as such a hash. The first four digits are the ID of
        the key that made it.
        """
        ...

    def load(self, key: str) -> bytes | None:
        """Return a document, or `None` if there is none, or it has expired."""
        ...

    def swap(self, key: str, old: bytes | None, new: bytes | None, *, ttl: float | None = None) -> bool:
        """Replace *old* with *new* if *old* is still the current content, and return whether it was.

        Args:
            key: The document.
            old: What `load` returned; `None` if there was none.
            new: The new content; `None` to remove it.
            ttl: Seconds after which it expires; never by default.

        Raises:
            StoreError: If the store could not answer; the document is then either unchanged or replaced.
        """
        ...

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield every document whose key starts with *prefix*, in any order."""
        ...


class Outcome:
    """What a store decided on all charges together.

    Attributes:
        wait: Seconds until everything fits; 0.0 if it does now, infinity if it never will.
        at: When the quota was taken, in seconds of the store's clock; `None` if none was.
        lease: Seconds after which a reservation is released, or `None` if the quota was taken permanently.
        is_settled: Whether the reservation was kept or given back, which happens once.
        is_busy: Whether nothing was decided because the store was busy for too long.
    """

    __slots__ = (
        "_known",
        "_states",
        "_waits",
        "at",
        "charges",
        "is_busy",
        "is_settled",
        "lease",
        "now",
        "wait",
    )

    def __init__(  # noqa: PLR0913, PLR0917 -- made a million times a second: positions are faster
        self,
        charges: Sequence[Charge],
        now: float,
        wait: float,
        states: Sequence[State | None] = (),
        at: float | None = None,
        lease: float | None = None,
        known: Sequence[tuple[float, float, float]] | None = None,
        is_busy: bool = False,  # noqa: FBT001, FBT002
        waits: Sequence[float] | None = None,
    ) -> None:
        self.charges = charges
        self.now = now
        self.wait = wait
        self.at = at
        self.lease = lease
        self.is_settled = at is None
        self.is_busy = is_busy
        self._states = states
        self._known = known
        self._waits = waits

    @property
    def allowed(self) -> bool:
        """Whether the quota was taken or, for a look, would be."""
        return self.at is not None or self.wait <= 0.0

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the readings, not the states."""
        known = self.readings()
        kept = (list(self.charges), self.now, self.wait, (), self.at, self.lease, known, self.is_busy)
        return _outcome_again, (kept, self.is_settled)

    def readings(self) -> Sequence[tuple[float, float, float]]:
        """Return for each charge how much is used, the seconds until nothing is, and its own wait."""
        if self._known is None:
            waits = self._waits or [0.0] * len(self.charges)
            rows = zip(self.charges, self._states, waits, strict=True)
            self._known = [(*meter.reading(state, self.now), wait) for (meter, _, _), state, wait in rows]
        return self._known


def _outcome_again(kept: tuple[Any, ...], is_settled: bool) -> Outcome:  # noqa: FBT001 -- of pickle
    outcome = Outcome(*kept)
    outcome.is_settled = is_settled
    return outcome


class Store(Documents, Protocol):
    """The interface of a store of counters; see `Documents` for the rest.

    Example:
        >>> from mailflows.limits import MemoryStore, SQLiteStore
        >>> store: Store = MemoryStore()  # or SQLiteStore("limits.db"), RedisStore("redis://localhost")
    """

    name: str

    def decide(
        self,
        charges: Sequence[Charge],
        *,
        within: float = 0.0,
        lease: float | None = None,
        look: bool = False,
    ) -> Outcome:
        """Take all charges or none, in one atomic step.

        Args:
            charges: What to take.
            within: Seconds that the caller can wait: if everything fits by then, that time is booked.
            lease: Seconds after which the quota is given back, unless `settle` keeps it. The units of a GCRA
                meter are given back as they drain.
            look: Change nothing, only return what the decision would be.

        Raises:
            StoreError: If the store could not answer.
        """
        ...

    def settle(self, outcome: Outcome, *, keep: bool) -> None:
        """Keep reserved units, or give back what was taken.

        Raises:
            StoreError: If the store could not answer.
        """
        ...

    def reset(self, charges: Sequence[Charge]) -> None:
        """Reset the counters of these meters and keys; the amounts are ignored.

        Raises:
            StoreError: If the store could not answer.
        """
        ...


def steady(clock: float, last: float, offset: float) -> tuple[float, float]:
    """Return the present moment and the new offset of a clock that may be set back, but never goes back.

    A clock that was set back goes on from the last moment seen, so it locks nobody out and lets nobody
    have a window twice.

    >>> steady(7200.0, 7100.0, 0.0), steady(3600.0, 7200.0, 0.0)
    ((7200.0, 0.0), (7200.0, 3600.0))
    """
    now = clock + offset
    return (now, offset) if now >= last else (last, last - clock)


def seconds_to_wait(timeout: object) -> float:
    """Return a timeout that ends.

    Raises:
        ConfigurationError: If it is not a number of seconds above 0, and at most an hour.
    """
    if isinstance(timeout, int | float) and 0.0 < timeout <= 3600.0:
        return float(timeout)
    msg = f"timeout must be a number of seconds above 0, and at most 3600; got {timeout!r}"
    raise ConfigurationError(msg, field="timeout")


def stamp_of(meter: Meter, at: float, lease: float | None) -> float:
    """Return the time that is written for what is taken: earlier for a reservation, which ends sooner."""
    return at if lease is None else min(at, at - meter.span + meter.lag + lease)


Found: TypeAlias = "tuple[Meter, Place, Amount, Any]"
"""A charge with the place of its state, the amount in hashes, and the state that is kept there."""


def weighed(  # noqa: PLR0913 -- what a decision is made of
    charges: Sequence[Charge],
    found: Sequence[Found[Place]],
    now: float,
    *,
    within: float,
    lease: float | None,
    look: bool,
) -> tuple[Outcome, list[tuple[Meter, Place, State]]]:
    """Decide on all charges by what is kept for them; return the outcome, and what is to be written."""
    states: list[tuple[Meter, Place, State]] = []
    waits = [meter.wait(state, now, amount) for meter, _, amount, state in found]
    wait = max(waits, default=0.0)
    if wait > within and not look:  # a refused attempt counts where those do
        states = [(m, place, m.overspend(state, now, n)) for m, place, n, state in found if m.strict]
        after = iter(states)
        found = [(m, place, n, next(after)[2] if m.strict else state) for m, place, n, state in found]
        again = [meter.wait(state, now, amount) for meter, _, amount, state in found]
        waits = [new if old > 0.0 else 0.0 for new, old in zip(again, waits, strict=True)]
        wait = max(waits)
    if wait > within or look:
        known = [(*m.reading(state, now), own) for (m, _, _, state), own in zip(found, waits, strict=True)]
        return Outcome(charges, now, wait, known=known), states
    at = now + wait
    states = [
        (meter, place, meter.spend(state, now, amount, at, stamp_of(meter, at, lease)))
        for meter, place, amount, state in found
    ]
    return Outcome(charges, now, wait, [state for *_, state in states], at, lease), states


def settled(
    outcome: Outcome, found: Sequence[Found[Place]], now: float, *, keep: bool
) -> list[tuple[Meter, Place, State]]:
    """Return what is to be written to keep what was taken, or to give it back."""
    at = outcome.at
    if at is None:
        return []
    stamps = [stamp_of(meter, at, outcome.lease) for meter, *_ in found]
    return [
        (meter, place, meter.settle(state, now, amount, at, stamp, keep=keep))
        for (meter, place, amount, state), stamp in zip(found, stamps, strict=True)
    ]
