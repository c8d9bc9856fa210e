"""Ablations from file to run: the content of a file, the plan, and the jobs that are run once."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import cli
from benchmarks.leaderboard.leaderboard import make_leaderboard
from benchmarks.plan import ablations as ablation_files
from benchmarks.plan.ablations import NO_TEXT, choose_variants, find_ablation, read_ablation
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.run import local as runner
from benchmarks.run.job_runner import build_arguments
from benchmarks.run.local import run_plan
from benchmarks.storage.results import read_benchmark
from benchmarks.storage.stored_plan import load_plan, store_plan
from tests.helpers.paths import REPOSITORY
from tests.helpers.sample_benchmark import names, plan_of, variant
from zoo.cli.main import main as zoo
from zoo.errors import ConfigError, RunError
from zoo.registry import MODELS, Card
from zoo.utils.class_args import option_names

CPU = Settings(trainer="cpu")
TWO = """
about: which part is worth what
variants:
  small: {about: "half as wide, another rate", model: {width: 8, lr: 1.0e-5, vision: conv}}
"""
RUN = ["run", "--models", "bipvl", "--data", "phantom_chest", "--trainer", "cpu", "--out", "b"]


@pytest.fixture
def ablations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one ablation, that of bipvl."""
    folder = tmp_path / "ablation"
    folder.mkdir()
    (folder / "bipvl.yaml").write_text(TWO)
    monkeypatch.setattr(ablation_files, "ABLATIONS", folder)
    return folder


# the file


def test_an_ablation_is_read_in_its_order_with_the_values_of_a_command_line(ablations: Path) -> None:
    [small] = read_ablation(ablations / "bipvl.yaml")
    assert small.changes == (("lr", "1e-05"), ("vision", "conv"), ("width", "8"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rungs: {a: {about: a, model: {b: 1}}}", "the key 'rungs' has a new name. Write `variants`."),
        ("variants: {}", "no variants"),
        ("variants: [a]", "no variants"),
        ("about: x\nvariant: {}", "unknown keys variant"),
        ("variants: {no-text: {about: a, model: {b: 1}}}", "variant 'no-text': not a name in snake_case"),
        ("variants: {No_Text: {about: a, model: {b: 1}}}", "variant 'No_Text': not a name in snake_case"),
        ("variants: {1: {about: a, model: {b: 1}}}", "variant '1': not a name in snake_case"),
        ("variants: {a: 3}", "variant 'a': a mapping is expected"),
        ("variants: {a: {about: a, model: {b: 1}, data: {c: 1}}}", "variant 'a': unknown keys data"),
        ("variants: {a: {model: {b: 1}}}", "variant 'a': no `about`"),
        ("variants: {a: {about: ' ', model: {b: 1}}}", "variant 'a': no `about`"),
        ("variants: {a: {about: a}}", "variant 'a' changes nothing"),
        ("variants: {a: {about: a, model: {init_args: {b: 1}}}}", "variant 'a': the value of init_args is not plain"),
        ("variants: {a: {about: a, model: {b: [[1]]}}}", "variant 'a': the value of b is not plain"),
        ("variants: {a: {about: a, model: {b: {c: {d: 1}}}}}", "variant 'a': the value of c is not plain"),
        ("variants: {a: {about: a, model: {b: {c.d: 1}}}}", "variant 'a': 'c.d' is not an argument"),
        ("variants: {a: {about: a, model: {b.c: 1}}}", "variant 'a': 'b.c' is not an argument"),
        ("variants: {a: {about: a, model: {b: 1}}, c: {about: d, model: {b: 1}}}", "variants a and c change the same"),
        ("variants: {no_text: {about: a, model: {b: 1}}}", "variants no_text and no_text change the same"),
        ("variants: {a: {about: a, model: {use_text: false}}}", "variants no_text and a change the same"),
        ("[", "not a readable YAML file"),
    ],
)
def test_a_broken_ablation_is_one_line_with_file_and_variant(
    ablations: Path, text: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (ablations / "bipvl.yaml").write_text(text)
    monkeypatch.chdir(ablations)
    assert cli.main([*RUN, "--ablations"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert f"zoo: error: {ablations / 'bipvl.yaml'}" in error
    assert error.count("\n") == 1
    assert not (ablations / "b").exists()


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (
            ["--models", "unet", "--ablations"],
            ["No ablation exists for unet.", "Ablations exist for: bipvl", "Remove --ablations"],
        ),
        (["--models", "bipvll", "--ablations"], ["Unknown model 'bipvll'", "bipvl"]),
        (["--variants", "no_txt"], ["Unknown variant no_txt. Did you mean no_text?", "bipvl: no_text, small"]),
        (["--ablations", "--variants", "xyz,small,q"], ["Unknown variant xyz, q.", "bipvl: no_text, small"]),
        (["--variants", ","], ["names no variant"]),
        (["--ladder"], ["zoo bench run: --ladder has a new name. Write --ablations."]),
        (["--rungs", "no_text"], ["zoo bench run: --rungs has a new name. Write --variants."]),
        (["--rungs=no_text"], ["zoo bench run: --rungs has a new name. Write --variants."]),
        (
            ["--ablations", "--model.width=4"],
            ["--model.width is an argument that the variant small of bipvl changes", "--variants"],
        ),
        (
            ["--ablations", "--model.init_args.use_text=true"],
            ["--model.use_text is an argument that the variant no_text"],
        ),
    ],
)
@pytest.mark.usefixtures("ablations")
def test_a_mistake_of_the_user_is_one_line(
    arguments: list[str], messages: Sequence[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main([*RUN[:-1], str(tmp_path / "b"), *arguments]) == 2
    error = capsys.readouterr().err
    assert all(message in error for message in messages), error
    assert error.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_a_plug_in_with_the_name_of_a_zoo_model_has_no_ablation(ablations: Path) -> None:
    assert find_ablation(Card("bipvl")) == ablations / "bipvl.yaml"
    plugin = Card("bipvl", origin="theirs")
    assert find_ablation(plugin) is None
    with pytest.raises(ConfigError, match="No ablation exists for bipvl"):
        choose_variants([plugin])


@pytest.mark.usefixtures("ablations")
def test_a_model_without_an_ablation_is_planned_in_full() -> None:
    assert [*choose_variants([Card("bipvl"), Card("unet")])] == ["bipvl"]
    planned = plan_of(["unet", "bipvl"], ["phantom_chest"], [0], settings=CPU, variants=["no_text"])
    assert [(job.model, job.variant) for job in planned.jobs] == [("unet", ""), ("bipvl", ""), ("bipvl", "no_text")]


def test_a_variant_may_be_in_only_one_of_the_ablations(ablations: Path) -> None:
    (ablations / "unet.yaml").write_text("variants: {flat: {about: a, model: {b: 1}}}")
    chosen = choose_variants([Card("bipvl"), Card("unet")], ["flat", "small"])
    assert {model: [r.name for r in variants] for model, variants in chosen.items()} == {
        "bipvl": ["small"],
        "unet": ["flat"],
    }


def test_an_option_of_a_group_has_a_dotted_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("variants: {old: {about: a, model: {width: 4, released: {tokens: 24}}}}")
    (old,) = read_ablation(tmp_path / "a.yaml")
    assert old.changes == (("released.tokens", "24"), ("width", "4"))
    assert Job("m", "d", 0, changes=old.changes).argument_pairs() == (
        ("model.released.tokens", "24"),
        ("model.width", "4"),
    )


def test_the_ablations_of_the_zoo_change_arguments_that_their_models_have() -> None:
    for path in sorted(ablation_files.ABLATIONS.glob("*.yaml")):
        module, _, name = MODELS.get(path.stem).config["model"]["class_path"].rpartition(".")
        known = option_names(getattr(importlib.import_module(module), name)) - {"facts"}
        for one in read_ablation(path):
            assert {key for key, _ in one.changes} <= known, f"{path.name}: {one.name}"


# the plan


@pytest.mark.usefixtures("ablations")
def test_a_plan_has_the_full_method_and_every_variant() -> None:
    plan = plan_of(["bipvl"], ["phantom_chest"], [0, 1], settings=CPU, variants=())
    assert names(plan) == [
        "phantom_chest-bipvl-tiny-tiny-s0",
        "phantom_chest-bipvl-tiny-tiny-s1",
        "phantom_chest-bipvl-tiny-tiny+no_text-s0",
        "phantom_chest-bipvl-tiny-tiny+no_text-s1",
        "phantom_chest-bipvl-tiny-tiny+small-s0",
        "phantom_chest-bipvl-tiny-tiny+small-s1",
    ]
    full, no_text, small = plan.jobs[::2]
    assert (full.variant, full.changes, full.about) == ("", (), "")
    assert (no_text.variant, no_text.about) == ("no_text", NO_TEXT.about)
    assert no_text.steps == full.steps == ("fit", "test", "test-shuffled", "test-blank", "test-names")
    assert no_text.flags() == [*full.flags(), "--model.use_text=false"]
    assert small.flags()[-3:] == ["--model.lr=1e-05", "--model.vision=conv", "--model.width=8"]
    some = plan_of(["bipvl"], ["phantom_chest"], [0], settings=CPU, variants=["small"])
    assert [job.variant for job in some.jobs] == ["", "small"]
    assert [job.variant for job in plan_of(["bipvl"], ["phantom_chest"], [0], settings=CPU).jobs] == [""]


def test_a_variant_with_another_encoder_is_printed_below_its_full_model() -> None:
    other = variant("other_words", changes=(("encoder", "tiny"),))
    assert other.encoder == "minilm"
    assert [word for word in other.flags() if "encoder" in word] == ["--model.encoder=tiny"]


@pytest.mark.usefixtures("ablations")
def test_zoo_accepts_the_arguments_of_a_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    jobs = plan_of(["bipvl"], ["phantom_chest"], [0], settings=CPU, variants=()).jobs
    found = []
    for one in jobs:
        assert zoo([*build_arguments(one, "fit", tmp_path / "run"), "--print_config"]) == 0
        found.append(yaml.safe_load(capsys.readouterr().out)["model"]["init_args"])
    full, no_text, small = found
    assert (full["use_text"], no_text["use_text"]) == (True, False)
    assert no_text == full | {"use_text": False}
    assert small == full | {"width": 8, "lr": 1e-5, "vision": "conv"}


@pytest.mark.usefixtures("ablations")
def test_a_later_ablation_adds_variants_and_keeps_the_jobs(tmp_path: Path) -> None:
    first = store_plan(tmp_path, plan_of(["bipvl", "unet"], ["phantom_chest"], [0], settings=CPU))
    added = plan_of(["bipvl"], ["phantom_chest"], [0], settings=CPU, variants=["no_text"])
    whole = store_plan(tmp_path, added)
    assert whole.jobs[:2] == first.jobs
    assert names(whole)[2:] == ["phantom_chest-bipvl-tiny-tiny+no_text-s0"]
    assert load_plan(tmp_path) == whole
    assert whole.jobs[2] == added.jobs[1]


def test_a_variant_that_has_changed_since_is_refused_and_reworded_ones_are_not(tmp_path: Path, ablations: Path) -> None:
    def plan(seed: int) -> Plan:
        return plan_of(["bipvl"], ["phantom_chest"], [seed], settings=CPU, variants=["small"])

    store_plan(tmp_path, plan(0))
    (ablations / "bipvl.yaml").write_text(TWO.replace("half as wide", "narrow"))
    assert store_plan(tmp_path, plan(0)).jobs[1].about.startswith("half as wide")
    (ablations / "bipvl.yaml").write_text(TWO.replace("width: 8", "width: 4"))
    with pytest.raises(RunError, match=r'variant small of bipvl: .*"width": "8".*, not .*"width": "4"'):
        store_plan(tmp_path, plan(1))


def test_ids_of_variants_are_distinct_and_safe_as_folders() -> None:
    jobs = [
        Job("m", "d", 0),
        Job("m", "d", 0, encoder="a"),
        Job("m", "d", 0, variant="a"),
        Job("m", "d", 0, "", "b", variant="a"),
    ]
    names = [one.id for one in jobs]
    assert len(set(names)) == 4
    assert all(Path(name).name == name and not set(name) & set(' /\\:*?"<>|') for name in names)


# the run


@pytest.mark.usefixtures("ablations")
def test_variants_added_later_are_run_and_the_full_method_is_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls, folder = tmp_path / "calls.txt", tmp_path / "bench"
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("FAKE_CALLS", str(calls))
    fake = [sys.executable, "-m", "tests.helpers.fake_zoo"]
    monkeypatch.setattr(runner, "run_plan", lambda *args, **_: run_plan(*args, command=fake, controls=None))
    arguments = [*RUN[:-1], str(folder), "--seeds", "0,1"]
    assert cli.main(arguments) == 0
    capsys.readouterr()
    assert cli.main([*arguments, "--variants", "no_text"]) == 0
    output = capsys.readouterr().out
    assert "[1/4] phantom_chest-bipvl-tiny-tiny-s0-" in output.splitlines()[0]
    assert output.splitlines()[0].endswith(": done already")
    assert "4 done" in output
    begun = Counter(line.split()[0] for line in calls.read_text().splitlines())
    assert set(begun.values()) == {5}
    assert cli.main(["status", str(folder)]) == 0
    assert "done       phantom_chest-bipvl-tiny-tiny+no_text-s1-" in capsys.readouterr().out
    full, no_text, *_ = make_leaderboard(read_benchmark(folder)).rows
    assert full.text_gain == pytest.approx(0.3)
    assert (no_text.text_gain, no_text.text_gain_blank) == (0.0, 0.0)
    assert no_text.delta_dice == pytest.approx(-0.2)
    [first] = folder.glob("results/phantom_chest-bipvl-tiny-tiny+no_text-s0-*")
    assert (first / "manifest.json").is_file()
