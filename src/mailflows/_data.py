"""The bundled data files, read on first use.

Every file is UTF-8 text whose first lines, starting with ``#``, name source, date and licence; the
rest is one entry a line, in ``[sections]`` where the file has several lists.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["names", "read", "read_sections"]


@cache
def read(path: str) -> str:
    """Return the text of a bundled file, such as ``lexicon/fr.txt``."""
    return resources.files("mailflows").joinpath("data", *path.split("/")).read_text("utf-8")


def names(folder: str) -> tuple[str, ...]:
    """Return the stems of the files in a bundled folder, sorted."""
    place = resources.files("mailflows").joinpath("data", folder)
    return tuple(sorted(f.name.rpartition(".")[0] for f in place.iterdir() if "." in f.name))


@cache
def read_sections(path: str) -> dict[str, tuple[str, ...]]:
    """Return the entries of a file by section; those before any section are under ``""``."""
    sections: dict[str, list[str]] = {}
    current = sections.setdefault("", [])
    for raw in read(path).splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        else:
            current.append(line)
    return {name: tuple(entries) for name, entries in sections.items() if entries}
