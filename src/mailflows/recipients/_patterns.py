"""What a list shows as a whole: numbered addresses, one firm with thousands, too many roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailflows._providers import is_free_mail
from mailflows._result import Reason, Severity
from mailflows.recipients._report import Trait

if TYPE_CHECKING:
    from mailflows.recipients._tally import Tally

__all__ = ["find_patterns", "serial_shapes"]

# Thresholds of this library: nobody publishes any. Each is far above what lists of real people show in
# tests/recipients, and a finding refuses nothing.
_SERIAL_ROWS = 20  # our choice
_SERIAL_SHARE = 0.005  # our choice
_ONE_FIRM_ROWS, _ONE_FIRM_SHARE = 1_000, 0.2
_ROLE_SHARE = 0.15  # our choice
_MADE_UP_SHARE = 0.02  # our choice
_DUPLICATE_SHARE = 0.05  # our choice
_DISPOSABLE_SHARE = 0.02  # our choice
_ENOUGH = 100  # our choice


def serial_shapes(tally: Tally) -> dict[str, int]:
    """Return the shapes of local parts that occur in so many rows that somebody counted them up."""
    least = max(_SERIAL_ROWS, _SERIAL_SHARE * tally.rows)
    return {shape: count for shape, count in tally.shapes.most_common(1000) if count >= least}


def find_patterns(tally: Tally, serial: dict[str, int], duplicates: int) -> tuple[Reason, ...]:
    """Return what is unusual about a list as a whole, each with numbers and what to do."""
    total = tally.checked
    found: list[Reason] = []
    if serial:
        count = sum(serial.values())
        shapes = list(serial)[:3]
        sentence = (
            f"{count} addresses ({count / max(1, total):.0%}) differ from others only in a number. Such "
            "lists are made up by a program: do not mail these rows."
        )
        found.append(_finding("serial-addresses", sentence, Severity.ERROR, shapes, count=count))
    found += _one_firm(tally, total)
    if total >= _ENOUGH:
        found += _shares(tally, total, duplicates)
    if tally.traits[Trait.SPAM_TRAP]:
        count = tally.traits[Trait.SPAM_TRAP]
        sentence = f"{count} addresses are on your list of spam traps. Find out where these rows came from."
        found.append(_finding("spam-traps", sentence, Severity.ERROR, (), count=count))
    return tuple(found)


def _one_firm(tally: Tally, total: int) -> list[Reason]:
    for domain, count in tally.addresses_at.most_common(50):
        if is_free_mail(domain) or count < _ONE_FIRM_ROWS or count < _ONE_FIRM_SHARE * total:
            continue
        sentence = (
            f"{count} addresses ({count / total:.0%}) are at {domain}. Make sure that its owner wants this "
            "mail; one complaint there stops it all."
        )
        return [_finding("one-domain", sentence, Severity.WARNING, (domain,), count=count, domain=domain)]
    return []


def _shares(tally: Tally, total: int, duplicates: int) -> list[Reason]:
    counts = {
        "many-role-accounts": (tally.traits[Trait.ROLE], _ROLE_SHARE),
        "many-made-up": (tally.traits[Trait.SUSPICIOUS], _MADE_UP_SHARE),
        "many-disposable": (tally.traits[Trait.DISPOSABLE], _DISPOSABLE_SHARE),
        "many-duplicates": (duplicates, _DUPLICATE_SHARE),
    }
    return [
        _finding(code, _share_sentence(code, count, total), Severity.WARNING, (), count=count)
        for code, (count, usual) in counts.items()
        if count > usual * total
    ]


def _share_sentence(code: str, count: int, total: int) -> str:
    return f"{count} addresses ({count / total:.0%}) {_SHARES[code]}"


_SHARES = {
    "many-role-accounts": (
        "are role accounts. Lists of people who signed up have few; such a share is usual for addresses that "
        "were read off web sites."
    ),
    "many-made-up": "look made up, such as runs on the keyboard. Protect the form that they came from.",
    "many-disposable": "are disposable. Ask for a confirmation before an address joins the list.",
    "many-duplicates": "stand further up in another spelling or the same. Mail each mailbox once.",
}


def _finding(
    code: str, sentence: str, severity: Severity, evidence: tuple[str, ...] | list[str], **parameters: object
) -> Reason:
    return Reason(
        code, sentence, part="recipients", parameters=parameters, severity=severity, evidence=tuple(evidence)
    )
