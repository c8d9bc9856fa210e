"""`zoo export`: files that ONNX Runtime and PyTorch run without the zoo, and mistakes that leave nothing behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from tokenizers import Tokenizer

import zoo
from tests.helpers.data_sets import write_nifti, write_png
from tests.zoo.export.conftest import MakeRun
from zoo import make_facts
from zoo.cli.main import main
from zoo.export import exporting
from zoo.models import FiLM, TextQuery, UNet
from zoo.preprocessing import PreprocessingSpec

SMALL: Any = {"vision": "unet", "width": 4, "stages": 2}
PICTURES = {**make_facts(["lesion"], patch=[32, 32]), "track": "report"}
VOLUMES = make_facts(["liver", "spleen"], patch=[16, 16, 16])
WINDOW = PreprocessingSpec(window=(0.0, 255.0))


def export(run: Path, format_name: str, *words: object) -> tuple[int, Path]:
    out = run.parent / "out"
    return main(["export", "--run", str(run), "--format", format_name, "--out", str(out), *map(str, words)]), out


def picture(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    return write_png(folder / "chest.png", rng.integers(0, 255, (40, 40)).astype(np.uint8))


def described(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "export.json").read_text())
    return found


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_onnx_files_of_a_report_model_answer_any_text_without_the_zoo(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(FiLM(PICTURES, encoder="tiny", **SMALL), PreprocessingSpec(window=(0.0, 255.0), size=(32, 32)))
    image = picture(run.parent)
    code, out = export(run, "onnx", "--image", image, "--text", "Left lung.")
    assert code == 0
    assert "chest.png: logits within" in capsys.readouterr().out
    about = described(out)
    assert about["preprocessing"][""] == {"window": [0.0, 255.0], "crop_above": None, "spacing": None, "size": [32, 32]}
    assert about["inputs"]["image"][0] == {"name": "batch", "least": 1, "multiple_of": 1}
    network, encoder = session(out / "model.onnx"), session(out / "text_encoder.onnx")
    assert [one.name for one in network.get_inputs()] == ["image", "text_pooled"]
    assert network.get_inputs()[0].shape == ["batch", 1, "height", "width"]
    kept = json.loads(network.get_modelmeta().custom_metadata_map["zoo"])
    assert kept["parity"] == about["parity"]
    assert kept["parity"]["largest_difference"] <= 1e-4
    tokeniser = Tokenizer.from_file(str(out / about["text"]["tokeniser"]))
    segmenter = zoo.load(run)
    for report in ("Left lung.", "Two infected areas in the lower right lung, and one in the upper left lung."):
        ids = np.array([tokeniser.encode(report).ids])
        (pooled,) = encoder.run(None, {"ids": ids, "mask": np.ones_like(ids, dtype=bool)})
        found = segmenter(image, report)
        (logits,) = network.run(None, {"image": found.image[None], "text_pooled": pooled[None]})
        np.testing.assert_allclose(logits[0], found.logits.numpy(), atol=1e-4)


def test_exported_program_takes_the_sentences_of_the_classes_from_a_table(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(TextQuery({**VOLUMES, "patch": [32, 16, 16]}, encoder="tiny", **SMALL), WINDOW)
    image = tmp_path / "ct.nii.gz"
    write_nifti(image, np.random.default_rng(0).integers(0, 255, (36, 20, 20)).astype(np.float32), np.eye(4))
    code, out = export(run, "torch_export", "--image", image, "--class-text", "liver=The large organ on the right.")
    assert code == 0
    about = described(out)
    assert about["text"]["strings"] == ["The large organ on the right.", "Spleen."]
    extra = {"zoo.json": ""}
    module = torch.export.load(out / "model.pt2", extra_files=extra).module()
    assert json.loads(extra["zoo.json"])["parity"] == about["parity"]
    table = {name: torch.from_numpy(part) for name, part in load_file(out / "text.safetensors").items()}
    found = zoo.load(run)(image, {"liver": "The large organ on the right."})
    whole = torch.from_numpy(np.ascontiguousarray(found.image[None, :, :32, :16, :16]))
    logits = module(whole, *(table[name] for name in about["text"]["inputs"]))
    model = zoo.load_run(run)
    with torch.no_grad():
        torch.testing.assert_close(logits, model(whole, found.text), atol=1e-4, rtol=0)
    assert module(whole.repeat(3, 1, 1, 1, 1), *table.values()).shape[0] == 3


def test_weights_build_the_model_again(make_run: MakeRun) -> None:
    run = make_run(UNet(PICTURES, **SMALL), WINDOW)
    code, out = export(run, "safetensors", "--image", picture(run.parent))
    assert code == 0
    with safe_open(out / "model.safetensors", "pt") as opened:
        about = json.loads(opened.metadata()["zoo"])
    assert about["parity"]["largest_difference"] == 0
    image = picture(run.parent)
    np.testing.assert_array_equal(zoo.load(out / "model.safetensors")(image).logits, zoo.load(run)(image).logits)
    assert [file.name for file in sorted(out.iterdir())] == ["export.json", "model.safetensors"]


def test_a_mistake_is_one_line_and_leaves_nothing(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(UNet(PICTURES, **SMALL), WINDOW)
    image = picture(run.parent)
    before = {*run.parent.rglob("*")}

    def refused(message: str, *words: object) -> None:
        assert export(run, "safetensors", *words)[0] == 2
        told = capsys.readouterr().err
        assert message in told
        assert told.count("\n") == 1
        assert {*run.parent.rglob("*")} == before

    refused("a text without an image. Add --image FILE.", "--text", "Left.")
    refused("a case of its data is not at hand")
    refused("reads no text", "--image", image, "--text", "Left.")
    with monkeypatch.context() as changed:  # a file with other weights
        changed.setattr(exporting, "read_model", lambda _: (UNet(PICTURES, **SMALL).eval(), None, ""))
        refused("chest.png: the logits of the exported file differ by", "--image", image)
    (run.parent / "out").mkdir()
    (run.parent / "out" / "mine.txt").write_text("mine")
    before = {*run.parent.rglob("*")}
    refused("out: it exists already. Name another --out.", "--image", image)
    assert (run.parent / "out" / "mine.txt").read_text() == "mine"


def test_a_missing_package_is_named_with_its_extra(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(UNet(PICTURES, **SMALL), WINDOW)
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    assert export(run, "onnx", "--image", picture(run.parent))[0] == 2
    told = capsys.readouterr().err
    assert "onnxscript" in told
    assert "[export]'" in told
    assert not (run.parent / "out").exists()
