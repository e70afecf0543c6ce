"""Rebuild the lists of free-mail domains and of role words from the packages they come from.

    npm pack freemail@1.7.0 role-based-email-addresses@3.1.0
    python tasks/rebuild_recipient_lists.py freemail-1.7.0.tgz role-based-email-addresses-3.1.0.tgz

The lists are cleaned on the way, because public lists copy each other's errors: disposable domains and
misspelt large providers are not free-mail, first names and numbers are not roles.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import tarfile
from pathlib import Path

from mailflows.recipients import _reference, _typos

TODAY = dt.datetime.now(dt.UTC).date()
DATA = Path(__file__).parent.parent / "src/mailflows/data/recipients"

NOT_ROLES = frozenset(
    "alexa alla angels apple captain facebook gardner gm instagram itunes jira la lifesum me mt "
    "namecheap no paypal "
    "per plex plex.tv pd shopify stripe twitter us friends smile random ta ca se sf lt md cm dean chef paris "
    "berlin boston chicago china denver europe france india montreal newyork ny nyc sanfrancisco seattle "
    "singapore stockholm sydney uk usa abc aaa asd asdasd asdf caltrain android iphone ifttt myplex homes "
    "salesforce classroom".split()
)
_ROLE = re.compile(r"[a-z][a-z._-]+\Z")


def main() -> None:
    """Read the two archives and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("freemail", type=Path)
    parser.add_argument("roles", type=Path)
    arguments = parser.parse_args()
    write_free_mail(member(arguments.freemail, "package/data/free.txt").split())
    write_roles(re.findall(r"^  '([^']+)'", member(arguments.roles, "package/src/index.js"), re.MULTILINE))


def member(archive: Path, name: str) -> str:
    """Return the text of one file of an npm archive."""
    with tarfile.open(archive) as opened:
        found = opened.extractfile(name)
        if found is None:
            raise SystemExit(f"{archive} has no {name}")
        return found.read().decode()


def write_free_mail(domains: list[str]) -> None:
    """Write the free-mail domains that are neither disposable, nor relays, nor misspelt giants."""
    disposable, relays = _reference.disposable(), _reference.alias_relays()
    kept = sorted(
        domain
        for domain in {d.strip().lower() for d in domains}
        if "." in domain
        and domain not in disposable
        and domain not in relays
        and _typos.correct_domain(domain, known=_reference.well_known()) is None
    )
    head = (
        f"# Domains of free and consumer mailboxes, {len(kept)} of them, without disposable, relays and\n"
        "# misspelt providers. Source: npm freemail 1.7.0 (data/free.txt).\n"
        "# Copyright (c) 2015, Will White. Licence: ISC (permission to use, copy, modify and distribute\n"
        "# for any purpose with or without fee is granted, provided that this notice appears in all\n"
        "# copies; the data comes as is, without warranty).\n"
        f"# Date: {TODAY}, by tasks/rebuild_recipient_lists.py.\n"
    )
    (DATA.parent / "free-mail.txt").write_text(head + "\n".join(kept) + "\n", "utf-8")


def write_roles(words: list[str]) -> None:
    """Write the role words that no person is called."""
    kept = sorted({w for w in words if _ROLE.match(w)} - NOT_ROLES)
    head = (
        "# Local parts of role accounts in English and others. From npm role-based-email-addresses 3.1.0.\n"
        "# Copyright (c) 2015 Mixmax, Inc. Licence: MIT (the notice shall be included in all copies).\n"
        f"# Date: {TODAY}, by tasks/rebuild_recipient_lists.py; first names and numbers left out.\n"
    )
    (DATA / "roles.txt").write_text(head + "\n".join(kept) + "\n", "utf-8")


if __name__ == "__main__":
    main()
