"""DNS messages on the wire: questions out, answers in (RFC 1035 section 4).

Lists of recipients need tens of thousands of MX and address records, and a general parser costs more
than the network there; so these few kinds are read here. Everything else, and whatever is unusual, is
handed to dnspython. tests/dns/test_wire.py holds the two equal.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

__all__ = ["Answer", "MalformedAnswer", "Question", "Status", "read_answer", "write_question"]

KINDS = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}
_A, _NS, _CNAME, _SOA, _MX, _AAAA, _OPT = 1, 2, 5, 6, 15, 28, 41

_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_PAYLOAD = 1232  # bytes that pass any path unfragmented (DNS flag day 2020)
_EDNS = struct.pack("!BHHIH", 0, _OPT, _PAYLOAD, 0, 0)
_MAX_HOPS = 16  # pointers in one name  # our choice
_MAX_ALIASES = 32  # CNAMEs of one answer; resolvers follow 11 to 16 before they give up  # our choice
_MAX_TTL = 86_400  # our choice


class Status(StrEnum):
    """How a question was answered."""

    OK = "ok"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    LAME = "lame"
    """A referral instead of an answer: the server does not serve the zone (RFC 2308 section 2.2)."""

    FORMERR = "formerr"
    """The server could not read the question; one from before EDNS is asked without it (RFC 6891 7)."""


class Question(NamedTuple):
    """What is asked: a name as A-labels in lower case without the last dot, and a kind of record.

    A tuple, because it is the key of every table here, tens of thousands of times a second.
    """

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered.

    Attributes:
        status: How.
        records: As text: ``"10 mx.example.org"`` for MX, an address for A and AAAA, the joined strings
            for TXT; names without the last dot. Empty unless the status is OK.
        ttl: Seconds for which it may be kept; for NODATA and NXDOMAIN from the zone's SOA (RFC 2308),
            0 for what must not be kept.
    """

    status: Status
    records: tuple[str, ...] = ()
    ttl: float = 0.0

    @property
    def is_final(self) -> bool:
        """Whether asking again would give the same: not a timeout, SERVFAIL or REFUSED."""
        return self.status in _FINAL


_FINAL = frozenset({Status.OK, Status.NODATA, Status.NXDOMAIN})


class MalformedAnswer(ValueError):  # noqa: N818 -- what it is
    """Raised for bytes that are no answer to the question."""


class AliasLoop(Exception):  # noqa: N818 -- what it is
    """Raised for CNAMEs that lead back to themselves."""


class TruncatedAnswer(Exception):  # noqa: N818 -- what it is
    """Raised for an answer that says it was cut: ask again over TCP."""


def write_question(question: Question, ident: int, *, edns: bool = True) -> bytes:
    """Return a question as bytes, with recursion wanted and, by EDNS, room for 1232 bytes.

    Raises:
        ValueError: If the name has an empty or overlong label.
    """
    head = _HEADER.pack(ident, 0x0100, 1, 0, 0, 1 if edns else 0) + write_name(question)
    return head + _EDNS if edns else head


@lru_cache(maxsize=4096)  # a question is written, and soon compared with its answer
def write_name(question: Question) -> bytes:
    """Return the question section: name, kind, class IN."""
    parts = []
    for label in question.name.encode("ascii").split(b"."):
        if not 0 < len(label) <= 63:
            msg = "a label of a domain name has 1 to 63 bytes"
            raise ValueError(msg)
        parts.append(bytes((len(label),)) + label)
    return b"".join(parts) + struct.pack("!BHH", 0, KINDS[question.kind], 1)


def read_answer(wire: bytes, question: Question, *, over_tcp: bool = False) -> Answer:
    """Read an answer; its ID has been checked by the caller.

    Raises:
        MalformedAnswer: If it is damaged, or answers another question.
        TruncatedAnswer: If it was cut to fit and did not come over TCP.
    """
    try:
        return _read(wire, question, over_tcp=over_tcp)
    except AliasLoop:
        return Answer(Status.SERVFAIL)  # as a resolver says that follows them itself
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        msg = "the answer ends in the middle of a record"
        raise MalformedAnswer(msg) from error


def _read(wire: bytes, question: Question, *, over_tcp: bool) -> Answer:
    _, flags, questions, answers, authority, _ = _HEADER.unpack_from(wire)
    asked = write_name(question)
    end = 12 + len(asked)
    code = flags & 0x000F
    if flags & 0x8000 and code in (_FORMERR, _NOTIMP) and questions == 0:
        return Answer(Status.FORMERR)  # it may send back the header alone
    if not flags & 0x8000 or questions != 1 or wire[12:end].lower() != asked:
        msg = "it answers a different question"
        raise MalformedAnswer(msg)
    if flags & 0x0200 and not over_tcp:
        raise TruncatedAnswer
    if code not in (0, 3):
        return Answer(_FAILURES.get(code, Status.SERVFAIL))
    if question.kind not in ("MX", "A", "AAAA"):
        return _read_slowly(wire, question)
    found, ttl, end = _collect(wire, end, answers, question)
    if found and code == 0:
        return Answer(Status.OK, tuple(found), ttl)
    kept, is_referral = _negative(wire, end, authority)
    if code == 0 and is_referral:
        return Answer(Status.LAME)
    return Answer(Status.NXDOMAIN if code == 3 else Status.NODATA, (), kept)


def _collect(wire: bytes, offset: int, count: int, question: Question) -> tuple[list[str], float, int]:
    """Return the records that answer the question by way of CNAMEs, and where they end."""
    kind = KINDS[question.kind]
    records: list[tuple[str, int, str]] = []
    aliases: dict[str, str] = {}
    ttl = float(_MAX_TTL)
    for _ in range(count):
        owner, offset = _read_name(wire, offset)
        this, _, seconds, length = _FIXED.unpack_from(wire, offset)
        start = offset + 10
        offset = start + length
        if offset > len(wire):
            msg = "a record is longer than the answer"
            raise MalformedAnswer(msg)
        if this == _CNAME:
            aliases[owner] = _read_name(wire, start)[0]
        elif this == kind:
            records.append((owner, seconds, _read_data(wire, start, length, kind)))
    owner = question.name
    for _ in range(min(len(aliases), _MAX_ALIASES)):
        owner = aliases.get(owner, owner)
    if owner in aliases:
        msg = "the CNAME records form a loop"
        raise AliasLoop(msg)
    found = []
    for name, seconds, text in records:
        if name == owner:
            found.append(text)
            ttl = min(ttl, seconds)
    return found, ttl, offset


def _read_data(wire: bytes, start: int, length: int, kind: int) -> str:
    if kind == _MX:
        return f"{wire[start] << 8 | wire[start + 1]} {_read_name(wire, start + 2)[0]}"
    if kind == _A:
        if length != 4:
            msg = "an IPv4 address has 4 bytes"
            raise MalformedAnswer(msg)
        return f"{wire[start]}.{wire[start + 1]}.{wire[start + 2]}.{wire[start + 3]}"
    if length != 16:
        msg = "an IPv6 address has 16 bytes"
        raise MalformedAnswer(msg)
    return str(IPv6Address(wire[start : start + 16]))


def _read_name(wire: bytes, offset: int) -> tuple[str, int]:
    """Return a name in lower case, and the offset behind it; pointers are followed."""
    labels: list[bytes] = []
    end = -1
    hops = 0
    while length := wire[offset]:
        if length >= 0xC0:
            if end < 0:
                end = offset + 2
            hops += 1
            if hops > _MAX_HOPS:
                msg = "the compression pointers of a name form a loop"
                raise MalformedAnswer(msg)
            offset = (length & 0x3F) << 8 | wire[offset + 1]
            continue
        if length > 63 or len(labels) > 127:
            msg = "a label or a name is too long"
            raise MalformedAnswer(msg)
        labels.append(wire[offset + 1 : offset + 1 + length])
        offset += 1 + length
    if end < 0:
        end = offset + 1
    name = b".".join(labels).lower()
    # Bytes that are not a host name are kept apart from every host name.
    return name.decode("ascii", "backslashreplace"), end


_FORMERR, _NOTIMP = 1, 4
_FAILURES = {_FORMERR: Status.FORMERR, _NOTIMP: Status.FORMERR, 5: Status.REFUSED}


def _negative(wire: bytes, offset: int, count: int) -> tuple[float, bool]:
    """Return for how long "there is none" may be kept, and whether the answer is a mere referral.

    The time is the least of the SOA's TTL and MINIMUM (RFC 2308 section 5). Name servers without an SOA are a
    referral, which says nothing about the name (section 2.2).
    """
    has_servers = False
    for _ in range(count):
        _, offset = _read_name(wire, offset)
        kind, _, ttl, length = _FIXED.unpack_from(wire, offset)
        offset += 10 + length
        if kind == _SOA:
            return float(min(ttl, struct.unpack_from("!I", wire, offset - 4)[0], _MAX_TTL)), False
        has_servers = has_servers or kind == _NS
    return 0.0, has_servers


def _read_slowly(wire: bytes, question: Question) -> Answer:
    """Read any kind of record with dnspython."""
    import dns.exception  # noqa: PLC0415 -- slow to import
    import dns.message  # noqa: PLC0415 -- slow to import
    import dns.rcode  # noqa: PLC0415 -- slow to import
    import dns.rdatatype  # noqa: PLC0415 -- slow to import

    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
        if not isinstance(message, dns.message.QueryMessage):
            msg = "it is not a response to a query"
            raise MalformedAnswer(msg)
        result = message.resolve_chaining()
    except (dns.exception.DNSException, ValueError) as error:
        msg = "dnspython cannot read the answer"
        raise MalformedAnswer(msg) from error
    if result.answer is None:
        missing = message.rcode() == dns.rcode.NXDOMAIN
        return Answer(
            Status.NXDOMAIN if missing else Status.NODATA, (), float(min(result.minimum_ttl, _MAX_TTL))
        )
    records = tuple(_text_of(record, question.kind) for record in result.answer)
    return Answer(Status.OK, records, float(min(result.minimum_ttl, _MAX_TTL)))


def _text_of(record: object, kind: str) -> str:
    if kind == "TXT":
        return b"".join(record.strings).decode("utf-8", "backslashreplace")  # type: ignore[attr-defined]
    text: str = record.to_text()  # type: ignore[attr-defined]
    return text.removesuffix(".").lower()
