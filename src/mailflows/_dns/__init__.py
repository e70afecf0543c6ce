"""DNS queries: every part of the library that asks the DNS does so here.

A part that needs the DNS writes a *conversation*: a generator that yields the questions it has now and
is sent their answers, until it returns what it found. `Resolver.run` and `Resolver.arun` hold any number
of conversations at once, over one socket, each question asked once. Nothing here is kept after a call but
the cache; SERVFAIL, REFUSED and timeouts are never cached.
"""

from __future__ import annotations

from mailflows._dns._resolver import AnyResolver, Cache, Conversation, Resolver, one_by_one
from mailflows._dns._wire import Answer, Question, Status
from mailflows._dns._zone import zone_records

__all__ = [
    "Answer",
    "AnyResolver",
    "Cache",
    "Conversation",
    "Question",
    "Resolver",
    "Status",
    "one_by_one",
    "zone_records",
]
