"""Plain content becomes a dataclass; each mistake ends with one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from zoo.errors import ConfigError
from zoo.utils.typed_content import read_content


@dataclass(frozen=True)
class Part:
    weight: float = 1.0


@dataclass(frozen=True)
class Thing:
    name: str
    count: int
    sizes: tuple[int, ...] = ()
    parts: Mapping[str, Part] | None = None
    ready: bool = False
    free: Any = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count is below 0")


def read(**content: Any) -> Thing:
    return read_content(Thing, {"count": 1, **content}, "file.yaml", "about", name="n")


def test_every_kind_of_field_is_converted() -> None:
    thing = read(sizes=[1, 2], parts={"a": {"weight": 2}}, ready=True, free=[None])
    assert thing == Thing("n", 1, (1, 2), {"a": Part(2.0)}, True, [None])
    assert isinstance((thing.parts or {})["a"].weight, float)
    assert read(parts=None).parts is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sizess": [1]}, "file.yaml: unknown key about.sizess. Did you mean sizes?"),
        ({"zzz": 1}, "file.yaml: unknown key about.zzz. Known keys: count, sizes, parts, ready, free."),
        ({"name": "other"}, "file.yaml: unknown key about.name."),
        ({"count": "one"}, "file.yaml: about.count is 'one'. Write a whole number."),
        ({"count": True}, "file.yaml: about.count is True. Write a whole number."),
        ({"ready": 1}, "file.yaml: about.ready is 1. Write true or false."),
        ({"sizes": 3}, "file.yaml: about.sizes is 3, not a list. Write `sizes: [...]`."),
        ({"sizes": ["a"]}, "file.yaml: about.sizes is 'a'. Write a whole number."),
        ({"parts": [1]}, "file.yaml: about.parts is [1], not a mapping. Write `key: value` lines below it."),
        ({"parts": {"a": {"weigth": 1}}}, "file.yaml: unknown key about.parts.a.weigth. Did you mean weight?"),
        ({"parts": {"a": None}}, "file.yaml: about.parts.a is not a mapping."),
        ({"count": -1}, "file.yaml: about.count is below 0. Correct the file."),
    ],
)
def test_a_mistake_is_one_line_with_the_file_and_the_key(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**content)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_missing_key_and_a_content_that_is_no_mapping_end_with_one_line() -> None:
    with pytest.raises(ConfigError, match=r"file.yaml: the key about.count is missing. Add `count: ...`"):
        read_content(Thing, {}, "file.yaml", "about", name="n")
    with pytest.raises(ConfigError, match=r"file.yaml: about is not a mapping"):
        read_content(Thing, ["count"], "file.yaml", "about", name="n")
