"""`zoo bench cite` writes the references of a table, and states budget, split, convention and hardware."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.plan.job import Job, Plan
from benchmarks.storage.stored_plan import store_plan
from tests.helpers.made_up_benchmark import benchmark, finished
from tests.helpers.sample_benchmark import job


@pytest.fixture
def there(tmp_path: Path) -> Path:
    jobs = [job("unet", seed, data="qata_cov19") for seed in (0, 1)]
    jobs += [job("lan_guide", 0, "mask-derived", data="qata_cov19"), job("tevia", 0, "class", data="btcv")]
    return benchmark(tmp_path / "out", jobs, ["x"])


def keys_of(file: Path) -> list[str]:
    return re.findall(r"^@\w+\{(\w+),$", file.read_text(encoding="utf-8"), flags=re.M)


def test_every_model_data_set_encoder_and_metric_of_the_table_has_an_entry(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cite", str(there)]) == 0
    out = capsys.readouterr().out
    models = {"falk2019unet", "zhong2023ariadne", "zoo_tevia"}  # the card of tevia names no publication
    data = {"degerli2022osegnet", "li2024lvit", "landman2015miccai"}
    metrics = {"dice1945measures", "huttenlocher1993comparing", "nikolov2018deep", "heimann2009comparison"}
    found = keys_of(there / "references.bib")
    assert found == sorted(models | data | metrics | {"reimers2019sentence", "textsegzoo"})
    cited = {key for keys in re.findall(r"\\cite\{([^}]+)\}", out) for key in keys.split(",")}
    assert cited == set(found)
    text = (there / "references.bib").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")


def test_the_paragraph_states_split_budget_convention_and_hardware(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cite", str(there)]) == 0
    out = capsys.readouterr().out
    for said in (
        r"protocol file\_order (val is the last 20 \% of train in file order (1429 of 7145)",
        "20 cases for training, 4 cases for validation, 12 cases for the test; hash of the split abc.",
        "All models of a data set had one budget (equal).",
        r"qata\_cov19: 100 training samples in batches of 4; size tiny; seeds 0, 1.",
        "Scores are computed per case and class on the native grid, metric version 1. Dice: 2 tp / (2 tp + fp + fn)~",
        "A missed or spurious object has Dice 0, NSD 0 and the diagonal of the image as each distance.",
        "Hardware: a processor, 2 threads, 1 device per run.",
    ):
        assert said in out


def test_the_name_of_a_processor_does_not_start_an_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = job(data="qata_cov19")
    store_plan(tmp_path, Plan((one,)))
    finished(tmp_path / "results" / one.id, one, ["x"], 0.7, 4, hardware="Xeon @ 2.20GHz, 2 threads")
    assert main(["cite", str(tmp_path)]) == 0
    assert "Xeon @ 2.20GHz" in capsys.readouterr().out
    head = (tmp_path / "references.bib").read_text(encoding="utf-8").partition("\n@")[0]
    assert "at 2.20GHz" in head
    assert "@" not in head


def test_budgets_that_differ_are_not_called_one_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs: list[Job] = [job("unet", data="qata_cov19"), job("film", data="qata_cov19")]
    store_plan(tmp_path, Plan(tuple(jobs)))
    for number, one in enumerate(jobs, start=1):
        budget = {"samples": 1000 * number, "batch_size": 4}
        finished(tmp_path / "results" / one.id, one, ["x"], 0.7, 4, budget=budget)
    assert main(["cite", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "one budget" not in out
    assert "1,000 training samples in batches of 4 or 2,000 training samples in batches of 4" in out


def test_what_has_no_publication_is_said_and_jobs_that_are_not_done_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_plan(tmp_path, Plan((job("mynet", data="qata_cov19"), job("unet", data="phantom_chest"))))
    assert main(["cite", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "No publication is known of the model mynet" in said.err
    assert "2 of 2 runs are not done." in said.out
    assert r"phantom\_chest~\cite{textsegzoo}" in said.out


def test_references_that_somebody_has_added_are_not_lost(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = there / "references.bib"
    assert main(["cite", str(there)]) == 0
    assert main(["cite", str(there)]) == 0  # the file is as it was written
    edited = file.read_text(encoding="utf-8") + "\n@misc{mine,}\n"
    file.write_text(edited, "utf-8")
    assert main(["cite", str(there)]) == 2
    assert "references.bib: not as `zoo bench cite` wrote it. Move the file" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == edited
    assert main(["cite", str(there), "--out", str(there / "other.bib")]) == 0
    assert keys_of(there / "other.bib")
