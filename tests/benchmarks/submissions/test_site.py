"""The pages of a leaderboard: what is ranked, what stands as submitted, and the filters in a real browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.submissions.folder import RESCORED, SUBMISSION
from tests.benchmarks.submissions.conftest import GROUP, OURS, TMCA
from tests.helpers.chromium import open_browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the pages of the entries of the project, of which `tmca` was not scored again."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(OURS, folder / "board")
    (folder / "board" / GROUP / TMCA / RESCORED).unlink()
    assert main(["site", str(folder / "board"), "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_only_what_was_scored_again_has_a_rank(site: Path) -> None:
    page = (site / f"{GROUP}.html").read_text(encoding="utf-8")
    lines = {
        name: line
        for line in page.split("<tr data-")[1:]
        for name in ("tmca", "lan_guide", "film")
        if f">{name}-" in line
    }
    assert '<td class="num">1</td>' in lines["lan_guide"]
    assert '<td class="num">2</td>' in lines["film"]
    assert "scored again by us (20" in lines["film"]
    assert '<td class="num"></td>' in lines["tmca"]
    assert "as submitted" in lines["tmca"]
    assert page.count("<svg") == 1
    assert "phantom_chest/generated.html" in (site / "index.html").read_text(encoding="utf-8")


def test_the_name_of_an_entry_cannot_bring_markup_into_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "board" / GROUP / TMCA
    shutil.copytree(OURS / GROUP / TMCA, folder)
    (folder / RESCORED).unlink()
    from benchmarks.storage.layout import write_sealed

    content = json.loads((folder / SUBMISSION).read_text())
    write_sealed(folder / SUBMISSION, {**content, "name": "<script>alert(1)</script>"})
    assert main(["site", str(tmp_path / "board"), "--out", str(tmp_path / "out")]) == 0
    assert "<script>alert" not in (tmp_path / "out" / f"{GROUP}.html").read_text(encoding="utf-8")


@pytest.mark.browser
def test_the_filters_hide_entries_in_chromium(site: Path, tmp_path: Path) -> None:
    with open_browser(tmp_path) as browser:
        browser.get((site / "index.html").as_uri())
        browser.find_element("link text", "phantom_chest, generated").click()
        count = browser.find_element("id", "count")
        assert count.text == "3 of 3 entries"
        browser.find_element("css selector", "select[data-filter=size] option:nth-child(2)").click()
        assert count.text == "2 of 3 entries"
        shown = [
            one.text for one in browser.find_elements("css selector", "#entries tbody tr th") if one.is_displayed()
        ]
        assert [name.split("-")[0] for name in shown] == ["lan_guide", "tmca"]
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
