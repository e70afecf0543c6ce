"""The bundled data files: there, readable, and with their source, date and licence."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from mailflows import _data

PLACE = Path(str(resources.files("mailflows").joinpath("data")))
LISTS = sorted(path.relative_to(PLACE).as_posix() for path in PLACE.rglob("*.txt"))


@pytest.mark.parametrize("name", LISTS)
def test_origin(name: str) -> None:
    """The first lines of a list say where it comes from and under which licence it is."""
    head = " ".join(line for line in _data.read(name).splitlines()[:12] if line.startswith("#")).lower()
    assert "licence" in head or "license" in head
    assert "source" in head or "written" in head


@pytest.mark.parametrize("name", LISTS)
def test_entries(name: str) -> None:
    """A list has entries, no section of it is empty, and no entry stands twice in a section."""
    sections = _data.read_sections(name)
    assert sections
    assert {key: [e for e in set(entries) if entries.count(e) > 1] for key, entries in sections.items()} == {
        key: [] for key in sections
    }


def test_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries are had by section; comments and blank lines are left out."""
    text = "# Source: us.\n\nloose\n[one]\n a \nb\n# note\n[empty]\n[one]\nc\n"
    monkeypatch.setattr(_data, "read", lambda _path: text)
    _data.read_sections.cache_clear()
    assert _data.read_sections("any.txt") == {"": ("loose",), "one": ("a", "b", "c")}
    _data.read_sections.cache_clear()


def test_names() -> None:
    """The stems of a folder are listed in order."""
    names = _data.names("lexicon")
    assert names == tuple(sorted(names))
    assert {"de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru"} <= set(names)


def test_missing_file() -> None:
    """A file that is not bundled is a mistake of ours, and said so at once."""
    with pytest.raises(FileNotFoundError):
        _data.read("nothing.txt")


def test_a_language_with_a_lexicon_is_recognised() -> None:
    """By its function words, or by its script: without them its lexicon would never be looked into."""
    by_script = {"ja"}
    assert set(_data.names("lexicon")) - by_script <= set(_data.read_sections("function-words.txt"))


def test_lexicons_know_the_same_concepts() -> None:
    """A concept that only one language has is a slip of the pen."""
    concepts = {name: set(_data.read_sections(f"lexicon/{name}.txt")) for name in _data.names("lexicon")}
    assert {name: found - concepts["en"] for name, found in concepts.items() if found - concepts["en"]} == {}
