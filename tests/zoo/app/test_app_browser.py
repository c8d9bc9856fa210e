"""The page in Chromium: an image is dropped, a sentence is typed, and another mask is seen."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.chromium import DROP, open_browser, wait_until
from zoo.app.server import Server

pytestmark = pytest.mark.browser

PIXELS = """
const image = arguments[0], canvas = document.createElement("canvas");
canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
canvas.getContext("2d").drawImage(image, 0, 0);
return canvas.toDataURL();
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def segmented(browser: Any, panel: Any, sentence: str) -> str:
    """Type a sentence into a panel, and return the pixels of the picture that comes."""
    panel.find_element("tag name", "textarea").send_keys(sentence)
    panel.find_element("css selector", ".go").click()
    said = panel.find_element("css selector", ".said")
    wait_until(lambda: sentence in said.text)
    picture = panel.find_element("css selector", ".picture")
    wait_until(lambda: "version=2" in picture.get_attribute("src"))
    wait_until(lambda: picture.get_property("complete") and picture.get_property("naturalWidth"))
    assert "lesion: " in panel.find_element("css selector", ".classes").text
    pixels: str = browser.execute_script(PIXELS, picture)
    return pixels


def test_a_dropped_picture_gets_a_mask_per_sentence_and_nothing_leaves_the_machine(
    browser: Any, server: Server
) -> None:
    browser.get(server.address)
    panels = wait_until(lambda: browser.find_elements("css selector", "section.panel:has(textarea)"))
    assert len(panels) == 2
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    browser.execute_script(DROP, base64.b64encode(file.getvalue()).decode(), "chest.png")
    status = browser.find_element("id", "status")
    wait_until(lambda: status.text == "chest.png: 40 x 60")
    sentences = ("Left lung.", "Both lungs, four infected areas.")
    seen = [segmented(browser, panel, sentence) for panel, sentence in zip(panels, sentences, strict=True)]
    assert seen[0] != seen[1], "another sentence, another mask"
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element(panels[0].find_element("css selector", ".picture")).perform()
    pointer = panels[0].find_element("css selector", ".pointer")
    wait_until(lambda: pointer.text.startswith("lesion "))
    assert 0 <= float(pointer.text.removeprefix("lesion ")) <= 1
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith((server.address, "data:", "chrome:"))] == []
    assert browser.get_log("browser") == []
    browser.execute_script(DROP, base64.b64encode(b"no picture").decode(), "broken.png")
    wait_until(lambda: status.text.startswith("broken.png: "))
    assert "/" not in status.text, "no path of this machine"
