from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from datamodules.cli import main
from tests.helpers.data_sets import make_hippocampus


def test_prepare_writes_every_case_once(tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_hippocampus(tmp_path, 5)
    before = sorted(path for path in root.rglob("*"))
    assert main(["prepare", "hippocampus", "--root", str(root), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["cases"] == 5
    assert len(list((own_cache / "data" / "hippocampus").glob("*/table.json"))) == 5
    assert sorted(path for path in root.rglob("*")) == before


def test_verify_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_hippocampus(tmp_path, 5)
    assert main(["verify", "hippocampus", "--root", str(root)]) == 0
    assert "nothing found" in capsys.readouterr().out
    bad = root / "imagesTr" / "hippocampus_003.nii.gz"
    bad.write_bytes(bad.read_bytes()[:200])
    assert main(["verify", "hippocampus", "--root", str(root)]) == 2
    assert "hippocampus_003.nii.gz: truncated" in capsys.readouterr().out
    assert main(["verify", "hippocampus", "--root", str(root), "--json"]) == 2
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["case_id"] for finding in findings] == ["hippocampus_003"]


def test_a_mistyped_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "hippocampuss"]) == 2
    assert "Did you mean hippocampus" in capsys.readouterr().err


def test_help_and_mistakes_load_no_torch() -> None:
    code = (
        "import sys; from datamodules.cli import main; assert main(['stats', 'btcvv']) == 2; "
        "assert main(['verify', 'btcv', '--root', 'nowhere']) == 2; "
        "assert 'torch' not in sys.modules; main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "prepare" in done.stdout


def test_every_command_takes_options_of_the_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(make_hippocampus(tmp_path))
    assert main(["stats", "hippocampus", "--root", root, "--json", "--data.fold", "1", "--data.folds=3"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"]["test"]["cases"] > 0
    assert main(["prepare", "hippocampus", "--root", root, "--data.fold", "9"]) == 2
    assert "--data.fold 9 of 5 is no fold" in capsys.readouterr().err
    assert main(["verify", "hippocampus", "--root", root, "--folds", "3"]) == 2
    assert "unknown argument '--folds'" in capsys.readouterr().err


def test_an_option_that_no_data_set_has_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "phantom_chest", "--data.count", "[2,1,1]"]) == 2
    error = capsys.readouterr().err
    assert "Unknown option '--data.count'. Did you mean --data.counts" in error
    assert error.count("\n") == 1


def test_an_option_of_another_program_ends_with_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "phantom_chest", "--batch-size", "4"]) == 2
    assert "unknown argument '--batch-size'. Did you mean --data.batch_size?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["prepare", "verify", "stats", "show", "split"])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--data.fold", "x"], "--data.fold=x: not of the type int | None."),
        (["--data.counts=[8, 2"], "--data.counts=[8, 2: not of the type list[int]."),
        (["--data.train_share", "abc"], "--data.train_share=abc: not of the type float."),
    ],
)
def test_a_value_of_a_wrong_type_is_one_line(
    command: str, words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")] if command in ("show", "split") else []
    assert main([command, "phantom_chest", *out, *words]) == 2
    assert capsys.readouterr().err == f"zoo: error: {says} See `zoo show phantom_chest`.\n"
    assert not list(tmp_path.iterdir())


def test_values_are_read_as_by_fit(capsys: pytest.CaptureFixture[str]) -> None:
    values = ["--data.counts=[3, 1, 1]", "--data.text", "true", "--data.train_share=1e0", "--data.split", "null"]
    assert main(["stats", "phantom_chest", "--size", "tiny", "--json", *values]) == 0
    assert json.loads(capsys.readouterr().out)["parts"]["test"]["subjects"] == 1
