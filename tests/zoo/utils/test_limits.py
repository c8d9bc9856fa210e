"""Inputs that claim or unpack to more than any memory holds are refused before they are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.paths import REPOSITORY
from zoo.config import compose
from zoo.errors import ConfigError
from zoo.registry import read_yaml
from zoo.settings import describe
from zoo.utils.config_files import check_config
from zoo.utils.limits import LIMITS, get_limit, raise_limit
from zoo.utils.text_files import parse_yaml, read_text


def bomb(of: str, depth: int = 10, width: int = 9) -> str:
    """Return nested aliases: lists, mappings or merges."""
    lines = {"list": "a0: &a0 [x, x]\n", "mapping": "a0: &a0 {x: 1}\n", "merge": "a0: &a0 {x: 1}\n"}[of]
    for level in range(1, depth):
        inner = [f"*a{level - 1}"] * width
        value = {
            "list": f"[{', '.join(inner)}]",
            "mapping": f"{{{', '.join(f'k{place}: {one}' for place, one in enumerate(inner))}}}",
            "merge": f"{{<<: [{', '.join(inner)}]}}",
        }[of]
        lines += f"a{level}: &a{level} {value}\n"
    return lines


@pytest.mark.parametrize("of", ["list", "mapping", "merge"])
def test_yaml_whose_aliases_repeat_without_end_is_refused(of: str, tmp_path: Path) -> None:
    text = bomb(of)
    assert len(text) < 1000
    with pytest.raises(ValueError, match=r"aliases repeat more than 1000000000 values$"):
        parse_yaml(text)
    file = tmp_path / "bomb.yaml"
    file.write_text(f"model:\n  init_args:\n    {text.replace(chr(10), chr(10) + '    ')}")
    for use in (lambda: compose("unet", "phantom_chest", files=[file]), lambda: read_yaml(file)):
        with pytest.raises(ConfigError, match=r"bomb\.yaml: .*aliases repeat"):
            use()


def test_a_text_in_a_configuration_that_is_yaml_itself_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml: its aliases repeat"):
        check_config({"model": {"init_args": {"x": bomb("list")}}}, "a.yaml")
    check_config({"data": {"init_args": {"title": "R&D * {odd"}}}, "a.yaml")


def test_a_few_aliases_are_read_and_the_limit_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_yaml("a: &a [1, 2]\nb: [*a, *a]")["b"] == [[1, 2], [1, 2]]
    some = bomb("list", depth=6)
    with pytest.raises(ValueError, match=r"ZOO_LIMITS=repeated_values=\d+\.$") as caught:
        parse_yaml(some)
    monkeypatch.setenv("ZOO_LIMITS", re.search(r"repeated_values=\d+", str(caught.value))[0])  # type: ignore[index]
    assert len(parse_yaml(some)["a5"]) == 9


@pytest.mark.parametrize("text", ["a: &a [*a]", "&a {b: {c: *a}}", "a: &a {<<: *a}"])
def test_a_value_that_contains_itself_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="contains itself"):
        parse_yaml(text)


def test_a_long_file_without_aliases_is_read() -> None:
    assert len(parse_yaml("\n".join(f"- {{a: {n}}}" for n in range(3000)))) == 3000


def test_a_text_file_has_a_largest_size_also_where_it_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_LIMITS", "text_mb=1")
    with pytest.raises(ValueError, match=r"more than 1 MB of text\. .*ZOO_LIMITS=text_mb=2"):
        read_text(Path("/dev/zero"))


def test_the_limits_of_the_environment_are_checked_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_limit("pixels") == LIMITS["pixels"].value
    monkeypatch.setenv("ZOO_LIMITS", " pixels = 5, voxels=7,")
    assert (get_limit("pixels"), get_limit("voxels")) == (5, 7)
    assert raise_limit("pixels", 9).endswith("ZOO_LIMITS=voxels=7,pixels=9.")
    assert describe()["ZOO_LIMITS"] == "pixels=5,voxels=7"
    for wrong, hint in {
        "pixel=5": "Did you mean pixels",
        "pixels=-1": "Write pixels=",
        "pixels": "Write pixels=",
    }.items():
        monkeypatch.setenv("ZOO_LIMITS", wrong)
        with pytest.raises(ConfigError, match=hint):
            get_limit("pixels")


def test_the_page_has_every_limit() -> None:
    page = (REPOSITORY / "docs" / "foreign_files.md").read_text(encoding="utf-8")
    lines = [f"| {name} | {limit.value} | {limit.about} |" for name, limit in LIMITS.items()]
    assert "\n".join(lines) in page
