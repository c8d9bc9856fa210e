"""The contract of `SegDataModule`: the names of its methods."""

from __future__ import annotations

import pytest

from datamodules.bases.base import SegDataModule
from zoo.errors import ConfigError


@pytest.mark.parametrize(("old", "new"), [("recipe", "preprocessing"), ("recipe_of", "preprocessing_of")])
def test_old_method_name_fails_with_the_new_name(old: str, new: str) -> None:
    with pytest.raises(ConfigError) as caught:
        type("MyData", (SegDataModule,), {old: lambda self: None})
    text = str(caught.value)
    assert "MyData" in text
    assert f"`{old}` to `{new}`" in text
    assert "\n" not in text
