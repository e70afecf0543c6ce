"""Rebuild the table of what mail clients support from the data that caniemail.com publishes.

    python tasks/rebuild_client_support.py data.json

The argument is the published file (the project's API, ``/api/data.json``). Of each feature the newest test
of each client is kept, as one letter: y supported, a partly, n not, u unknown, and a dot where nobody
has tested. Unknown is not unsupported.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "src/mailflows/data/content/caniemail.json"


def main() -> None:
    """Read the published data and write the compact table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("published", type=Path)
    published = json.loads(parser.parse_args().published.read_text("utf-8"))
    TARGET.write_text(compact(published), "utf-8")


def compact(published: dict[str, Any]) -> str:
    """Return the table as JSON, one feature a line, so that a change can be read."""
    features = published["data"]
    clients = sorted(
        {f"{family}/{name}" for f in features for family in f["stats"] for name in f["stats"][family]}
    )
    head = {
        "source": "https://www.caniemail.com/api/data.json",
        "licence": "MIT, Copyright (c) 2019 Rémi Parmentier and the contributors of caniemail",
        "date": published["last_update_date"][:10],
        "columns": ["slug", "title", "date of the last test", "support by client: y a n u, or . untested"],
        "names": published["nicenames"]["family"],
        "clients": clients,
    }
    rows = [
        [f["slug"], f["title"].strip(), f["last_test_date"], "".join(newest(f["stats"], c) for c in clients)]
        for f in features
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{json.dumps(head, ensure_ascii=False, indent=1)[:-2]},\n "features": [\n{lines}\n ]\n}}\n'


def newest(stats: dict[str, dict[str, dict[str, str]]], client: str) -> str:
    """Return what the newest tested version of a client does; the versions stand in order."""
    family, platform = client.split("/")
    versions = list(stats.get(family, {}).get(platform, {}).values())
    return versions[-1][0] if versions else "."


if __name__ == "__main__":
    main()
