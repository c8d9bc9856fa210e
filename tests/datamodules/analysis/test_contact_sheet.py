"""The contact sheet: outlines, orientation, and a file that is complete or absent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from datamodules.analysis import contact_sheet as show
from datamodules.analysis.contact_sheet import TILE, write_contact_sheet
from datamodules.build import build_datamodule
from datamodules.cli import main
from tests.helpers.image_sets import make_medclipseg, make_own_volumes
from zoo.errors import RunError
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Geometry
from zoo.visualization.outline import COLOURS


def count_pixels(picture: Image.Image, colour: str) -> int:
    return int((np.asarray(picture.convert("RGB")) == ImageColor.getrgb(colour)).all(axis=2).sum())


def test_a_sheet_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "sheet.png"
    root = str(make_medclipseg(tmp_path))
    assert main(["show", "kvasir", "--root", root, "--out", str(out), "--cases", "5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["sheet"] == str(out)
    assert len(facts["cases"]) == 5
    with Image.open(out) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 4 * TILE
        assert sheet.height > 2 * TILE
        assert count_pixels(sheet, COLOURS[0]) > 5 * 100
    assert list(out.parent.iterdir()) == [out]


def test_a_sheet_of_volumes_and_of_generated_cases(tmp_path: Path) -> None:
    data = build_datamodule("nifti_folder", "tiny", root=str(make_own_volumes(tmp_path)))
    shown = write_contact_sheet(data, tmp_path / "a.png", 100)
    assert sorted(shown) == sorted(str(key) for key in data.cases)
    with Image.open(tmp_path / "a.png") as sheet:
        assert all(count_pixels(sheet, colour) > 100 for colour in COLOURS[:2])
    write_contact_sheet(build_datamodule("phantom_chest", "tiny", counts=[2, 1, 1]), tmp_path / "b.png", 2)
    assert (tmp_path / "b.png").is_file()


def test_a_volume_is_shown_in_radiological_orientation(tmp_path: Path) -> None:
    """The patient's right is on the left of the picture, the front at the top, voxels in their true shape."""
    data = build_datamodule("nifti_folder", "tiny", root=str(make_own_volumes(tmp_path)))
    image = np.zeros((1, 20, 10, 6), np.float32)
    image[0, 12:, 6:, 3] = 1.0  # right and front in RAS order
    label = np.zeros((1, 20, 10, 6), np.uint8)
    label[0, 15, 8, 3] = 1
    geometry = Geometry(None, (20, 10, 6), ((0, 20), (0, 10), (0, 6)), (1.0, 1.0, 5.0), "mm")
    picture, present = show._picture(data, PreparedCase(image, label, geometry))
    assert picture.size == (TILE, TILE // 2)
    gray = np.asarray(picture.convert("L")).astype(float)
    assert gray[: TILE // 5, : TILE // 3].mean() > 150
    assert gray[TILE // 4 :, TILE // 2 :].mean() < 50
    assert present == ["left_kidney"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = build_datamodule("phantom_chest", "tiny", counts=[1, 1, 1])
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_contact_sheet(data, tmp_path / "file" / "sheet.png", 1)
    out = tmp_path / "sheet.png"
    out.write_text("an older file")

    def full(self: Image.Image, path: Path, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(RunError, match="No space left"):
        write_contact_sheet(data, out, 1)
    assert out.read_text() == "an older file"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "sheet.png"]


def test_any_text_can_be_drawn() -> None:
    tile = show._tile(Image.new("RGB", (10, 10)), "案例", "Läsion " * 30)
    assert tile.width == TILE
    assert show._tile(Image.new("RGB", (10, 10)), "a", "").height > TILE


@pytest.mark.realdata
def test_the_real_qata_has_its_published_cases(real_data: Path, tmp_path: Path) -> None:
    data = build_datamodule("qata_cov19", root=str(real_data / "QaTa-COV19-v2"))
    shown = write_contact_sheet(data, tmp_path / "sheet.png", 8)
    assert len(shown) == 8
