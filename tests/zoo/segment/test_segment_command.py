"""`zoo segment`: one mask per image; broken images, kills, other texts and files of the user."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest
from PIL import Image

import zoo
from datamodules import SegDataModule
from tests.helpers.data_sets import write_png
from tests.helpers.itk_files import write_mha, write_nrrd
from zoo.cli.main import main
from zoo.io import read_label
from zoo.segment.segmenter import Segmenter

Volumes = tuple[Path, dict[str, Any], list[Path]]
Reports = tuple[Path, dict[str, Any], SegDataModule]


def segment(*words: object) -> int:
    return main(["segment", *map(str, words), "--device", "cpu"])


def texts(folder: Path, *lines: str) -> Path:
    table = folder / "texts.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def test_a_folder_gets_a_mask_per_image_and_a_broken_one_stops_no_other(
    volumes: Volumes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _, files = volumes
    shutil.copytree(files[0].parent, tmp_path / "in")
    (tmp_path / "in" / "hippocampus_004.nii.gz").write_bytes(b"broken")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    assert (
        segment(tmp_path / "in", "--run", run, "--out", tmp_path / "out", "--csv", "--overlay", "--probabilities") == 2
    )
    told = capsys.readouterr()
    assert "9 of 10 images in" in told.out
    assert "to go" in told.out
    assert told.err.startswith("zoo: error: 1 of 10 images could not be read: ")
    assert "hippocampus_004.nii.gz: " in told.err
    assert told.err.count("\n") == 1
    found = zoo.load(run)(files[2])
    stored = nib.load(tmp_path / "out" / files[2].name)
    np.testing.assert_array_equal(np.asarray(stored.dataobj), found.mask)
    np.testing.assert_array_equal(stored.affine, nib.load(files[2]).affine)
    stem = files[2].name.removesuffix(".nii.gz")
    likely = nib.load(tmp_path / "out" / f"{stem}-probability-anterior.nii.gz")
    np.testing.assert_allclose(np.asarray(likely.dataobj), found.probabilities("anterior"), atol=1e-6)
    assert Image.open(tmp_path / "out" / f"{stem}-overlay.png").size[0] > 100
    rows = list(csv.DictReader((tmp_path / "out" / "volumes.csv").open(newline="")))
    assert len(rows) == 18
    mine = {row["class"]: row for row in rows if row["image"].endswith(files[2].name)}
    for name, voxels in found.voxels().items():
        assert (int(mine[name]["voxels"]), mine[name]["unit"]) == (voxels, "ml")
        box = found.box(name)  # None where so short a training predicts nothing
        assert mine[name]["box"] == ("" if box is None else " ".join(f"{start}:{stop}" for start, stop in box))


def test_files_of_slicer_and_itk_get_masks_in_their_own_grid_and_format(volumes: Volumes, tmp_path: Path) -> None:
    run, _, files = volumes
    expected, segmenter = {}, zoo.load(run)
    (tmp_path / "in").mkdir()
    for file in files[:4]:  # four grids: plain, flipped and anisotropic, oblique with other axes, oblique and flipped
        image, stem = nib.load(file), file.name.removesuffix(".nii.gz")
        array = np.asarray(image.dataobj, np.float32)
        write_nrrd(tmp_path / "in" / f"{stem}.nrrd", array, image.affine, "left-posterior-superior")
        write_mha(tmp_path / "in" / f"{stem}m.mha", array, image.affine)
        write_mha(tmp_path / "in" / f"{stem}d.mhd", array, image.affine)
        expected[stem] = (segmenter(file).mask, image.affine)
    assert segment(tmp_path / "in", "--run", run, "--out", tmp_path / "out") == 0
    masks = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "segmented.jsonl")
    assert masks == sorted(f"{stem}{end}" for stem in expected for end in (".nrrd", "m.mha", "d.mha"))
    for stem, (mask, affine) in expected.items():
        stored, header = nrrd.read(str(tmp_path / "out" / f"{stem}.nrrd"))
        np.testing.assert_array_equal(stored, mask)
        lps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3]
        np.testing.assert_allclose(np.array(header["space directions"]).T, lps[:, :3], atol=1e-6)
        np.testing.assert_allclose(header["space origin"], lps[:, 3], atol=1e-6)
        for name in (f"{stem}m.mha", f"{stem}d.mha"):
            content = (tmp_path / "out" / name).read_bytes()
            assert content.startswith(b"ObjectType = Image\nNDims = 3\n")
            np.testing.assert_array_equal(
                read_label(tmp_path / "out" / name)[0], read_label_like(mask, affine, tmp_path)
            )


def read_label_like(mask: Any, affine: Any, folder: Path) -> Any:
    """Return a mask as a NIfTI file of nibabel gives it."""
    nib.save(nib.Nifti1Image(mask, affine), folder / "due.nii.gz")
    return read_label(folder / "due.nii.gz")[0]


def test_mirroring_has_two_spellings(reports: Reports, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = (
        write_png(tmp_path / "a.png", np.eye(40, dtype=np.uint8)),
        "--run",
        reports[0],
        "--text",
        "Left.",
        "--out",
    )
    assert segment(*command, tmp_path / "out", "--mirror") == 0
    assert segment(*command, tmp_path / "out", "--tta", "mirror") == 0
    assert "1 of 1 images are done already" in capsys.readouterr().out


def test_a_command_that_was_killed_goes_on_and_repeats_nothing(
    volumes: Volumes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _, files = volumes
    command = ("--run", run, "--out", tmp_path / "out")
    seen: list[Any] = []
    whole = Segmenter.__call__

    def killed(self: Segmenter, image: Any, text: Any = None, **options: Any) -> Any:
        seen.append(image)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return whole(self, image, text, **options)

    monkeypatch.setattr(Segmenter, "__call__", killed)
    assert segment(*files[:4], *command) == 130
    record = tmp_path / "out" / "segmented.jsonl"
    assert len(record.read_text().splitlines()) == 2
    record.write_text(record.read_text() + '{"name": "hippoc')  # a power cut may cut a line
    assert segment(*files[:4], *command) == 0
    assert seen[3:] == files[2:4]
    assert "2 of 4 images are done already" in capsys.readouterr().out
    (tmp_path / "out" / files[0].name).unlink()
    assert segment(*files[:5], *command) == 0  # a further image, and a mask that was removed
    assert seen[5:] == [files[0], files[4]]
    names = [json.loads(line)["name"] for line in record.read_text().splitlines()]
    assert {f"{name}.nii.gz" for name in names} == {file.name for file in files[:5]}


def test_each_picture_gets_its_text_from_a_table(reports: Reports, tmp_path: Path) -> None:
    run, _, data = reports
    cases = list(data.cases.values())[:2]
    lines = [f'{case.images[0].name},"{case.report}"' for case in cases]
    table = texts(tmp_path, "file,text", *lines)
    images = [case.images[0] for case in cases]
    assert segment(*images, "--run", run, "--text-csv", table, "--out", tmp_path / "out", "--csv") == 0
    segmenter = zoo.load(run)
    for case in cases:
        mask = np.asarray(Image.open(tmp_path / "out" / f"{case.images[0].stem}.png"))
        np.testing.assert_array_equal(mask, segmenter(case.images[0], case.report).mask * 255)
    rows = list(csv.DictReader((tmp_path / "out" / "volumes.csv").open(newline="")))
    assert [row["text"] for row in rows] == [case.report for case in cases]


def test_a_word_for_a_missing_value_is_an_empty_text_and_not_a_report(reports: Reports, tmp_path: Path) -> None:
    image = write_png(tmp_path / "in" / "a.png", np.zeros((40, 40), np.uint8))
    table = texts(tmp_path, "file,text", "a.png,nan")
    assert segment(image, "--run", reports[0], "--text-csv", table, "--out", tmp_path / "out") == 0
    line = json.loads((tmp_path / "out" / "segmented.jsonl").read_text())
    assert (line["asked"], len(line["warnings"])) == ("", 1)


def test_nothing_of_the_user_and_of_another_command_is_replaced(
    reports: Reports, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = write_png(tmp_path / "in" / "a.png", np.zeros((40, 40), np.uint8))
    out = tmp_path / "out"
    command = (image, "--run", reports[0], "--out", out)
    write_png(out / "a.png", np.ones((2, 2), np.uint8))
    assert segment(*command, "--text", "Left.") == 2
    assert "a.png: the file exists already. Name another --out." in capsys.readouterr().err
    assert np.asarray(Image.open(out / "a.png")).shape == (2, 2)
    (out / "a.png").unlink()
    assert segment(*command, "--text", "Left.") == 0
    before = (out / "a.png").read_bytes()
    for words, message in [
        (("--text", "Right."), "the mask of another text is there already"),
        (("--text", "Left.", "--overlay"), "masks of another run or other options"),
    ]:
        assert segment(*command, *words) == 2
        assert message in capsys.readouterr().err
        assert (out / "a.png").read_bytes() == before
    write_png(image, np.full((40, 40), 9, np.uint8))
    assert segment(*command, "--text", "Left.") == 0  # the image has changed
    assert "done already" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.png", "--run", "RUN"], "none.png: no such file or folder"),
        (["in", "--run", "RUN"], "in: no image in it"),
        (["a.png", "b/a.nii.gz", "--run", "RUN"], "a.png, b/a.nii.gz would have one name"),
        (["a.png"], "no model. Give --run DIR"),
        (["a.png", "--run", "RUN", "--text", "x", "--text-csv", "t.csv"], "--text and --text-csv exclude each other"),
        (["a.png", "--run", "RUN", "--text-csv", "t.csv"], "t.csv: no row for a.png"),
        (["a.png", "--run", "RUN", "--text-csv", "wide.csv"], "wide.csv: row 2 has 3 cells, the header has 2"),
        (["a.png", "--run", "RUN", "--text-csv", "open.csv"], "open.csv: not a readable table (row 2: "),
        (["a.png", "--run", "RUN", "--text-csv", "twice.csv"], "twice.csv, row 3: a second row for 'a.png'"),
        (["a.png", "--run", "RUN", "--text-csv", "head.csv"], "head.csv: the header is image, caption"),
        (["a.png", "--run", "RUN"], "trained with a report per image"),
        (["a.png", "--run", "RUN", "--class-text", "lesion"], "'lesion' is not of the form CLASS=SENTENCE"),
        (["a.png", "--run", "none", "--text", "x"], "none: no run is here"),
        (["a.png", "--run", "RUN", "--text", "x", "--kind", "ct"], "kind 'ct' is no kind of image"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    words: list[str], message: str, reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for path in ("a.png", "b/a.nii.gz"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        write_png(tmp_path / "a.png", np.zeros((40, 40), np.uint8))
        (tmp_path / "b" / "a.nii.gz").write_bytes(b"") if path != "a.png" else None
    for name, content in [
        ("t", "file,text\nb.png,Left."),
        ("wide", "file,text\na.png,Left, upper."),
        ("open", 'file,text\na.png,"Left, upper.\nb.png,Right.'),
        ("twice", "file,text\na.png,Left.\na.png,Right."),
        ("head", "image,caption\na.png,Left."),
    ]:
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
    run = str(reports[0])
    code = main(["segment", *(run if word == "RUN" else word for word in words), "--out", "out", "--device", "cpu"])
    told = capsys.readouterr().err
    assert (code, told.count("\n")) == (2, 1)
    assert message in told
    assert not (tmp_path / "out").exists()
