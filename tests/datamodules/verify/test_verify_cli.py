"""`zoo data verify`: the table, the JSON output, and `--fix header`, which only writes corrected copies."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.cli import main
from tests.helpers.data_sets import make_hippocampus, write_nifti
from tests.helpers.volume_sets import make_brats
from zoo.errors import DataError

LABEL = "labelsTr/hippocampus_002.nii.gz"


def state(folder: Path) -> dict[str, str]:
    return {str(p): sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def misplace(path: Path, affine: np.ndarray | None = None) -> None:
    """Give a label another affine; its voxels stay the same."""
    image = nib.load(path)
    moved = nib.Nifti1Image(np.asarray(image.dataobj), np.diag([1.0, 1.0, 2.0, 1.0]) if affine is None else affine)
    moved.header["descrip"] = b"kept"
    moved.header["xyzt_units"] = 0
    nib.save(moved, path)


@pytest.fixture
def misplaced(tmp_path: Path) -> Path:
    """A data set whose images have a realistic affine; one label has another affine."""
    root = make_hippocampus(tmp_path, 5)
    affine = np.array([[0.0, -1.5, 0.0, 10], [-1.0, 0.0, 0.0, 20], [0.0, 0.0, 2.0, -30], [0, 0, 0, 1]])
    for path in (*root.glob("imagesTr/h*"), *root.glob("labelsTr/h*")):
        image = nib.Nifti1Image(np.asarray(nib.load(path).dataobj), affine)
        image.header.set_xyzt_units("mm")
        image.set_qform(affine, code=1)
        nib.save(image, path)
    misplace(root / LABEL)
    return root


def test_the_table_and_the_json_list_the_same_findings(misplaced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (misplaced / "labelsTr" / "hippocampus_004.nii.gz").unlink()
    assert main(["verify", "hippocampus", "--root", str(misplaced)]) == 2
    table = capsys.readouterr().out
    assert "hippocampus (by_case): 2 findings; 5 cases, 9 files read" in table
    assert table.index("missing_file") < table.index("affine_mismatch")
    assert main(["verify", "hippocampus", "--root", str(misplaced), "--json", "--workers", "1"]) == 2
    facts = json.loads(capsys.readouterr().out)
    assert facts["kinds"] == {"missing_file": 1, "affine_mismatch": 1}
    assert (facts["data"], facts["protocol"], facts["cases"], facts["files"]) == ("hippocampus", "by_case", 5, 9)
    assert set(facts["findings"][0]) == {"case_id", "file", "kind", "problem", "fix"}
    assert all(finding["problem"] in table for finding in facts["findings"])


def test_a_header_is_corrected_in_a_copy(misplaced: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, out = state(misplaced), tmp_path / "out"
    command = ["verify", "hippocampus", "--root", str(misplaced), "--fix", "header", "--out", str(out)]
    assert main(command) == 2
    told = capsys.readouterr().out
    assert f"{out / LABEL}: written" in told
    assert f"{out / LABEL}: its axes had another direction" in told
    assert "cp -r" in told
    assert state(misplaced) == before
    written = state(out)
    assert list(written) == [str(out / LABEL)]

    new, old = nib.load(out / LABEL), nib.load(misplaced / LABEL)
    image = nib.load(misplaced / LABEL.replace("labelsTr", "imagesTr"))
    np.testing.assert_array_equal(new.affine, image.affine)
    np.testing.assert_array_equal(np.asarray(new.dataobj), np.asarray(old.dataobj))
    np.testing.assert_array_equal(new.get_qform(), image.get_qform())
    codes = ("qform_code", "sform_code")
    assert [int(new.header[code]) for code in codes] == [int(image.header[code]) for code in codes]
    assert new.header.get_zooms() == image.header.get_zooms()
    assert new.header.get_xyzt_units()[0] == "mm"
    assert new.header["descrip"] == old.header["descrip"]
    assert new.get_data_dtype() == old.get_data_dtype()
    contents = [gzip.decompress((folder / LABEL).read_bytes()) for folder in (out, misplaced)]
    assert contents[0][352:] == contents[1][352:]

    assert main(command) == 2  # again: the same file is kept
    assert state(out) == written
    (misplaced / LABEL).write_bytes((out / LABEL).read_bytes())  # the copy replaces the file
    assert main(["verify", "hippocampus", "--root", str(misplaced)]) == 0


def test_the_header_of_a_channel_is_corrected_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = make_brats(tmp_path), tmp_path / "out"
    channel = next(root.rglob("BraTS-GLI-00002-000-t2w.nii.gz"))
    affine = nib.load(channel).affine
    write_nifti(channel, np.asarray(nib.load(channel).dataobj), affine + np.diag([0.0, 0.0, 0.2, 0.0]))
    command = ["verify", "brats", "--root", str(root), "--fix", "header", "--out", str(out), "--json"]
    assert main(command) == 2
    facts = json.loads(capsys.readouterr().out)
    assert facts["written"] == [str(out / channel.relative_to(root))]
    assert (facts["turned"], facts["not_corrected"]) == ([], [])
    np.testing.assert_allclose(nib.load(facts["written"][0]).affine, affine)


def test_scaling_and_compression_are_kept(tmp_path: Path) -> None:
    """In an uncompressed file with a slope, the stored numbers and the slope are both copied."""
    root, out = make_hippocampus(tmp_path, 5), tmp_path / "out"
    packed = root / LABEL
    plain = packed.with_name("hippocampus_002.nii")
    content = bytearray(gzip.decompress(packed.read_bytes()))
    content[112:116] = np.float32(2.0).tobytes()  # scl_slope
    content[288:292] = np.float32(9.0).tobytes()  # srow_x[2]: no rotation any more
    plain.write_bytes(bytes(content))
    packed.unlink()
    listing = root / "dataset.json"
    listing.write_text(listing.read_text().replace(LABEL, LABEL.removesuffix(".gz")))
    data = build_datamodule("hippocampus", "tiny", root=str(root))
    data.card = replace(data.card, classes={"anterior": (2,), "posterior": (4,)})
    from datamodules.verify import verify
    from datamodules.verify.fix_header import fix_headers

    data.__dict__["labels"] = type(data.labels)(("anterior", "posterior"), ((1, 2), (4,)), True)
    result = fix_headers(data, verify(data), out)
    assert [path.name for path in result.written] == [plain.name]
    np.testing.assert_array_equal(np.asarray(nib.load(result.written[0]).dataobj), np.asarray(nib.load(plain).dataobj))
    assert np.asarray(nib.load(plain).dataobj).max() == 4


def test_another_file_is_never_overwritten(misplaced: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    (out / LABEL).parent.mkdir(parents=True)
    (out / LABEL).write_bytes(b"mine")
    assert main(["verify", "hippocampus", "--root", str(misplaced), "--fix", "header", "--out", str(out)]) == 2
    assert f"{out / LABEL}: another file is already there" in capsys.readouterr().err
    assert list(state(out)) == [str(out / LABEL)]
    assert (out / LABEL).read_bytes() == b"mine"


@pytest.mark.parametrize("inside", [".", "fixed", "labelsTr/../x"])
def test_copies_never_go_into_the_raw_data(
    misplaced: Path, inside: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before, link = state(misplaced), tmp_path / "link"
    link.symlink_to(misplaced)
    for root in (misplaced, link):
        out = str(root / inside)
        assert main(["verify", "hippocampus", "--root", str(misplaced), "--fix", "header", "--out", out]) == 2
        assert "is in the folder of the data set" in capsys.readouterr().err
    linked = tmp_path / "out"
    linked.mkdir()
    (linked / "labelsTr").symlink_to(misplaced / "labelsTr")
    assert main(["verify", "hippocampus", "--root", str(misplaced), "--fix", "header", "--out", str(linked)]) == 2
    assert "is in the folder of the data set" in capsys.readouterr().err
    assert state(misplaced) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fix", "header"], "--fix and --out go together"),
        (["--out", "x"], "--fix and --out go together"),
        (["--fix", "voxels", "--out", "x"], "invalid choice"),
        (["--workers", "0"], "--workers 0"),
        (["--tolerance", "-1"], "--tolerance -1"),
        (["--tolerance", "nan"], "--tolerance nan"),
    ],
)
def test_unusable_options_are_refused(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "hippocampus", *options]) == 2
    assert words in capsys.readouterr().err


def test_the_tolerance_is_in_voxels(tmp_path: Path) -> None:
    root = make_hippocampus(tmp_path, 5)
    affine = np.eye(4)
    affine[0, 3] = 0.3
    write_nifti(root / LABEL, np.asarray(nib.load(root / LABEL).dataobj), affine)
    command = ["verify", "hippocampus", "--root", str(root)]
    assert main(command) == 2
    assert main([*command, "--tolerance", "0.31"]) == 0
    assert main([*command, "--tolerance", "0.29"]) == 2


def test_training_warns_of_another_origin_and_refuses_other_axes(
    misplaced: Path, caplog: pytest.LogCaptureFixture
) -> None:
    label = misplaced / LABEL
    moved = nib.load(misplaced / "imagesTr" / label.name).affine.copy()
    moved[0, 3] += 7.0
    write_nifti(label, np.asarray(nib.load(label).dataobj), moved)
    build_datamodule("hippocampus", "tiny", root=str(misplaced)).setup("fit")
    (told,) = (record.getMessage() for record in caplog.records if "affine" in record.getMessage())
    assert "hippocampus_002.nii.gz: the affine is not that of" in told
    assert told.endswith("The voxels are used as they are stored.")
    write_nifti(label, np.asarray(nib.load(label).dataobj), np.diag([-1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(DataError, match=r"hippocampus_002\.nii\.gz: the affine.*--fix header --out DIR"):
        build_datamodule("hippocampus", "tiny", root=str(misplaced)).setup("fit")


def test_nothing_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = make_hippocampus(tmp_path, 5), tmp_path / "out"
    assert main(["verify", "hippocampus", "--root", str(root), "--fix", "header", "--out", str(out)]) == 0
    assert "Nothing was written" in capsys.readouterr().out
    assert not out.exists()


def test_a_generated_set_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "phantom_chest", "--size", "tiny", "--json", "--data.counts", "[2, 1, 1]"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["cases"], facts["files"]) == (8, 0)


def test_index_findings_load_nothing_heavy() -> None:
    code = (
        "import sys; from datamodules.verify import index_findings, Finding, verify; "
        "assert not {'torch', 'imagehash', 'scipy.stats'} & set(sys.modules)"  # nibabel loads pydicom, and that Pillow
    )
    subprocess.run([sys.executable, "-c", code], check=True)
