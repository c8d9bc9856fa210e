"""The contract of `SegDataModule`: the names of its methods, and the texts of its batches."""

from __future__ import annotations

from typing import Any

import pytest

from datamodules.bases.base import RENAMED, SegDataModule
from datamodules.build import build_datamodule
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


def test_training_batches_have_one_of_the_wordings_of_each_class() -> None:
    small: dict[str, Any] = {"counts": [2, 1, 1], "epoch_samples": 16, "batch_size": 2, "num_workers": 0}
    plain = build_datamodule("phantom_abdomen", "tiny", **small)
    data = build_datamodule("phantom_abdomen", "tiny", wordings=9, **small)
    data.setup("fit")
    seen = {batch["classes"][0].sentence for batch in data.train_dataloader()}
    assert len(seen) > 2
    assert next(iter(data.val_dataloader()))["classes"] == data.prompts
    assert data.prompt_hash != plain.prompt_hash
    for name, count, problem in (
        ("phantom_abdomen", 10, "it is a number from 1 to 9"),
        ("phantom_chest", 2, "phantom_chest has a report per case"),
        ("mmwhs_ct", 2, "there are no wordings for the prompts 'mmwhs_ct'"),
    ):
        with pytest.raises(ConfigError, match=problem):
            build_datamodule(name, "tiny", wordings=count)
