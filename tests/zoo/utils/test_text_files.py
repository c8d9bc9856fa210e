"""Text files of a user: any Unicode encoding, and no key twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ConfigError
from zoo.registry import read_yaml
from zoo.utils.text_files import parse_yaml, read_json, read_text

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_is_read_in_any_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes('{"klasse": "Niere, 左肾"}\r\n'.encode(encoding))
    assert read_text(path) == '{"klasse": "Niere, 左肾"}\r\n'
    assert read_json(path) == read_yaml(path) == {"klasse": "Niere, 左肾"}


def test_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a":\n"\xe9"}')
    with pytest.raises(ValueError, match=r"^line 2: the byte 0xe9 is not UTF-8$"):
        read_json(path)
    with pytest.raises(ConfigError, match=r"a\.json: not a readable YAML file: line 2: the byte 0xe9"):
        read_yaml(path)


@pytest.mark.parametrize("text", ['{"a": {"1": 2,\n "1": 3}}', '{"a": 1,\n "a": [1]}'])
def test_a_key_that_is_there_twice_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"^line 2: the key '[a1]' is there twice$"):
        read_json(path)
    with pytest.raises(ConfigError, match=r"line 2: the key '[a1]' is there twice"):
        read_yaml(path)


def test_a_key_of_a_merge_may_be_written_again() -> None:
    assert parse_yaml("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}")["y"] == {"a": 1, "b": 3}


@pytest.mark.parametrize("text", ['{"a": NaN}', "[" * 100_000, '{"a": Infinity}', "{", '{"a": 1} {"b": 2}'])
def test_json_that_others_read_in_another_way_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        read_json(path)


@pytest.mark.parametrize("text", ["a: 2024-13-45", "a: !!python/object:os.system {}", "a: 1\n- b", "a: 1\n---\nb: 2"])
def test_yaml_that_cannot_be_read_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parse_yaml(text)
