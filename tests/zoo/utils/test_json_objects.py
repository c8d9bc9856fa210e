"""Files of JSON that the zoo wrote: another content ends with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.engine.run_folder import RunFolder
from zoo.errors import RunError
from zoo.utils.json_objects import read_object

OTHERS = ("[]", "3", "null", '"x"', "{", "", "[" * 100_000, '{"a":' * 100_000, "\ufeff{}", "9" * 5000)


@pytest.mark.parametrize("content", OTHERS)
def test_another_content_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"manifest\.json: the file is not ") as caught:
        read_object(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match=r"manifest\.json: the file is not "):
        RunFolder(tmp_path).read_manifest()


def test_bytes_that_are_no_text_and_an_absent_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(RunError, match="not readable JSON"):
        read_object(path)
    path.write_bytes(b"\xff{}")
    with pytest.raises(RunError, match=r"not readable JSON.*Remove it\."):
        read_object(path, "Remove it.")
    path.write_text('{"a": 1}')
    assert read_object(path) == {"a": 1}
