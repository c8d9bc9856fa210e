"""`zoo push` and `zoo pull`: what a package has, what the terms leave out, and that a changed file is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import zoo
from tests.helpers.packed_runs import make_run
from zoo.cli.main import main
from zoo.engine.initial_weights import read_weights
from zoo.errors import RunError
from zoo.hub.package import RECORD, read_package
from zoo.utils.seals import add_seal

IMAGE = np.random.default_rng(0).random((16, 16))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("secret-place") / "run")


@pytest.fixture(scope="module")
def package(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packed") / "model"
    assert main(["push", str(run), str(target)]) == 0
    return target


def logits(source: object) -> torch.Tensor:
    return zoo.load(str(source))(IMAGE, {"liver": "A large organ."}).logits


def refused(words: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that ends with one line, and return the line."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_a_pulled_model_gives_the_logits_of_its_run(run: Path, package: Path, tmp_path: Path) -> None:
    assert main(["pull", str(package), str(tmp_path / "here")]) == 0
    assert torch.equal(logits(tmp_path / "here"), logits(run))
    assert torch.equal(logits(tmp_path / "here" / "model.safetensors"), logits(run))
    pulled = read_package(tmp_path / "here")
    assert pulled.content == read_package(package).content
    names = {"README.md", "LICENSE", "config.yaml", "prompts.yaml", "preprocessing.yaml", "run.json", "metrics.json"}
    rows = {f"{step}/{name}" for step in ("test", "test-blank") for name in ("cases.csv", "about.json")}
    assert set(pulled.files) == names | rows | {"model.safetensors"}
    assert (tmp_path / "here" / "test" / "cases.csv").read_bytes() == (run / "test" / "cases.csv").read_bytes()
    weights = read_weights(tmp_path / "here")
    assert weights.sha256 == read_weights(run).sha256


def test_a_package_names_no_place_of_this_machine(run: Path, package: Path) -> None:
    for file in package.rglob("*"):
        if file.is_file():
            assert b"secret" not in file.read_bytes(), file
            assert b"my machine" not in file.read_bytes(), file
    config = yaml.safe_load((package / "config.yaml").read_text(encoding="utf-8"))
    assert config["data"]["init_args"] == {"fold": 0}


def test_the_model_card_says_what_a_reader_must_know(package: Path) -> None:
    text = (package / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---")[1])
    assert (head["license"], head["library_name"]) == ("apache-2.0", "textseg-zoo")
    for part in (
        "text\\_query on phantom\\_abdomen", "7 train, 1 val, 2 test", "one sentence per class", "| true | 2 | ",
        "| blank | 2 | ", "on the native grid; version 1 of the definitions", "no medical device", "liver, spleen",
        'zoo.load("PATH/TO/THIS/FOLDER")', "Licence of the data: Apache-2.0",
    ):  # fmt: skip
        assert part in text, part
    metrics = json.loads((package / "metrics.json").read_text(encoding="utf-8"))
    assert f"{metrics['test']['dice']:.4g}" in text


def test_the_same_push_changes_nothing_and_another_one_is_refused(
    run: Path, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file: file.read_bytes() for file in package.rglob("*") if file.is_file()}
    assert main(["push", str(run), str(package)]) == 0
    assert "has this package already" in capsys.readouterr().out
    assert main(["pull", str(package), str(package)]) == 0
    other = make_run(tmp_path / "other", seed=1)
    assert "another package is there already" in refused(["push", other, package], capsys)
    main(["push", str(other), str(tmp_path / "packed")])
    assert "another package is there already" in refused(["pull", tmp_path / "packed", package], capsys)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for words in (["push", run, tmp_path / "mine"], ["pull", package, tmp_path / "mine"]):
        assert "there is something already" in refused(words, capsys)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert {file: file.read_bytes() for file in package.rglob("*") if file.is_file()} == before


def seal_again(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    change(content)
    (folder / RECORD).write_text(json.dumps(add_seal(content)), encoding="utf-8")


def edit_a_byte(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(bytes(content))

    return edit


def add_file(name: str) -> Callable[[Path], None]:
    return lambda folder: seal_again(folder, lambda content: content["files"].update({name: "0"}))


def link(folder: Path) -> None:
    shutil.move(folder / "README.md", folder.parent / "moved.md")
    (folder / "README.md").symlink_to(folder.parent / "moved.md")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        *((edit_a_byte(name), f"{name}: the file was changed") for name in (
            "model.safetensors", "config.yaml", "test/cases.csv", "README.md", "LICENSE", "prompts.yaml")),
        (edit_a_byte(RECORD), "zoo.json"),
        (lambda folder: (folder / "run.json").unlink(), "run.json: the file is missing"),
        (link, "README.md: the file is missing"),
        *((add_file(name), f"names the file '{name}'") for name in ("../x.md", "a.pkl", "/x.md", "test/.hidden.md")),
        (lambda folder: seal_again(folder, lambda it: it.update({"format": 9})), "a package of another version (9"),
        (lambda folder: (folder / RECORD).unlink(), "no package is here"),
    ],
)  # fmt: skip
def test_a_changed_package_is_refused_and_nothing_is_left(
    spoil: Callable[[Path], None], message: str, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(package, spoiled)
    spoil(spoiled)
    assert message in refused(["pull", spoiled, tmp_path / "here"], capsys)
    assert not list(tmp_path.glob("*here"))
    if RECORD in message or message != "no package is here":
        with pytest.raises(RunError):
            zoo.load(spoiled)


def test_what_the_terms_do_not_allow_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", data="btcv")
    assert main(["push", str(run), str(tmp_path / "packed")]) == 0
    told = capsys.readouterr().out
    for kind, reason in (("images", "does not allow"), ("weights", "does not allow"), ("rows", "does not say whether")):
        assert f"{kind} are left out: the card of btcv {reason}" in told
    files = read_package(tmp_path / "packed").files
    assert not any(name.startswith("test") or name == "model.safetensors" for name in files)
    assert b"patient-7" not in b"".join(file.read_bytes() for file in (tmp_path / "packed").iterdir())
    with pytest.raises(RunError, match=r"a package without weights.*weights are left out: the card of btcv"):
        zoo.load(tmp_path / "packed")
    assert "The package has no weights" in (tmp_path / "packed" / "README.md").read_text(encoding="utf-8")
    assert "may not be published" in refused(["push", run, tmp_path / "b", "--permit", "weights"], capsys)
    assert "No licence for what was trained on btcv" in refused(
        ["push", run, tmp_path / "b", "--permit", "rows"], capsys
    )
    words = ["push", str(run), str(tmp_path / "b"), "--permit", "rows", "--licence", "CC-BY-4.0"]
    assert main(words) == 0
    assert "test/cases.csv" in read_package(tmp_path / "b").files
    assert "states that the terms of the data allow it for: rows" in (tmp_path / "b" / "README.md").read_text("utf-8")


def test_terms_of_the_same_kind_bind_the_licence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", data="hippocampus")
    assert "under its own terms alone (CC-BY-SA 4.0)" in refused(
        ["push", run, tmp_path / "b", "--licence", "MIT"], capsys
    )
    assert main(["push", str(run), str(tmp_path / "b")]) == 0
    assert read_package(tmp_path / "b").content["licence"] == "CC-BY-SA 4.0"
    assert "license: cc-by-sa-4.0" in (tmp_path / "b" / "README.md").read_text(encoding="utf-8")


def test_only_a_finished_run_and_its_own_scores_are_packed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no run is here" in refused(["push", tmp_path / "none", tmp_path / "b"], capsys)
    shutil.copytree(run, tmp_path / "open")
    (tmp_path / "open" / "manifest.json").write_text("{}")
    assert "the run is not finished" in refused(["push", tmp_path / "open", tmp_path / "b"], capsys)
    shutil.copytree(run, tmp_path / "run")
    about = tmp_path / "run" / "test" / "about.json"
    content = json.loads(about.read_text(encoding="utf-8"))
    content["files"]["checkpoints/best.ckpt"] = "0" * 64
    about.write_text(json.dumps(add_seal(content)), encoding="utf-8")
    assert main(["push", str(tmp_path / "run"), str(tmp_path / "b")]) == 0
    assert "test is left out: another checkpoint than checkpoints/best.ckpt" in capsys.readouterr().out
    assert [name for name in read_package(tmp_path / "b").files if name.endswith("cases.csv")] == [
        "test-blank/cases.csv"
    ]
    edited = tmp_path / "run" / "test-blank" / "cases.csv"
    edited.write_text(edited.read_text(encoding="utf-8").replace("one", "six"), encoding="utf-8")
    refused(["push", tmp_path / "run", tmp_path / "c"], capsys)
    assert not list(tmp_path.glob("*c"))


def test_a_folder_is_a_hub_with_pinned_revisions(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOO_HUB", str(tmp_path / "hub"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    pinned = []
    other = make_run(tmp_path / "other", seed=1)
    for source in (run, other):
        assert main(["push", str(source), "hub:lab/organs"]) == 0
        pinned.append(capsys.readouterr().out.rsplit("pushed ", 1)[1].strip())
    assert pinned[0] != pinned[1]
    assert all(name.startswith("hub:lab/organs@") for name in pinned)
    assert torch.equal(logits(pinned[0]), logits(run))
    assert torch.equal(logits("hub:lab/organs"), logits(other))
    assert main(["pull", pinned[0], "--out", str(tmp_path / "here")]) == 0
    assert torch.equal(logits(tmp_path / "here"), logits(run))
    assert read_weights(pinned[1]).sha256 == read_weights(other).sha256
    assert "no such package" in refused(["pull", "hub:lab/none", tmp_path / "a"], capsys)
    assert "no such package" in refused(["pull", "hub:lab/organs@v9", tmp_path / "a"], capsys)
    assert "is no name of a package" in refused(["pull", "hub:../organs", tmp_path / "a"], capsys)
    assert "a push makes its own revision" in refused(["push", run, pinned[0]], capsys)
    revision = pinned[1].partition("@")[2]
    stored = tmp_path / "hub" / "lab" / "organs" / revision
    seal_again(stored, lambda content: content.update({"licence": "mine"}))
    assert "is not that of this revision" in refused(["pull", pinned[1], tmp_path / "a"], capsys)
    edit_a_byte("model.safetensors")(tmp_path / "cache" / "hub" / "lab--organs" / revision)
    with pytest.raises(RunError, match=r"model\.safetensors: the file was changed"):
        zoo.load(pinned[1])


class FakeHub:
    """The Hugging Face hub as a folder, with the calls that the package makes."""

    commits: dict[str, Path]
    visible: bool | None = None

    def __init__(self, root: Path) -> None:
        self.root, self.commits = root, {}

    def create_repo(self, repo: str, *, private: bool, exist_ok: bool) -> None:
        self.visible = not private

    def list_repo_files(self, repo: str) -> list[str]:
        newest = list(self.commits.values())[-1] if self.commits else self.root / "empty"
        return [".gitattributes", *(str(file.relative_to(newest)) for file in newest.rglob("*") if file.is_file())]

    def upload_folder(self, *, repo_id: str, folder_path: Path, allow_patterns: list[str], **_: Any) -> Any:
        commit = f"{len(self.commits) + 1:040x}"
        for name in allow_patterns:
            (self.root / commit / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder_path / name, self.root / commit / name)
        self.commits[commit] = self.root / commit
        return SimpleNamespace(oid=commit)

    def model_info(self, repo: str, *, revision: str | None) -> Any:
        if repo != "lab/organs":
            raise ConnectionError("404 Client Error.\nThe page is long.")
        return SimpleNamespace(sha=revision if revision in self.commits else list(self.commits)[-1])

    def hf_hub_download(self, repo: str, name: str, *, revision: str, local_dir: Path) -> None:
        (local_dir / ".cache").mkdir(exist_ok=True)
        (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.commits[revision] / name, local_dir / name)


def test_a_repository_of_the_hub_is_pushed_to_and_pulled_from(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub

    hub = FakeHub(tmp_path / "server")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    assert "ZOO_OFFLINE=1 forbids the hub" in refused(["push", run, "hub:lab/organs"], capsys)
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    assert main(["push", str(run), "hub:lab/organs"]) == 0
    commit = f"{1:040x}"
    assert f"pushed hub:lab/organs@{commit}" in capsys.readouterr().out
    assert hub.visible is False
    assert main(["pull", "hub:lab/organs", str(tmp_path / "here")]) == 0
    assert f"hub:lab/organs@{commit} is in" in capsys.readouterr().out
    assert not (tmp_path / "here" / ".cache").exists()
    assert torch.equal(logits(f"hub:lab/organs@{commit}"), logits(run))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert torch.equal(logits(f"hub:lab/organs@{commit}"), logits(run))  # from the cache
    with pytest.raises(RunError, match=rf"forbids to ask for the newest revision\. In the cache: {commit}"):
        zoo.load("hub:lab/organs")
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    told = refused(["pull", "hub:lab/none", tmp_path / "a"], capsys)
    assert "hub:lab/none: the hub does not answer as expected (ConnectionError: 404 Client Error.)" in told
    assert "needs an owner" in refused(["push", run, "hub:organs"], capsys)
    for name in (RECORD, "config.yaml"):
        (hub.commits[commit] / name).unlink()
    assert "the repository holds other files" in refused(["push", run, "hub:lab/organs"], capsys)


def test_a_training_starts_from_a_package(run: Path, package: Path) -> None:
    from zoo.engine.initial_weights import load_weights

    model = zoo.load(make_run(package.parent / "fresh", seed=5)).model
    report = load_weights(model, package)
    assert not report.new
    assert report.sha256 == read_weights(run).sha256
