"""`zoo bench report --share` leaves out what the terms of the data do not allow, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.report.sharing import find_common_terms
from tests.helpers.made_up_benchmark import benchmark
from tests.helpers.sample_benchmark import job, result
from zoo.publishing import Publish

TOLD = [
    "images are left out: the card of btcv does not allow to publish them.",
    "rows are left out: the card of btcv does not say whether they may be published.",
]


def test_a_shared_report_has_what_the_terms_allow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = benchmark(tmp_path / "bench", [job(data=data) for data in ("hippocampus", "btcv")], ("left", "right"))
    assert main(["report", str(folder), "--share"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "left out" in line] == TOLD
    assert not (folder / "report.html").exists()
    page = (folder / "report_shared.html").read_text(encoding="utf-8")
    parts = {part.partition("<small>")[0].rpartition(">")[2].strip(): part for part in page.split('class="block"')[1:]}
    assert parts.keys() == {"hippocampus", "btcv"}
    for mark in ("data:image/", "Box plots of the Dice of the cases"):
        assert mark in parts["hippocampus"]
        assert mark not in parts["btcv"]
    assert all(line in parts["btcv"] for line in TOLD)
    assert not any(line.partition(":")[0] in parts["hippocampus"] for line in TOLD)


def test_the_strictest_terms_of_all_runs_count() -> None:
    one = result(job(data="hippocampus"), [0.5])
    closed = replace(one, manifest={**one.manifest, "publish": {"images": "no", "rows": "yes"}})
    assert find_common_terms([one]) == Publish("same terms", "same terms", "yes")
    assert find_common_terms([one, closed]) == Publish("no", "unknown", "yes")
    assert find_common_terms([]) == Publish()
