"""The two embedded data sets as data modules."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.index.splits import SPLITS
from datamodules.phantoms.abdomen import ORGANS
from datamodules.phantoms.chest import text_free_bound
from datamodules.sets.phantom_abdomen import PhantomAbdomen
from datamodules.sets.phantom_chest import PhantomChest
from zoo.errors import ConfigError
from zoo.io import prediction_suffix, write_prediction
from zoo.registry import DATA
from zoo.types import Prediction


def chest(**overrides: Any) -> PhantomChest:
    made = build_datamodule(
        "phantom_chest", "tiny", **{"counts": [6, 3, 5], "batch_size": 4, "epoch_samples": 8} | overrides
    )
    assert isinstance(made, PhantomChest)
    return made


def abdomen(**overrides: Any) -> PhantomAbdomen:
    made = build_datamodule("phantom_abdomen", "tiny", **{"counts": [3, 1, 2], "epoch_samples": 4} | overrides)
    assert isinstance(made, PhantomAbdomen)
    return made


@pytest.mark.parametrize("name", ["phantom_chest", "phantom_abdomen"])
def test_a_phantom_has_the_sizes_and_splits_of_its_card(name: str) -> None:
    for size in ("tiny", "published"):
        data = build_datamodule(name, size)
        assert data.card.embedded
        subjects = [{data.split.subjects[case_id] for case_id in data.split.ids_of(part)} for part in SPLITS]
        assert [len(part) for part in subjects] == ([640, 24, 48] if name == "phantom_chest" else [24, 4, 8])
        assert not data.split.leaks()
    assert set(DATA.get(name).sizes) == {"tiny", "published"}


def test_the_seed_of_a_run_changes_no_case_and_no_hash() -> None:
    one, other = chest(seed=0), chest(seed=1)
    assert (one.split_hash, one.prompt_hash) == (other.split_hash, other.prompt_hash)
    assert chest(counts=[6, 3, 4]).split_hash != one.split_hash
    case = next(iter(one.cases.values()))
    np.testing.assert_array_equal(one.load(case).image, other.load(case).image)


def test_batches_of_the_chest_phantom_keep_the_contract() -> None:
    data = chest()
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == batch["label"].shape == (4, 1, 64, 64)
    assert batch["reports"] == [data.index.case(case_id).report for case_id in batch["case_id"]]
    assert data.on_after_batch_transfer(batch, 0) is batch  # a turned image would belie its report
    seen = [case_id for batch in data.test_dataloader() for case_id in batch["case_id"]]
    assert sorted(seen) == sorted(data.split.test)
    native = next(iter(data.test_dataloader()))["native"][0]
    assert native.label is not None
    assert native.label.shape == (1, 64, 64)
    assert (native.geometry.affine, native.geometry.unit) == (None, "px")


def test_the_chest_phantom_resizes_to_the_patch_and_scores_on_the_native_grid() -> None:
    data = chest(pixels=96, patch=[32, 48])
    batch = next(iter(data.val_dataloader()))
    assert batch["image"].shape[2:] == (32, 48)
    native = batch["native"][0].label
    assert native is not None
    np.testing.assert_array_equal(native[0], data.draw(data.index.case(batch["case_id"][0])).label)


def test_each_image_comes_with_two_complementary_reports() -> None:
    data = chest()
    for part in SPLITS:
        assert set(Counter(data.split.subjects[case_id] for case_id in data.split.ids_of(part)).values()) == {2}
    first, other = (data.index.case(case_id) for case_id in data.split.train[:2])
    assert first.subject == other.subject
    one, two = data.load(first), data.load(other)
    np.testing.assert_array_equal(one.image, two.image)
    assert one.label is not None
    assert two.label is not None
    np.testing.assert_array_equal((one.label + two.label)[0], data.draw(first).lesions.any(axis=0))
    for case in (first, other):
        assert data.draw(case).report == case.report


def test_the_bound_is_computed_on_the_test_images() -> None:
    data = chest()
    bound = text_free_bound([data.draw(data.index.case(case_id)) for case_id in data.split.test])
    assert data.controls() == {"text-free bound": bound}
    assert 0.6 < bound < 0.7
    assert abdomen().controls() == {}


def test_segmenting_every_lesion_comes_near_the_bound_on_the_test_cases() -> None:
    """The score of a model without text depends on its masks and not on the drawn reports."""
    data = build_datamodule("phantom_chest", "tiny")
    assert isinstance(data, PhantomChest)
    scores = []
    for case_id in data.split.test:
        drawn = data.draw(data.index.case(case_id))
        scores.append(2 * drawn.label.sum() / (drawn.lesions.sum() + drawn.label.sum()))
    assert len(scores) == 96
    assert np.mean(scores) == pytest.approx(data.controls()["text-free bound"], abs=0.01)


def test_only_the_cases_of_a_stage_are_generated() -> None:
    data = chest()
    data.setup("test")
    assert {case_id for case_id, _ in data.prepared_cases.memory} == set(data.split.test)


def test_batches_of_the_abdomen_phantom_keep_the_contract() -> None:
    data = abdomen()
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == batch["label"].shape == (4, 1, 32, 32, 16)
    assert "reports" not in batch
    assert batch["spacing"].tolist() == [[2, 2, 5]] * 4
    assert 0 <= batch["image"].min() < batch["image"].max() <= 1
    assert tuple(prompt.name for prompt in batch["classes"]) == tuple(ORGANS)
    whole = next(iter(data.test_dataloader()))
    assert whole["image"].shape == (1, 1, 48, 48, 24)


def test_card_and_generator_have_the_same_order_of_organs() -> None:
    data = abdomen()
    assert data.labels.names == tuple(ORGANS)
    assert data.labels.values == tuple((value,) for value in range(1, len(ORGANS) + 1))


def test_a_prediction_of_the_abdomen_is_a_nifti_on_its_affine(tmp_path: Path) -> None:
    data = abdomen()
    native = next(iter(data.predict_dataloader()))["native"][0]
    assert native.label is not None
    path = tmp_path / f"case{prediction_suffix(native.geometry)}"
    write_prediction(path, Prediction("case", native.label, native.geometry))
    written = nib.load(path)
    np.testing.assert_array_equal(np.asarray(written.dataobj), native.label)
    np.testing.assert_allclose(written.header.get_zooms(), (2, 2, 5))
    assert nib.aff2axcodes(written.affine) == ("R", "A", "S")


@pytest.mark.parametrize("counts", [[1, 2], [3, 0, 1]])
def test_wrong_counts_are_refused(counts: list[int]) -> None:
    with pytest.raises(ConfigError, match="counts"):
        chest(counts=counts)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="shape"):
        abdomen(shape=[48, 48])
    with pytest.raises(ConfigError, match="pixels"):
        chest(pixels=8)


def test_a_share_of_train_does_not_change_val_and_test() -> None:
    whole, part = chest().split, chest(train_share=0.2).split
    assert part.train == whole.train[:3]  # 2.4 of 12 cases, rounded up
    assert (part.val, part.test) == (whole.val, whole.test)
    assert part.hash != whole.hash
    with pytest.raises(ConfigError, match="train_share 0"):
        chest(train_share=0.0)
