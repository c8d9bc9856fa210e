"""The report in a real browser: it sorts, requests nothing, follows the theme and fits a telephone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import write_report
from tests.helpers.chromium import open_browser
from tests.helpers.made_up_benchmark import benchmark
from tests.helpers.sample_benchmark import job

pytestmark = pytest.mark.browser

LABELS = ("aorta", "gallbladder", "left_kidney", "liver", "right_kidney", "spleen", "stomach")
MODELS = ("unet", "bipvl", "tmca")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of three models on two data sets with many classes."""
    folder = tmp_path_factory.mktemp("bench")
    jobs = [
        job(model, 0, "none" if model == "unet" else "class", data=data)
        for data in ("hippocampus", "a_set_with_quite_a_long_name")
        for model in MODELS
    ]
    benchmark(folder, jobs, LABELS)
    write_report(folder, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start headless Chromium with a profile of its own."""
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def opened(browser: Any, report: Path, width: int = 1280, theme: str = "light", *, script: bool = True) -> Any:
    """Open the page with a width and a theme, and clear the log."""
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(report.as_uri())
    return browser


def column(browser: Any, head: str) -> list[str]:
    """Return the cells of a column of the first leaderboard, of ranked models only."""
    found: list[str] = browser.execute_script(
        """
        const table = document.querySelector("table.leaderboard");
        const place = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === arguments[0]);
        return [...table.tBodies[0].rows].map((row) => row.cells[place].textContent.trim().replace("†", ""));
        """,
        head,
    )
    return found


def head_of(browser: Any, head: str) -> Any:
    return browser.find_element("xpath", f"(//table[contains(@class, 'leaderboard')])[1]//th[contains(., '{head}')]")


def test_a_click_on_a_head_sorts_and_announces_the_order(browser: Any, report: Path) -> None:
    opened(browser, report)
    assert column(browser, "Rank") == ["1", "2", "3"]
    assert head_of(browser, "Rank").get_attribute("aria-sort") == "ascending"
    dice = [float(text.partition(" ")[0]) for text in column(browser, "Dice")]
    assert dice == sorted(dice, reverse=True)
    head = head_of(browser, "Dice")
    for order, expected in (("descending", dice), ("ascending", dice[::-1])):
        head.find_element("tag name", "button").click()
        assert [float(text.partition(" ")[0]) for text in column(browser, "Dice")] == expected
        assert head.get_attribute("aria-sort") == order
        assert browser.find_element("id", "status").get_attribute("textContent") == f"Sorted by Dice, {order}."
    sorted_heads = browser.find_elements("css selector", "table.leaderboard th[aria-sort='ascending']")
    assert len(sorted_heads) == 2, "one per table: the second table is still sorted by rank"
    group = browser.execute_script(
        "return [...document.querySelector('table.leaderboard').tBodies].pop().rows[0].textContent.trim()"
    )
    assert group == "Controls", "each group is sorted by itself and keeps its head"


def test_the_keyboard_sorts_and_empty_cells_stay_last(browser: Any, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(browser, report)
    button = head_of(browser, "Text gain").find_element("tag name", "button")
    browser.execute_script("arguments[0].focus()", button)
    for key in (Keys.ENTER, Keys.SPACE):
        browser.switch_to.active_element.send_keys(key)
        gains = column(browser, "Text gain")
        assert gains[-1] == "", "the U-Net reads no text"
        assert all(gains[:-1])
    assert head_of(browser, "Text gain").get_attribute("aria-sort") == "ascending"


def test_the_browser_requests_nothing_and_logs_no_error(browser: Any, report: Path) -> None:
    opened(browser, report)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert browser.get_log("browser") == []
    broken = "return [...document.images].filter((image) => !image.complete || !image.naturalWidth).length"
    assert browser.execute_script(broken) == 0


def test_a_script_in_a_text_does_not_run(browser: Any, report: Path) -> None:
    opened(browser, report)
    assert browser.execute_script("return document.scripts.length") == 1
    texts = browser.execute_script(
        "return [...document.querySelectorAll('.report-text')].map((text) => text.textContent)"
    )
    assert all("<script>alert(1)</script>" in text for text in texts)
    assert texts
    browser.execute_script(  # what an attack would do if it reached the page
        "const s = document.createElement('script'); s.textContent = 'window.hit = 1'; document.body.append(s)"
    )
    assert browser.execute_script("return window.hit") is None, "the content policy of the page allows no other script"


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wider_than_the_page(browser: Any, report: Path, width: int, theme: str) -> None:
    opened(browser, report, width, theme)
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    inner, whole = browser.execute_script("const e = document.documentElement; return [e.clientWidth, e.scrollWidth]")
    assert whole == inner
    wide = browser.execute_script(
        """
        return [...document.querySelectorAll("body *")].filter((one) => !one.closest(".scroll, .skip, svg")
          && one.getBoundingClientRect().right > innerWidth + 0.5).map((one) => one.outerHTML.slice(0, 80));
        """
    )
    assert wide == []
    if width == 1280:
        cut = browser.execute_script(
            """
            return [...document.querySelectorAll(".scroll")].filter((box) => !box.querySelector(".everything")
              && box.scrollWidth > box.clientWidth).map((box) => box.getAttribute("aria-label"));
            """
        )
        assert cut == [], "no table is cut off, except that of all columns"
        shares = browser.execute_script(
            """
            return [...document.querySelectorAll(".plots")].map((block) => {
              const drawn = [...block.querySelectorAll("svg")].filter((one) => one.getClientRects().length);
              return Math.max(...drawn.map((one) => one.getBoundingClientRect().right))
                - Math.min(...drawn.map((one) => one.getBoundingClientRect().left));
            });
            """
        )
        assert min(shares) > 0.9 * 1100, "figures use the width"
    if width == 400:
        smallest = browser.execute_script(
            """
            return Math.min(...[...document.querySelectorAll("svg.plot text")].map(
              (text) => text.getBoundingClientRect().height));
            """
        )
        assert smallest >= 9, "the text in figures is large enough"


def luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)` by WCAG 2."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "dark"), [("light", False), ("dark", True)])
def test_text_and_figures_follow_the_theme(browser: Any, report: Path, theme: str, dark: bool) -> None:
    opened(browser, report, theme=theme)
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) < 0.1) == dark
    inks = browser.execute_script(
        """
        const styles = (selector, key) => [...new Set([...document.querySelectorAll(selector)].map(
          (one) => getComputedStyle(one)[key]))];
        return [...styles("h1, h2, td, th, p, dd, dt, a, summary, .control td, figcaption", "color"),
                ...styles("svg.plot text", "fill")];
        """
    )
    assert inks
    assert all(contrast(ink, paper) >= 4.5 for ink in inks), "WCAG AA"
    series = browser.execute_script(
        "return [...document.querySelectorAll('.key path')].map((p) => getComputedStyle(p).stroke)"
    )
    assert all(contrast(colour, paper) >= 3 for colour in series), "WCAG AA of graphics"


def test_a_table_is_copied_and_the_copy_is_announced(browser: Any, report: Path) -> None:
    opened(browser, report)
    browser.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    buttons = browser.find_elements("css selector", ".copy button")
    assert [button.text for button in buttons[:2]] == ["Copy LaTeX", "Copy CSV"]
    for button, start in zip(buttons, ("% \\usepackage", "model,size,"), strict=False):
        button.click()
        assert browser.execute_script("return window.copied").startswith(start)
    status = browser.find_element("id", "status").get_attribute("textContent")
    assert status == "Copied: CSV of the leaderboard."


def test_without_a_script_all_tables_are_there(browser: Any, report: Path) -> None:
    try:
        opened(browser, report, script=False)
        heads = browser.find_elements("css selector", "table.leaderboard thead th")
        assert [head.text for head in heads[:2]] == ["Model", "Rank"]
        assert not browser.find_elements("css selector", "button"), "there is no button without a function"
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
