"""The documentation as a site: it builds without a warning, no link is broken, and a browser reports no error."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from mkdocs.__main__ import cli

from tests.helpers.chromium import open_browser
from tests.helpers.docs_site import DOCS, fit_links, generated_pages, part_lists, public_names
from tests.helpers.paths import REPOSITORY


class Page(HTMLParser):
    """The addresses and the anchors of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if "src" in found or (tag == "link" and found.get("rel") in ("stylesheet", "icon", "preconnect")):
            self.loads.add(found.get("src", found.get("href", "")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site in strict mode, in which a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        cli(["build", "--strict", "--quiet", "--site-dir", str(folder)], standalone_mode=False)
    return folder


@pytest.mark.xdist_group("docs_site")
def test_every_page_is_on_the_site_and_no_link_is_broken(site: Path) -> None:
    pages = {file: Page(file) for file in site.rglob("*.html") if file.name != "404.html"}
    names = {file.relative_to(site).as_posix() for file in pages}
    sources = [path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")]
    assert {*sources, *(name.replace(".md", ".html") for name in generated_pages())} <= names
    broken = []
    for file, page in pages.items():
        for link in page.links | page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            lacks = parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors
            if not target.exists() or (lacks and parts.fragment != "__skip"):
                broken.append(f"{file.name}: {link}")
    assert broken == []
    assert [link for page in pages.values() for link in page.loads if urlsplit(link).netloc] == [], "another server"


@pytest.mark.xdist_group("docs_site")
def test_the_reference_has_the_docstrings_of_public_names_and_the_cards(site: Path) -> None:
    reference = (site / "reference" / "zoo.html").read_text(encoding="utf-8")
    names = dict(public_names("zoo"))
    assert names["load"] == "zoo.segment.segmenter"
    assert [name for name, module in names.items() if f'id="{module}.{name}"' not in reference] == []
    assert "Load a trained model that segments new images" in reference
    assert "hippocampus" in (site / "reference" / "cards.html").read_text(encoding="utf-8")
    assert "--class-text" in (site / "reference" / "commands.html").read_text(encoding="utf-8")


@pytest.mark.xdist_group("docs_site")
@pytest.mark.browser
def test_a_browser_reports_no_error_and_asks_no_other_server(site: Path, tmp_path: Path) -> None:
    with serve(site) as address, open_browser(tmp_path / "profile") as browser:
        for page in ("index", "quickstart", "metrics", "models/index", "models/bipvl", "reference/zoo"):
            browser.get(f"{address}/{page}.html")
            assert browser.find_element("css selector", "h1").text
            assert browser.find_elements("css selector", "nav a")
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert requested(browser) == {urlsplit(address).netloc}


def requested(browser: Any) -> set[str]:
    """Return the hosts that pages asked."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return {urlsplit(url).netloc for url in sent if url.startswith("http")}


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_links_to_files_of_the_repository_become_pages_or_text() -> None:
    page = DOCS / "models" / "unet.md"
    assert fit_links("[a](../metrics.md#dice)", page, "models/unet.md") == "[a](../metrics.md#dice)"
    assert fit_links("[a](../../README.md)", page, "models/unet.md") == "[a](../overview.md)"
    assert fit_links("[`a`](../../configs/prompts)", page, "models/unet.md") == "`a`"
    assert fit_links("[a](docs/data.md)", REPOSITORY / "README.md", "overview.md") == "[a](data.md)"
    assert fit_links("[a](https://b.c) [d](#e)", page, "models/unet.md") == "[a](https://b.c) [d](#e)"


def test_lists_are_parted_from_paragraphs_and_not_from_each_other() -> None:
    text = "Words:\n- one\n- two,\n  and more\n\n| a |\n| b |\n1. x\n"
    assert part_lists(text) == text.replace("Words:\n", "Words:\n\n")
