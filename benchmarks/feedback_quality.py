"""How many bounces are understood: recipients, and suppressions that are right.

Usage: python benchmarks/feedback_quality.py FOLDER

The folder holds ``eml/`` and ``expected.json`` (what sisimai makes of them); it is no part of the project.
``not/``, if it is there, holds messages that are no bounces.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from recording import ROOT, write

sys.path.insert(0, str(ROOT / "tests" / "feedback"))

from bounce_cases import Quality, judged

from mailflows.feedback import parse_bounce


def measured(found: Quality, folder: Path) -> dict[str, Any]:
    """Return the figures as they are written."""
    apart = sorted({reason for reason, _ in found.debatable})
    strangers = sorted((folder / "not").glob("*.eml"))
    return {
        "files": found.files,
        "files_with_exact_recipients": found.exact,
        "share_exact": round(found.share_exact, 4),
        "not_exact": found.wrong_files,
        "non_bounces": len(strangers),
        "found_in_non_bounces": sum(bool(parse_bounce(path)) for path in strangers),
        "suppressed_and_hard": found.right,
        "suppressed_and_not_hard": found.wrong,
        "hard_and_not_suppressed": found.missed,
        "suppress_precision": round(found.precision, 4),
        "suppress_recall": round(found.recall, 4),
        "debatable": {
            reason: {"suppressed": found.debatable[reason, True], "not": found.debatable[reason, False]}
            for reason in apart
        },
        "wanted": {"share_exact": 0.98, "suppress_precision": 0.97, "suppress_recall": 0.95},
    }


def main() -> None:
    """Read the bounces, and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    result = measured(judged(folder), folder)
    write("feedback_quality", result)
    print(result)


if __name__ == "__main__":
    main()
