"""`zoo fit --init-from`: the start, the record, the identity and the resumption of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests.helpers.stub_commands import FIT, error_line, train_stub
from zoo.cli.main import main

ONE = [*FIT[:-1], "1"]
STILL = [*ONE, "--model.lr", "0"]
"""A training that does not change weights."""


pytestmark = pytest.mark.usefixtures("stub_importable")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run whose weights others start from."""
    out = tmp_path_factory.mktemp("run") / "source"
    train_stub([*ONE, "--seed", "7"], out)
    return out


def weights(path: Path) -> dict[str, torch.Tensor]:
    content: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return content


def test_a_run_starts_from_the_weights_of_another(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new"
    assert main([*STILL, "--out", str(out), "--init-from", str(source)]) == 0
    shown = capsys.readouterr().out
    record = json.loads((out / "manifest.json").read_text())["init_from"]
    assert record["sha256"][:12] in shown
    rows = [line.split() for line in shown.splitlines() if line.startswith("net.")]
    assert rows == [["net.0", "2", "40", "loaded"], ["net.1", "5", "17", "loaded"], ["net.3", "2", "5", "loaded"]]
    old, new = weights(source / "checkpoints" / "best.ckpt"), weights(out / "checkpoints" / "last.ckpt")
    assert all(torch.equal(new[name], old[name]) for name in ("net.0.weight", "net.3.bias"))
    assert (record["new"], record["left_out"], record["other_shape"]) == ([], [], {})
    assert record["loaded"] == len(old)
    assert record["source"] == str(source / "checkpoints" / "best.ckpt")
    assert yaml.safe_load((out / "config.yaml").read_text())["init_from"] == record["sha256"]
    assert main(["test", "--out", str(out)]) == 0


def test_other_shapes_are_listed_and_keep_their_own_values(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "wide"
    assert main([*ONE, "--model.width", "5", "--out", str(out), "--init-from", str(source)]) == 0
    assert "net.0.weight" in capsys.readouterr().out
    record = json.loads((out / "manifest.json").read_text())["init_from"]
    assert record["other_shape"]["net.0.weight"] == [[4, 1, 3, 3], [5, 1, 3, 3]]


def test_the_content_of_the_weights_is_part_of_the_identity(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, copy, file = tmp_path / "new", tmp_path / "copy", tmp_path / "other.pt"
    assert main([*ONE, "--out", str(out), "--init-from", str(source)]) == 0
    shutil.copytree(source, copy)
    assert main([*ONE, "--out", str(out), "--init-from", str(copy)]) == 0, "the same weights at another place"
    assert "init_from" in error_line([*ONE, "--out", str(out)], capsys)
    torch.save({name: value + 1 for name, value in weights(source / "checkpoints" / "best.ckpt").items()}, file)
    assert "init_from" in error_line([*ONE, "--out", str(out), "--init-from", str(file)], capsys)
    config = ["fit", "-c", str(out / "config.yaml"), "--out", str(tmp_path / "again")]
    assert "the weights of this hash are needed" in error_line(config, capsys)
    assert not (tmp_path / "again").exists()
    hashes = [json.loads((one / "manifest.json").read_text())["config_hash"] for one in (source, out)]
    assert hashes[0] != hashes[1]


def test_a_resumed_run_keeps_its_weights_and_its_record(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    words = [*ONE, "--out", str(out), "--init-from", str(source)]
    assert main(words) == 0
    before = json.loads((out / "manifest.json").read_text())
    trained = weights(out / "checkpoints" / "last.ckpt")
    (out / "manifest.json").write_text(json.dumps(before | {"finished": None}))
    assert main(words) == 0
    after = json.loads((out / "manifest.json").read_text())
    assert after["init_from"] == before["init_from"]
    assert all(torch.equal(value, trained[name]) for name, value in weights(out / "checkpoints" / "last.ckpt").items())


def test_conflicts_are_refused_before_a_folder_is_made(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "in --out itself" in error_line([*ONE, "--out", str(source), "--init-from", str(source)], capsys)
    out = str(tmp_path / "o")
    assert "no run is here" in error_line([*ONE, "--out", out, "--init-from", str(tmp_path)], capsys)
    assert "--init-from is no option of `zoo test`" in error_line(["test", "--init-from", "x", "--out", out], capsys)
    both = [*ONE, "--out", out, "--init-from", str(source), "--ckpt", str(source / "checkpoints" / "best.ckpt")]
    assert "--ckpt is no option of `zoo fit`" in error_line(both, capsys)
    torch.save({"other": torch.zeros(1)}, tmp_path / "w.pt")
    line = error_line([*ONE, "--out", out, "--init-from", str(tmp_path / "w.pt")], capsys)
    assert "none of its 1 weights" in line
    assert not (tmp_path / "o").exists()
