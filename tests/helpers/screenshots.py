"""The pictures of `docs/images`: the report, the page of `zoo app` and the leaderboard, as Chromium shows them.

`python -m tests.helpers.screenshots DIR` takes them of a benchmark of `phantom_chest`, such as that of `make demo`.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.cli import main as run_bench
from datamodules.build import build_datamodule
from tests.helpers.chromium import DROP, open_browser, wait_until
from tests.helpers.served_app import serve
from zoo import load
from zoo.app.session import Session

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 1280
HEIGHTS = {"report": 1500, "leaderboard": 860, "app": 1060}
"""Size of the window for each picture."""

COLOURS = 64
"""Colours of a picture: a fifth of the bytes, and no difference that a reader sees."""


def main(benchmark: Path) -> None:
    """Take all pictures of a benchmark."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_browser(folder / "profile") as browser:
            run_bench(["report", str(benchmark), "--out", str(folder / "report.html")])
            _take(browser, folder / "report.html", "report")
            run_bench(["site", "leaderboard", "--out", str(folder / "site")])
            _take(browser, folder / "site" / "phantom_chest" / "generated.html", "leaderboard")
            (folder / "dropped").mkdir()
            _take_app(browser, benchmark, folder / "dropped")


def _take_app(browser: Any, benchmark: Path, folder: Path) -> None:
    """Drop the image of a test case on the page, and ask for it with its own report and with another one."""
    data = build_datamodule("phantom_chest", "tiny")
    case, *others = data.cases_of("test")
    other = next(one for one in others if one.report != case.report)
    pixels = np.asarray(data.prepared(case).image[0], dtype=np.float32)
    grey = (255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    run = next(path for path in sorted((benchmark / "results").iterdir()) if "bipvl" in path.name)
    with serve(Session({run.name: load(run)}, folder)) as server:
        browser.set_window_size(WIDTH, HEIGHTS["app"])
        browser.get(server.address)
        panels = wait_until(lambda: browser.find_elements("css selector", "section.panel:has(textarea)"))
        browser.execute_script(DROP, base64.b64encode(file.getvalue()).decode(), "chest.png")
        wait_until(lambda: browser.find_element("id", "status").text.startswith("chest.png"))
        for panel, report in zip(panels, (case.report or "", other.report or ""), strict=True):
            panel.find_element("tag name", "textarea").send_keys(report)
            panel.find_element("css selector", ".go").click()
            wait_until(partial(_has_said, panel, report))
        time.sleep(1)  # the pictures of both panels
        _save(browser, "app")


def _has_said(panel: Any, report: str) -> bool:
    return report in panel.find_element("css selector", ".said").text


def _take(browser: Any, page: Path, name: str) -> None:
    browser.set_window_size(WIDTH, HEIGHTS[name])
    browser.get(page.as_uri())
    _save(browser, name)


def _save(browser: Any, name: str) -> None:
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    picture.quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
