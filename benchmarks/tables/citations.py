"""Records of publications, and their BibTeX.

`configs/citations.yaml` has the records. Cards and sources name their keys below `cite`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zoo.errors import ConfigError, did_you_mean
from zoo.registry import CONFIGS, read_yaml
from zoo.utils.typed_content import read_content

FILE = CONFIGS / "citations.yaml"

VENUES = {"article": "journal", "inproceedings": "booktitle", "incollection": "booktitle", "misc": ""}
"""Type of an entry to the field that names its venue; empty where an entry needs none."""

_FIELDS = (
    *("author", "journal", "booktitle", "volume", "number", "pages", "publisher", "year"),
    *("doi", "url", "howpublished", "note"),
)
"""The fields after the title, in the order of an entry."""

_HEAD = re.compile(r"@(\w+)\s*\{\s*([^\s,{}]+)\s*,")


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One publication.

    Attributes:
        key: Its BibTeX key.
        title: The title as printed; capitals are kept.
        type: One of `VENUES`.
        author: The authors as BibTeX writes them: "Li, Zihan and Li, Yunxiang and others".
        year: The year of the publication; None where nobody stated it.
        eprint: Its number at arXiv.

    The other attributes are the BibTeX fields of their names, empty where they are not known.

    Example:
        >>> print(Citation(key="a2020b", title="A title", author="A, B.", year=2020, eprint="2001.00001").to_bibtex())
        @misc{a2020b,
          title = {{A title}},
          author = {A, B.},
          year = {2020},
          howpublished = {arXiv:2001.00001},
          eprint = {2001.00001},
          archivePrefix = {arXiv},
        }
    """

    key: str
    title: str
    type: str = "misc"
    author: str = ""
    year: int | None = None
    journal: str = ""
    booktitle: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    publisher: str = ""
    doi: str = ""
    eprint: str = ""
    url: str = ""
    howpublished: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Check that the entry has what BibTeX needs.

        Raises:
            ValueError: The type is unknown, a needed field is empty, or braces do not match.
        """
        if self.type not in VENUES:
            raise ValueError(f"type is '{self.type}', not one of {', '.join(VENUES)}")
        venue = VENUES[self.type]
        needed = ["title", *([venue, "author", "year"] if venue else [])]
        missing = [name for name in needed if not getattr(self, name)]
        if missing:
            raise ValueError(f"{missing[0]} is missing: an entry of the type {self.type} has it")
        for name in ("title", *_FIELDS):
            if not _is_balanced(str(getattr(self, name) or "")):
                raise ValueError(f"{name} has braces that do not match")

    def to_bibtex(self) -> str:
        """Return the entry."""
        fields = {"title": f"{{{self.title}}}"} | {name: str(getattr(self, name) or "") for name in _FIELDS}
        if self.eprint:
            if self.type == "misc" and not self.howpublished:  # styles print no `eprint`
                fields["howpublished"] = f"arXiv:{self.eprint}"
            fields |= {"eprint": self.eprint, "archivePrefix": "arXiv"}
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{self.type}{{{self.key},", *lines, "}"])


def read_citations(path: Path = FILE) -> dict[str, Citation]:
    """Read and check every record of a file.

    Raises:
        ConfigError: The file cannot be read, or a record is not complete; one line with the file and the key.
    """
    found = {}
    for key, content in read_yaml(path).items():
        named = {**content, "key": str(key)} if isinstance(content, Mapping) else content
        found[str(key)] = read_content(Citation, named, str(path), str(key))
    return found


@cache
def all_citations() -> Mapping[str, Citation]:
    """Return the records that come with the zoo, read once."""
    return read_citations()


def find_entries(cited: tuple[str, ...], place: str) -> dict[str, str]:
    """Find the BibTeX entries of a card.

    Args:
        cited: Keys of `configs/citations.yaml`, or whole BibTeX entries.
        place: The file of the card, for messages.

    Returns:
        The key of each entry to its BibTeX.

    Raises:
        ConfigError: There is no such key, or a whole entry is not readable.
    """
    known = all_citations()
    found = {}
    for one in cited:
        if one.lstrip().startswith("@"):
            key, entry = _read_entry(one, place)
        elif one in known:
            key, entry = one, known[one].to_bibtex()
        else:
            hint = did_you_mean(one, known, "Write a key of configs/citations.yaml, or a whole BibTeX entry.", most=1)
            raise ConfigError(f"{place}: cite has '{one}', no known publication.", hint)
        found[key] = entry
    return found


def find_year(cited: tuple[str, ...]) -> int | None:
    """Return the year of the first publication of a card that has one."""
    years = (all_citations()[key].year if key in all_citations() else _year_of(key) for key in cited)
    return next((year for year in years if year), None)


def _year_of(entry: str) -> int | None:
    found = re.search(r"\byear\s*=\s*[{\"]*\s*(\d{4})", entry)
    return int(found[1]) if found else None


def _read_entry(text: str, place: str) -> tuple[str, str]:
    entry = text.strip()
    head = _HEAD.match(entry)
    if head is None or not entry.endswith("}") or not _is_balanced(entry):
        shown = " ".join(entry.split())[:40]
        raise ConfigError(f"{place}: cite has the entry '{shown}', which BibTeX cannot read.", "Write @type{key, ...}.")
    return head[2], entry


def _is_balanced(text: str) -> bool:
    depth = 0
    for mark in text.replace("\\{", "").replace("\\}", ""):
        depth += {"{": 1, "}": -1}.get(mark, 0)
        if depth < 0:
            return False
    return depth == 0
