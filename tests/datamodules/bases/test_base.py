"""The contract of `SegDataModule`: the names of its methods."""

from __future__ import annotations

import pytest

from datamodules.bases.base import RENAMED, SegDataModule
from zoo.errors import ConfigError


def test_the_renamed_methods_are_those_of_a_data_set() -> None:
    assert RENAMED == {
        "index": "list_cases",
        "cut": "split_cases",
        "recipe": "preprocessing",
        "recipe_of": "preprocessing_of",
    }


@pytest.mark.parametrize(("old", "new"), list(RENAMED.items()))
def test_old_method_name_fails_with_the_new_name(old: str, new: str) -> None:
    with pytest.raises(ConfigError) as caught:
        type("MyData", (SegDataModule,), {old: lambda self: None})
    text = str(caught.value)
    assert "MyData" in text
    assert f"`{old}` to `{new}`" in text
    assert "\n" not in text
