"""`zoo score` on the command line: a row in a table, or one line that says what is wrong and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.cli.main import main as bench
from benchmarks.cli.score import main, make_parser
from benchmarks.plan.job import Plan
from benchmarks.storage.layout import job_folder
from benchmarks.storage.results import read_benchmark
from benchmarks.storage.stored_plan import store_plan
from tests.helpers.data_sets import make_hippocampus
from tests.helpers.label_images import copy_volumes, score
from tests.helpers.sample_benchmark import FACTS, job
from tests.helpers.sealed_runs import write_run, write_test
from zoo.metrics.score_files import read_scores

REAL = Path(__file__).parents[4] / "shared" / "data" / "Task04_Hippocampus"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("score")
    task = make_hippocampus(folder)
    return SimpleNamespace(task=task, root=["--data.root", str(task)], files=copy_volumes(task, folder / "files"))


def line_of(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """Return the one line of an error with exit code 2."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert line.startswith("zoo: error: ")
    return line


def test_label_images_become_a_row_and_the_files_of_other_cases_are_named(
    there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, stated = tmp_path / "out", tmp_path / "ours.yaml"
    stated.write_text("Budget: {epochs: 300}\ntraining data: its train split\npre-training: none\npaper: Doe 2026\n")
    assert score(there.files, out, *there.root, "--stated", str(stated), "--convention", "surface-distance") == 0
    shown = capsys.readouterr()
    assert "anterior" in shown.out
    assert f"`zoo bench table {out}` shows the row Ours." in shown.out
    assert "Not scored, because no test case of hippocampus has this name: hippocampus_001.nii.gz, " in shown.err
    assert bench(["table", str(out), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["model"], row["status"], row["n"]) == ("Ours", "stated", 2)
    assert row["stated"] == "budget: epochs 300; training data: its train split; pre-training: none; paper: Doe 2026"
    assert bench(["table", str(out), "--format", "json", "--protocol", "nsd-surface-distance"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["scored"], row["reason"]) == (4, "")


def test_nothing_that_exists_is_overwritten(
    there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(there.files, tmp_path / "out", *there.root) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    capsys.readouterr()
    line = line_of(capsys, score(there.files, tmp_path / "out", *there.root))
    assert "this name is scored already on these cases. Give another --name or --out." in line
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert score(there.files, tmp_path / "out", *there.root, name="Ours, again") == 0
    capsys.readouterr()
    line = line_of(capsys, score(there.files, there.files, *there.root))
    assert "not the folder of a benchmark" in line


def test_folds_are_scored_one_by_one_or_all_at_once_and_pooled(
    there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(there.files, tmp_path / "all", *there.root, "--fold", "all", "--data.folds", "3") == 0
    assert "Not scored" not in capsys.readouterr().err, "every case is a test case of one fold"
    for fold in range(3):
        assert score(there.files, tmp_path / "one", "--data.folds=3", *there.root, "--fold", str(fold)) == 0
    found = [read_benchmark(tmp_path / name).scored for name in ("all", "one")]
    assert [part.rows for part in found[0]] == [part.rows for part in found[1]]
    capsys.readouterr()
    assert bench(["table", str(tmp_path / "all"), "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["n"], row["folds"], row["status"]) == (12, 3, "stated")


def test_a_benchmark_gives_the_options_of_its_data_set_and_gets_the_row(
    there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The jobs have rows as `zoo test` writes them, here made from label images of the same cases."""
    one = job("unet", root=str(there.task), overrides=(("data.train_share", "0.5"),))
    store_plan(tmp_path / "bench", Plan((one,)))
    better = copy_volumes(there.task, tmp_path / "better", change=lambda array: array)
    assert score(better, tmp_path / "other", *there.root, "--data.train_share", "0.5") == 0
    ((path,),) = [list((tmp_path / "other" / "scored").glob("*/cases.csv"))]
    _finish(job_folder(tmp_path / "bench", one.id), path, folder=one.id)
    capsys.readouterr()
    assert score(there.files, tmp_path / "bench") == 0
    assert "another split" not in capsys.readouterr().err
    assert bench(["table", str(tmp_path / "bench"), "--stats"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"\| unet \(tiny\) .*\*?1\.000", text)
    assert "| Ours [stated] |" in text
    assert "| unet (tiny) | Ours [stated] |" in text
    assert score(there.files, tmp_path / "bench", "--data.train_share", "1.0", name="Elsewhere") == 0
    assert "have another split of hippocampus" in capsys.readouterr().err


def _finish(run: Path, path: Path, **facts: Any) -> None:
    """Write a finished run of a model with these rows."""
    rows, about = read_scores(path, "")
    shared = {key: about[key] for key in ("split_hash", "data_hash", "metric_version")}
    write_run(run, FACTS | {"prompt_hash": "", "text_track": "none"} | shared | facts)
    kept = {key: about[key] for key in ("split_hash", "label_space_hash", "tolerance", "subjects", "spacing", "shape")}
    write_test(run, "test", rows, kept | {"cases_hash": about["cases_hash"]})


def test_a_benchmark_of_folds_asks_for_a_fold(
    there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = tuple(job("unet", root=str(there.task), fold=fold, folds=4) for fold in range(4))
    store_plan(tmp_path / "bench", Plan(jobs))
    assert "Give --fold all, or --fold F" in line_of(capsys, score(there.files, tmp_path / "bench"))
    assert score(there.files, tmp_path / "bench", "--fold", "3") == 0
    (part,) = read_benchmark(tmp_path / "bench").scored
    assert (part.fold, part.about["folds"]) == (3, 4)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--data", "hippocampos"], r"Unknown data set 'hippocampos'. Did you mean hippocampus"),
        (["--name", " "], "--name '' is unusable"),
        (["--name", "control:mine"], "--name 'control:mine' is unusable"),
        (["--name", "a\x1b[31m"], r"is unusable. Give 1 to 100 printable letters"),
        (["--fold", "two"], "--fold two is no fold"),
        (["--fold", "9"], "fold 9"),
        (["--workers", "0"], "--workers 0 is too few. Give 1 or more"),
        (["--workers", "two"], "--workers: invalid int value: 'two'"),
        (["--values", "1=anterior"], "no value for posterior"),
        (["--stated", "no.yaml"], "no.yaml: No such file or directory. Give the YAML file"),
        (["--data.rot", "x"], "--data.rot"),
        (["--missing"], "unknown argument '--missing'. Did you mean --missing-as-empty"),
        (["more"], "unknown argument 'more'"),
        (["--size", "huge"], "Unknown size 'huge'"),
        (["--data.protocol", "mine"], "mine"),
    ],
)
def test_a_mistake_in_the_command_is_one_line_and_writes_nothing(
    more: list[str], message: str, there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = line_of(capsys, score(there.files, tmp_path / "out", *there.root, *more))
    assert re.search(message, line)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("budgett: 3", "unknown key budgett. Did you mean budget"),
        ("- budget", "no `key: value` lines"),
        ("budget: [", "not readable as YAML"),
        ("budget: 1\nbudget: 2", "the key 'budget' is there twice"),
        ("pre_training: a\npre-training: b", "the key pre_training is there twice"),
        ('paper: "a\\eb"', "is not printable"),
    ],
)
def test_a_mistake_in_what_is_stated_is_one_line(
    content: str, message: str, there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(content)
    line = line_of(capsys, score(there.files, tmp_path / "out", *there.root, "--stated", str(path)))
    assert str(path) in line
    assert message in line


def test_missing_cases_end_the_command_and_a_flag_counts_them_as_empty(
    there: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = copy_volumes(there.task, tmp_path / "few", cases=["hippocampus_001", "hippocampus_003", "hippocampus_011"])
    line = line_of(capsys, score(few, tmp_path / "out", *there.root, "--fold", "0", "--data.folds", "2"))
    assert re.search(r"no file of \d of 6 test cases: hippocampus_\d+, hippocampus_\d+", line)
    assert line.endswith("Add the files, or count these cases as empty: --missing-as-empty.")
    more = ["--fold", "0", "--data.folds", "2", "--missing-as-empty"]
    assert score(few, tmp_path / "out", *there.root, *more) == 0
    assert "Counted as empty, because there is no file: hippocampus_" in capsys.readouterr().err
    bench(["table", str(tmp_path / "out")])
    assert re.search(r"\d of 6 cases have no file and count as empty", capsys.readouterr().out)


def test_options_may_stand_before_the_folder(there: SimpleNamespace, tmp_path: Path) -> None:
    words = ["--data.root", str(there.task), "--name", "Ours", str(there.files), "--data", "hippocampus"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0


def test_the_command_is_installed_and_its_parser_describes_it() -> None:
    listed = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert 'score = "benchmarks.cli.score:main"' in listed
    text = make_parser().format_help()
    assert all(word in text for word in ("PREDICTIONS", "--missing-as-empty", "--stated", "--fold", "--data.KEY"))


def threshold(path: Path, out: Path, share: float) -> None:
    """A script of somebody else: the brightest voxels in two halves. It knows numpy and nibabel."""
    image = nib.load(path)
    array: NDArray[Any] = np.asarray(image.dataobj, dtype=np.float32)
    mask = array > np.quantile(array, share)
    front = np.arange(array.shape[1]) >= array.shape[1] // 2
    out.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image((mask * np.where(front, 1, 2)[:, None]).astype(np.int16), image.affine), out / path.name)


@pytest.mark.realdata
@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real hippocampus in ../shared/data")
def test_a_script_that_knows_nothing_of_the_zoo_stands_in_the_table_with_paired_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(path for path in (REAL / "imagesTr").glob("*.nii.gz") if not path.name.startswith("."))[:8]
    names = [path.name.removesuffix(".nii.gz") for path in files]
    others = sorted(path.name.removesuffix(".nii.gz") for path in (REAL / "labelsTr").glob("h*.nii.gz"))
    rest = [name for name in others if name not in names]
    split = {"protocol": "few", "train": rest[1:4], "val": rest[:1], "test": names}
    (tmp_path / "split.json").write_text(json.dumps(split))
    data = ["--data.root", str(REAL), "--data.split", str(tmp_path / "split.json")]
    for share, name in ((0.9, "bright"), (0.8, "brighter")):
        for path in files:
            threshold(path, tmp_path / name, share)
        assert score(tmp_path / name, tmp_path / name / "out", *data, name=name) == 0
    one = job("unet", root=str(REAL))
    store_plan(tmp_path / "bench", Plan((one,)))
    (path,) = (tmp_path / "brighter" / "out" / "scored").glob("*/cases.csv")
    _finish(job_folder(tmp_path / "bench", one.id), path, folder=one.id)
    capsys.readouterr()
    assert bench(["table", str(tmp_path / "bench"), str(tmp_path / "bright" / "out"), "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    (group,) = content["groups"]
    ((pair,), (ours,)) = group["stated"], [row for row in content["rows"] if row["model"] == "bright"]
    assert (ours["status"], ours["n"], ours["hd95_unit"]) == ("stated", 8, "mm")
    assert 0 < ours["dice"] < 0.6
    assert (pair["label"], pair["against"], pair["pairs"]) == ("unet (tiny)", "bright [stated]", 8)
    assert 0 < pair["p"] <= 1
