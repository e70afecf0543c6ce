"""``python -m mailflows``: the command line."""

from __future__ import annotations

from mailflows.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
