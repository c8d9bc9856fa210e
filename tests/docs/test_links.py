"""Every page can be reached, and every link between pages leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.paths import REPOSITORY

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
    reached = set(links(DOCS / "index.md"))
    assert [page for page in DOCS.rglob("*.md") if page.name != "index.md" and page.resolve() not in reached] == []


def test_the_readme_leads_to_the_index() -> None:
    assert (DOCS / "index.md").resolve() in links(REPOSITORY / "README.md")
