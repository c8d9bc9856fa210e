"""Every page can be reached, every link leads to a file, and two pages are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.paths import REPOSITORY
from zoo.errors import FAULTS

DOCS = REPOSITORY / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")])


def links(page: Path) -> list[Path]:
    """The files that a page links to, without addresses of the web."""
    found = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    return [(page.parent / link).resolve() for link in found if "://" not in link and not link.startswith("mailto:")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_files(page: Path) -> None:
    assert [link for link in links(page) if not link.exists()] == []


def test_the_index_leads_to_every_page() -> None:
    reached = {*links(DOCS / "index.md"), *links(DOCS / "models" / "index.md")}
    assert (DOCS / "models" / "index.md") in reached
    assert [page for page in DOCS.rglob("*.md") if page.name != "index.md" and page.resolve() not in reached] == []


def test_the_readme_leads_to_the_index() -> None:
    assert (DOCS / "index.md").resolve() in links(REPOSITORY / "README.md")


def test_the_glossary_defines_each_term_once_and_in_order() -> None:
    lines = (DOCS / "glossary.md").read_text(encoding="utf-8").splitlines()
    terms = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][2:]
    assert terms == sorted(set(terms), key=str.lower)


def test_the_page_on_checks_lists_every_kind_of_fault() -> None:
    text = (DOCS / "verify.md").read_text(encoding="utf-8")
    assert [kind for kind in FAULTS if f"`{kind}`" not in text] == []
