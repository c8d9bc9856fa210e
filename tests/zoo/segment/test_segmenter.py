"""`zoo.load`: a trained model on new images gives the masks of `zoo predict`, without the data of its training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

import zoo
from datamodules import SegDataModule, build_datamodule
from tests.helpers.data_sets import make_hippocampus, write_nifti, write_png
from tests.helpers.volume_sets import make_brats, make_chaos
from tests.zoo.segment.conftest import SMALL
from zoo.errors import CheckpointError, ConfigError, DataError, TextError
from zoo.io.image import write_prediction
from zoo.models import SegModule, TextQuery, UNet
from zoo.preprocessing import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.segment.result import keep_classes
from zoo.types import ClassPrompt, LabelSpace


def test_volumes_in_any_grid_get_the_masks_of_predict(
    volumes: tuple[Path, dict[str, Any], list[Path]], tmp_path: Path
) -> None:
    run, predictions, files = volumes
    segmenter = zoo.load(run)
    seen = [file for file in files if file.name.removesuffix(".nii.gz") in predictions]
    assert len(seen) >= 2
    for file in seen:
        prediction = predictions[file.name.removesuffix(".nii.gz")]
        found = segmenter(file)
        assert found.prediction.mask.any()
        np.testing.assert_array_equal(found.prediction.mask, prediction.mask)
        (written,) = found.save(tmp_path / "mask.nii.gz")
        (expected,) = write_prediction(tmp_path / "due.nii.gz", prediction._replace(geometry=found.geometry))
        assert written.read_bytes()[10:] == expected.read_bytes()[10:]  # gzip stores the name and the time before
        stored = nib.load(written)
        np.testing.assert_array_equal(np.asarray(stored.dataobj), found.mask)
        np.testing.assert_array_equal(stored.affine, nib.load(file).affine)


def test_the_network_gets_the_arrays_of_the_training_bit_for_bit(tmp_path: Path) -> None:
    task = make_hippocampus(tmp_path, n=10)
    data = build_datamodule("hippocampus", "tiny", root=str(task), patch=[16, 16, 16])
    segmenter = zoo.Segmenter(UNet(data.facts, **SMALL).eval(), data.training_input)
    for case in list(data.cases.values())[:2]:
        prepared = segmenter.prepare(case.images[0])
        np.testing.assert_array_equal(prepared.image, data.load(case).image)
        assert prepared.geometry == data.load(case).geometry


def test_sizes_and_probabilities_are_those_of_the_mask(volumes: tuple[Path, dict[str, Any], list[Path]]) -> None:
    run, _, files = volumes
    found = zoo.load(run)(files[2])
    voxel = float(np.prod(nib.load(files[2]).header.get_zooms()))
    for number, name in enumerate(("anterior", "posterior"), 1):
        assert found.voxels()[name] == np.count_nonzero(found.mask == number)
        assert found.volumes()[name] == pytest.approx(found.voxels()[name] * voxel / 1000, rel=1e-4)
    both = np.stack([found.probabilities("anterior"), found.probabilities("posterior")])
    assert both.shape[1:] == found.mask.shape
    stacked = np.concatenate([1 - both.sum(axis=0, keepdims=True), both])
    agrees = stacked.argmax(axis=0) == found.mask
    assert agrees.mean() > 0.999  # rounding may decide between two equal classes
    with pytest.raises(ValueError, match="'liver' is not one of the classes anterior, posterior"):
        found.probabilities("liver")


def test_a_picture_with_its_report_gets_the_mask_of_predict(
    reports: tuple[Path, dict[str, Any], SegDataModule],
) -> None:
    run, predictions, data = reports
    segmenter = zoo.load(str(run))
    assert segmenter.reads_text
    for case_id, prediction in predictions.items():
        case = data.index.case(case_id)
        found = segmenter(str(case.images[0]), case.report)
        np.testing.assert_array_equal(found.mask, prediction.mask[0])
        assert (found.text.reports, found.track, found.warnings) == ((case.report,), "mask-derived", ())


def test_the_text_of_a_report_must_be_written_out(reports: tuple[Path, dict[str, Any], SegDataModule]) -> None:
    segmenter = zoo.load(reports[0])
    image = np.zeros((40, 40))
    with pytest.raises(TextError, match=r'trained with a report per image\. Give a report, or "" for none'):
        segmenter(image)
    with pytest.raises(TextError, match="trained with a report"):
        segmenter(image, {"lesion": "Left."})
    found = segmenter(image, "")
    assert found.text.reports == ("",)
    assert found.warnings == ("The text is empty: the model was trained with a text for each image.",)


def of_classes(
    model: Callable[..., SegModule] = TextQuery, names: tuple[str, ...] = ("liver", "spleen")
) -> zoo.Segmenter:
    facts = {**zoo.make_facts(names, patch=[16, 16]), "flips": [0, 1]}
    options = {} if model is UNet else {"encoder": "tiny"}
    return zoo.Segmenter(model(facts, **options, **SMALL).eval(), TrainingInput({"": PreprocessingSpec()}, "px"))


def test_prompts_of_classes_are_replaced_one_by_one() -> None:
    segmenter, image = of_classes(), np.random.default_rng(0).random((16, 16))
    assert segmenter(image).text.classes == segmenter.model.facts.prompts
    found = segmenter(image, {"spleen": "The organ on the left."})
    assert [prompt.sentence for prompt in found.text.classes] == ["Liver.", "The organ on the left."]
    assert not torch.equal(found.logits, segmenter(image).logits)
    assert segmenter(image, {"liver": " "}).warnings == ("The text of the class 'liver' is empty.",)
    with pytest.raises(TextError, match=r"'kidney' is no class of this model. Its classes are liver, spleen"):
        segmenter(image, {"kidney": "A kidney."})
    with pytest.raises(TextError, match=r"with a text per class. Map classes to texts: liver, spleen"):
        segmenter(image, "The liver.")
    assert of_classes(names=("liver",))(image, "An organ.").text.classes[0].sentence == "An organ."


def test_a_model_of_queries_needs_a_text_for_each_image() -> None:
    segmenter = of_classes(names=("target",))
    facts = {**segmenter.model.facts.to_dict(), "queries": True}
    asked = zoo.Segmenter(TextQuery(facts, encoder="tiny", **SMALL).eval(), segmenter.images)
    assert (asked.track, asked.reads_reports, segmenter.reads_reports) == ("class", True, False)
    with pytest.raises(TextError, match="trained with a report per image"):
        asked(np.zeros((16, 16)))
    assert asked(np.zeros((16, 16)), "The liver.").text.reports == ("The liver.",)


def test_a_class_left_out_of_the_request_is_background_and_changes_no_other() -> None:
    segmenter, image = of_classes(), np.random.default_rng(0).random((16, 16))
    whole = segmenter(image, {"spleen": "Lien."})
    some = segmenter(image, {"spleen": "Lien."}, classes=["spleen"])
    assert len(np.unique(whole.mask)) > 1
    np.testing.assert_array_equal(some.mask, np.where(whole.mask == 2, 2, 0))
    assert some.voxels() == {"spleen": whole.voxels()["spleen"]}
    assert list(some.volumes()) == ["spleen"]
    with pytest.raises(TextError, match=r"'kidney' is no class of this model. Its classes are liver, spleen"):
        segmenter(image, classes=["kidney"])
    with pytest.raises(TextError, match="A text for the class 'liver', which is not asked for"):
        segmenter(image, {"liver": "Hepar."}, classes=["spleen"])


def test_overlapping_classes_that_are_left_out_are_empty() -> None:
    labels = LabelSpace(("node", "duct"), ((1,), (2,)), exclusive=False)
    kept = keep_classes(np.ones((2, 3, 3), np.uint8), labels, ["duct"])
    assert kept.sum(axis=(1, 2)).tolist() == [0, 9]


def test_a_sentence_replaces_all_texts_of_a_prompt() -> None:
    segmenter = of_classes()
    prompt = ClassPrompt("liver", "The liver.", ("Large.", "Brown."))
    segmenter.model.facts = replace(segmenter.model.facts, prompts=(prompt, *segmenter.model.facts.prompts[1:]))
    found = segmenter(np.zeros((16, 16)), {"liver": "Hepar."})
    assert found.text.classes[0] == ClassPrompt("liver", "Hepar.", ("Hepar.", "Hepar."))


def test_a_model_without_text_takes_none() -> None:
    segmenter = of_classes(UNet)
    assert (segmenter.reads_text, segmenter.track) == (False, "none")
    with pytest.raises(TextError, match="reads no text"):
        segmenter(np.zeros((16, 16)), {"liver": "The liver."})


def test_threads_get_the_masks_of_one_thread() -> None:
    segmenter = of_classes()
    images = np.random.default_rng(1).random((8, 16, 16))
    expected = [segmenter(image).mask for image in images]
    with ThreadPoolExecutor(4) as threads:
        for mask, one in zip(expected, threads.map(segmenter, images), strict=True):
            np.testing.assert_array_equal(mask, one.mask)


def test_images_of_another_kind_are_refused(tmp_path: Path) -> None:
    segmenter = of_classes(UNet)
    picture = write_png(tmp_path / "a.png", np.zeros((16, 16), np.uint8))
    volume = write_nifti(tmp_path / "a.nii.gz", np.zeros((4, 4, 4), np.float32))
    assert segmenter(picture).mask.shape == (16, 16)
    refused: list[tuple[Any, str]] = [
        (volume, r"a\.nii\.gz: 3D with 1 channel, but the model was trained on 2D images with 1 channel"),
        (np.zeros((3, 16, 16)), "array: 2D with 3 channels"),
        (np.full((16, 16), np.nan), "array: a value is not finite"),
        ([], "An empty list"),
        ([picture, picture], "2D with 2 channels"),
        (tmp_path / "none.png", r"none\.png: no such file"),
        (tmp_path, "a folder without DICOM files"),
        (tmp_path / "a.txt", r"a\.txt: no image format of the zoo"),
    ]
    for image, message in refused:
        with pytest.raises(DataError, match=message):
            segmenter(image)
    with pytest.raises(DataError, match="does not fit 2 axes"):
        segmenter(np.zeros((16, 16)), spacing=(1.0, 0.0))
    with pytest.raises(DataError, match="a file has its own spacing"):
        segmenter(picture, spacing=(1.0, 1.0))
    with pytest.raises(ConfigError, match="kind 'ct' is no kind of image"):
        segmenter(picture, kind="ct")


def test_a_set_of_two_modalities_has_the_preprocessing_of_each() -> None:
    found = build_datamodule("amos22", "tiny").training_input
    assert found.preprocessing.keys() == {"ct", "mr"}
    assert found.preprocessing["mr"].window is None
    assert TrainingInput.from_dict(found.to_dict()) == found
    assert build_datamodule("amos22", "tiny", modality="mr").training_input.preprocessing.keys() == {""}


def test_a_checkpoint_of_an_earlier_version_is_refused(
    reports: tuple[Path, dict[str, Any], SegDataModule], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(reports[0], run)
    file = run / "checkpoints" / "last.ckpt"
    content = torch.load(file, weights_only=True)
    del content["zoo_input"]
    torch.save(content, file)
    with pytest.raises(CheckpointError, match=r"last\.ckpt: it does not say how the images .* Train again"):
        zoo.load(run)


def test_probabilities_of_several_models_and_of_mirrored_images_are_averaged() -> None:
    for names in (("liver", "spleen"), ("lesion",)):
        first, second = of_classes(names=names), of_classes(names=names)
        images = first.images
        image = np.random.default_rng(2).random((16, 16))
        both = zoo.Segmenter(first.model, images, others=[second.model])(image)
        alone = [first(image), second(image)]
        views = [alone[0]]
        for axes in ((0,), (1,), (0, 1)):
            view = first(np.ascontiguousarray(np.flip(image, axes)))
            views.append(replace(view, logits=view.logits.flip([axis + 1 for axis in axes])))
        mirrored = zoo.Segmenter(first.model, images, mirror=True)(image)
        for name in names:
            for found, parts in ((both, alone), (mirrored, views)):
                mean = np.mean([part.probabilities(name) for part in parts], axis=0)
                np.testing.assert_allclose(found.probabilities(name), mean, atol=1e-5)


def test_left_and_right_of_a_report_follow_the_mirrored_image(
    reports: tuple[Path, dict[str, Any], SegDataModule],
) -> None:
    model = zoo.load(reports[0]).model
    model.facts = replace(model.facts, flips=(0, 1))
    read: list[str] = []
    predict = model.predict_logits

    def watch(batch: Any) -> torch.Tensor:
        read.extend(batch["reports"])
        return predict(batch)

    model.predict_logits = watch  # type: ignore[method-assign]
    zoo.Segmenter(model, TrainingInput({"": PreprocessingSpec(size=(32, 32))}, "px"), mirror=True)(
        np.zeros((40, 40)), "upper left lung"
    )
    assert read == ["upper left lung", "upper left lung", "upper right lung", "upper right lung"]


def test_runs_of_another_training_are_not_averaged(
    volumes: tuple[Path, dict[str, Any], list[Path]], reports: tuple[Path, dict[str, Any], SegDataModule]
) -> None:
    found = zoo.load([volumes[0], volumes[0]])(volumes[2][0])
    np.testing.assert_array_equal(found.mask, zoo.load(volumes[0])(volumes[2][0]).mask)
    with pytest.raises(ConfigError, match=r"`labels` is not as in .* Average runs of one model and data set only"):
        zoo.load([volumes[0], reports[0]])
    with pytest.raises(ConfigError, match="2 runs and a checkpoint do not fit"):
        zoo.load([volumes[0], volumes[0]], checkpoint=volumes[0] / "checkpoints" / "last.ckpt")


def test_a_dicom_series_and_several_channels_get_the_arrays_of_their_data_sets(tmp_path: Path) -> None:
    for name, root in (("chaos", make_chaos(tmp_path / "c")), ("brats", make_brats(tmp_path / "b"))):
        data = build_datamodule(name, "tiny", root=str(root), patch=[16, 16, 16])
        segmenter = zoo.Segmenter(UNet(data.facts, **SMALL).eval(), data.training_input)
        case = next(iter(data.cases.values()))
        image = case.images[0].parent if name == "chaos" else list(case.images)
        np.testing.assert_array_equal(segmenter.prepare(image).image, data.load(case).image)
        assert segmenter(image).mask.shape[-3:] == data.load(case).geometry.shape
