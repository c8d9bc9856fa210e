"""A headless Chromium for tests of pages; without one, the test is skipped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)

DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (one) => one.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], arguments[1]));
document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
"""
"""A script that drops a file on the page of `zoo app`: its bytes in base64, and its name."""


@contextmanager
def open_browser(profile: Path) -> Iterator[Any]:
    """Start headless Chromium with a profile of its own, and end it."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium and chromedriver here: `apt-get install chromium chromium-driver`")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def wait_until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for a value that is not empty."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.05)
    return found
