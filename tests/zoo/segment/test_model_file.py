"""A trained model in one file gives the masks of its run, and a file may not name foreign code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import zoo
from tests.zoo.segment.test_segmenter import of_classes
from zoo.errors import CheckpointError, ConfigError, ZooError
from zoo.segment.model_file import METADATA
from zoo.segment.segmenter import Segmenter

Reports = tuple[Path, dict[str, Any], Any]


def rewrite(file: Path, out: Path, **changes: Any) -> Path:
    """Write a model file with other content in its metadata."""
    with safe_open(file, "pt") as opened:
        content = json.loads(opened.metadata()[METADATA])
    save_file(load_file(file), out, {METADATA: json.dumps({**content, **changes})})
    return out


@pytest.fixture(scope="module")
def saved(reports: Reports, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on pictures with reports as one file, far from the run."""
    return zoo.load(reports[0]).save(tmp_path_factory.mktemp("saved") / "model.safetensors")


def test_a_saved_model_gives_the_masks_of_its_run(reports: Reports, saved: Path) -> None:
    run, _, data = reports
    whole, single = zoo.load(run), zoo.load(saved)
    assert single.images == whole.images
    assert single.model.facts == whole.model.facts
    case = next(iter(data.cases.values()))
    expected, found = whole(case.images[0], case.report), single(case.images[0], case.report)
    assert torch.equal(found.logits, expected.logits)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.track == expected.track


def test_a_checkpoint_is_loaded_in_its_run_folder_and_a_foreign_one_by_what_it_says(
    reports: Reports, tmp_path: Path
) -> None:
    run = reports[0]
    file = run / "checkpoints" / "last.ckpt"
    assert zoo.load(file).weights == zoo.load(run).weights
    alone = shutil.copy(file, tmp_path / "alone.ckpt")
    with pytest.raises(CheckpointError, match="does not say which model it is"):  # a trainer in Python wrote it
        zoo.load(alone)
    content = torch.load(file, weights_only=True)
    parsed = {"_class_path": "zoo.models.FiLM", "_instantiator": "lightning.pytorch.cli.instantiate_module"}
    torch.save({**content, "hyper_parameters": {**content["hyper_parameters"], **parsed}}, alone)
    image = np.ones((40, 40))
    assert torch.equal(zoo.load(alone)(image, "Left.").logits, zoo.load(run)(image, "Left.").logits)
    for change, message in [
        ({"_class_path": "os.path.join"}, r"names the class os\.path\.join, which is no model"),
        ({"_instantiator": "os.system"}, "does not say which model it is"),
    ]:
        torch.save({**content, "hyper_parameters": {**content["hyper_parameters"], **parsed, **change}}, alone)
        with pytest.raises(CheckpointError, match=message):
            zoo.load(alone)
    with pytest.raises(ConfigError, match="a file has one model"):
        zoo.load(file, checkpoint=file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"class_path": "subprocess.Popen"},
            r"names the class subprocess\.Popen, which is no model of `zoo list models`",
        ),
        ({"class_path": "zoo.models.base.os"}, "which is no model"),
        ({"class_path": "zoo.models.Nothing"}, "cannot be imported"),
        ({"arguments": {"facts": {}, "vision": {"class_path": "os.system"}}}, "names a class, which no file may do"),
        ({"arguments": {"facts": {}, "vision": "${oc.env:HOME}"}}, "reads the environment"),
        ({"format": 2}, r"a model file of another version \(2, of zoo"),
    ],
)
def test_a_file_with_foreign_content_is_refused(
    changes: dict[str, Any], message: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(ZooError, match=message) as caught:
        zoo.load(rewrite(saved, tmp_path / "m.safetensors", **changes))
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_alone_or_a_damaged_one_is_one_line(saved: Path, tmp_path: Path) -> None:
    bare, cut, bad = (tmp_path / f"{name}.safetensors" for name in ("bare", "cut", "bad"))
    save_file(load_file(saved), bare)
    cut.write_bytes(saved.read_bytes()[:-10])
    tensors = load_file(saved)
    first = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[first] = torch.full_like(tensors[first], float("nan"))
    with safe_open(saved, "pt") as opened:
        save_file(tensors, bad, opened.metadata())
    for file, message in [(bare, "weights alone"), (cut, "cannot be read"), (bad, "not finite")]:
        with pytest.raises(CheckpointError, match=message) as caught:
            zoo.load(file)
        assert "\n" not in str(caught.value)


def test_only_one_model_is_saved_in_a_file_of_its_format(tmp_path: Path) -> None:
    first, second = of_classes(), of_classes()
    with pytest.raises(ConfigError, match="2 models"):
        Segmenter(first.model, first.images, others=[second.model]).save(tmp_path / "m.safetensors")
    with pytest.raises(ConfigError, match=r"its suffix is not \.safetensors"):
        first.save(tmp_path / "m.pt")
    assert not any(tmp_path.iterdir())
