"""Hooks of MkDocs for `make docs`: pages that are generated, and links that fit the site as well as the repository.

Generated are the reference (docstrings, cards, help of the commands) and the pages of the repository's root.
"""

from __future__ import annotations

import ast
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from datamodules.index.card import DataCard
from tests.helpers.paths import REPOSITORY
from tests.helpers.public_packages import PACKAGES
from zoo.cards import CardSummary
from zoo.cli.commands import COST, INFO, RUN, SHARE, USE, plugin_points
from zoo.registry import DATA, ENCODERS, MODELS, Registry
from zoo.utils.exit_codes import run_command

DOCS = REPOSITORY / "docs"
ROOT_PAGES = {
    "README.md": "overview.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Page of the repository -> page of the site."""

HOW_TO, MODEL_PAGES, REFERENCE = "How to", "Models", "Reference"
"""Sections of the navigation that the hooks fill. A page that mkdocs.yml does not name is in the first."""

_LINK = re.compile(r"(?<!!)\[([^\]\[]*(?:\[[^\]]*\][^\]\[]*)*)\]\(([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """Fill the sections of the navigation."""
    named = {page for section in config.nav for pages in section.values() for page in pages}
    sections: dict[str, list[Any]] = {title: pages for section in config.nav for title, pages in section.items()}
    sections[HOW_TO] += [path.name for path in sorted(DOCS.glob("*.md")) if path.name not in named]
    models = sorted(path.name for path in (DOCS / "models").glob("*.md") if path.name != "index.md")
    sections[MODEL_PAGES] += ["models/index.md", *(f"models/{name}" for name in models)]
    sections[REFERENCE] += list(generated_pages())
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    for name, make in {**generated_pages(), **root_pages()}.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Fit the links of a page to the site, and part lists from the lines before them, which Markdown of MkDocs asks."""
    origins = {site: origin for origin, site in ROOT_PAGES.items()}
    source = page.file.src_uri
    place = REPOSITORY / origins[source] if source in origins else DOCS / source
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else part_lists(fit_links(part, place, source)) for part in parts)


def fit_links(text: str, place: Path, source: str) -> str:
    """Turn links between files of the repository into links between pages; a link to no page becomes its text.

    Args:
        text: Markdown without fenced blocks.
        place: The file that the text is from.
        source: Its page on the site.
    """

    def fit(match: re.Match[str]) -> str:
        title, target = match[1], match[2]
        path, hash_, anchor = target.partition("#")
        if not path or "://" in target or target.startswith("mailto:"):
            return match[0]
        found = (place.parent / path).resolve()
        page = find_page(found)
        if page is None:
            return title
        return f"[{title}]({os.path.relpath(page, Path(source).parent)}{hash_}{anchor})"

    return _LINK.sub(fit, text)


def find_page(path: Path) -> str | None:
    """Return the page of the site for a file of the repository; None where it has none."""
    if path.is_relative_to(DOCS) and path.is_file():
        return path.relative_to(DOCS).as_posix()
    return ROOT_PAGES.get(path.name) if path.parent == REPOSITORY else None


def part_lists(text: str) -> str:
    """Put an empty line between a paragraph and the list below it.

    Example:
        >>> part_lists("Words:\\n- one\\n- two\\n")
        'Words:\\n\\n- one\\n- two\\n'
    """
    return re.sub(r"^(?!\s*(?:[-*]|\d+\.)\s|\s*$|[|#>]|\s{2,})(.+)\n(?=(?:[-*]|\d+\.)\s)", r"\1\n\n", text, flags=re.M)


def root_pages() -> dict[str, Callable[[], str]]:
    """Return the pages of the repository's root, by their names on the site."""

    def read(name: str) -> Callable[[], str]:
        return lambda: (REPOSITORY / name).read_text(encoding="utf-8")

    return {site: read(name) for name, site in ROOT_PAGES.items()}


def generated_pages() -> dict[str, Callable[[], str]]:
    """Return the pages of the reference, by name, each with the function that makes it."""

    def package(name: str) -> Callable[[], str]:
        return lambda: package_page(name)

    pages: dict[str, Callable[[], str]] = {"reference/commands.md": commands_page, "reference/cards.md": cards_page}
    return pages | {f"reference/{name}.md": package(name) for name in PACKAGES}


def package_page(package: str) -> str:
    """Make the page of a package: the docstring of each public name, which the site's builder reads from its module.

    A name that an earlier package exports too is documented there.
    """
    before = {found: one for one in reversed(PACKAGES[: PACKAGES.index(package)]) for found in public_names(one)}
    lines = [f"# {package}\n"]
    for name, module in sorted(public_names(package)):
        other = before.get((name, module))
        link = f"`{name}` is documented with [{other}]({other}.md#{module}.{name}).\n"
        lines.append(f"::: {module}.{name}\n" if other is None else link)
    return "\n".join(lines)


def public_names(package: str) -> Iterator[tuple[str, str]]:
    """Yield each public name of a package and the module that defines it, without an import of the package."""
    file = REPOSITORY.joinpath(*package.split("."), "__init__.py")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom) and inner.module:
                    yield from ((alias.asname or alias.name, inner.module) for alias in inner.names)


def commands_page() -> str:
    """Make the page with the help of each command."""
    parts = ["# Commands\n"]
    for command in ("", *RUN, *USE, *SHARE, *COST, *INFO, *plugin_points()):
        words = [command, "--help"] if command else ["--help"]
        parts.append(f"## zoo {command}\n\n```text\n{_help(words).strip()}\n```\n")
    return "\n".join(parts)


def _help(words: list[str]) -> str:
    from zoo.cli.main import main

    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):  # argparse ends its help so
        run_command(lambda: main(words))
    return said.getvalue()


def cards_page() -> str:
    """Make the page of the cards: models, data sets and text encoders."""
    rows: list[str] = []
    for title, registry in (("Models", MODELS), ("Data sets", DATA), ("Text encoders", ENCODERS)):
        rows += [f"## {title}\n", "| name | what it is | dimensions | text | licence |", "|---|---|---|---|---|"]
        rows += [_card_row(registry, card.name) for card in registry if not card.broken and card.origin == "zoo"]
        rows.append("")
    return "# Cards\n\nWhat `zoo list` and `zoo data list` print.\n\n" + "\n".join(rows)


def _card_row(registry: Registry, name: str) -> str:
    card = registry.get(name)
    summary = CardSummary.of(card)
    facts = DataCard.of(card) if registry is DATA else None
    licence = facts.licence if facts else str(card.about.get("licence", ""))
    dims = "/".join(f"{n}D" for n in summary.spatial_dims)
    page = DOCS / "models" / f"{name}.md"
    shown = f"[{name}](../models/{name}.md)" if registry is MODELS and page.is_file() else name
    cells = (shown, summary.title, dims, summary.text, licence)
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"
