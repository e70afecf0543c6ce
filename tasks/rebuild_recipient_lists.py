"""Rebuild the lists of disposable domains, free-mail domains and role words from the packages they come from.

    pip download --no-deps disposable-email-domains
    npm pack freemail@1.7.0 role-based-email-addresses@3.1.0
    python tasks/rebuild_recipient_lists.py disposable_email_domains-*.whl freemail-*.tgz role-based-*.tgz

Those that are named are rebuilt. The lists are cleaned on the way, because public lists copy each other's
errors: providers and relays are not disposable, disposable domains and misspelt large providers are not
free-mail, first names and numbers are not roles. benchmarks/recipients_disposable.py measures.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import tarfile
import zipfile
from pathlib import Path

from mailflows.recipients import _reference, _spelling

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
    """Read the archives and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", type=Path, nargs="+")
    for archive in parser.parse_args().archives:
        if archive.name.startswith("disposable"):
            write_disposable(archive)
        elif archive.name.startswith("freemail"):
            write_free_mail(member(archive, "package/data/free.txt").split())
        else:
            found = re.findall(r"^  '([^']+)'", member(archive, "package/src/index.js"), re.MULTILINE)
            write_roles(found)


def write_disposable(wheel: Path) -> None:
    """Write the disposable domains that belong to no known provider or relay, with the date."""
    with zipfile.ZipFile(wheel) as opened:
        info = opened.getinfo("disposable_email_domains/__init__.py")
        text = opened.read(info).decode()
    listed = set(re.findall(r"^    '([^']+)',", text, re.MULTILINE))
    kept = sorted(listed - _reference.well_known() - _reference.alias_relays())
    head = (
        f"# Domains of disposable addresses, {len(kept)} of them, with all below them.\n"
        f"# Source: PyPI disposable-email-domains {wheel.name.split('-')[1]}, without providers and relays.\n"
        f"# Licence: CC0-1.0. Date: {dt.date(*info.date_time[:3])}, by tasks/rebuild_recipient_lists.py.\n"
    )
    (DATA / "disposable.txt").write_text(head + "\n".join(kept) + "\n", "utf-8")


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
        and _spelling.correct_domain(domain, known=_reference.well_known()) is None
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
