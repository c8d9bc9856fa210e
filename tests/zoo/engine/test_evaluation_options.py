"""What the options of `zoo validate|test|predict` may change of a run that is trained."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from zoo.engine.arguments import Request, parse
from zoo.engine.evaluation_options import check_evaluation_options
from zoo.errors import ConfigError

TRAINED: dict[str, Any] = {
    "seed_everything": 0,
    "model": {"class_path": "pkg.Net", "init_args": {"lr": 0.1, "overlap": 0.5, "released": {"tokens": 24}}},
    "data": {
        "class_path": "pkg.Set",
        "init_args": {"root": "/a", "num_workers": 0, "batch_size": 4, "patch": [64, 64], "text": "true"},
    },
    "trainer": {
        **{"max_epochs": 3, "devices": 1, "accelerator": "auto", "strategy": "auto", "precision": "bf16-mixed"},
        **{"logger": None, "log_every_n_steps": 50, "callbacks": None, "profiler": None},
        **{"limit_test_batches": None, "limit_val_batches": None, "limit_predict_batches": None},
    },
}
RUN = Path("runs/a")


def check(verb: str, *changes: tuple[str, Any], typed: bool = True) -> dict[str, Any]:
    """Check a command that sets each key to a value, with flags or (not typed) with a file or a preset."""
    resolved = copy.deepcopy(TRAINED)
    for key, value in changes:
        *sections, name = key.split(".")
        place = resolved
        for section in sections:
            place = place.setdefault(section, {}) if isinstance(place.get(section, {}), dict) else place
        place[name] = value
    flags = [word for key, value in changes for word in (f"--{key}", str(value))]
    request = parse(verb, flags) if typed else Request(verb)
    return check_evaluation_options(request, RUN, TRAINED if typed else resolved, resolved, TRAINED)


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.init_args.lr", 0.2),
        ("model.init_args.released.tokens", 12),
        ("data.init_args.patch", [32, 32]),
        ("data.init_args.augment", "light"),
        ("trainer.max_epochs", 9),
        ("trainer.gradient_clip_val", 1.0),
        ("trainer.callbacks", [{"class_path": "EarlyStopping"}]),
        ("seed_everything", 3),
    ],
)
def test_an_evaluation_refuses_to_change_what_was_trained(verb: str, typed: bool, key: str, value: Any) -> None:
    if key == "seed_everything":
        typed = False
    with pytest.raises(ConfigError, match=rf"runs/a: `zoo {verb}` cannot change what was trained: {key} \("):
        check(verb, (key, value), typed=typed)


def test_a_seed_of_an_evaluation_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"seed_everything \(0 -> 3\)"):
        check_evaluation_options(
            parse("test", ["--seed", "3"]), RUN, TRAINED, TRAINED | {"seed_everything": 3}, TRAINED
        )


@pytest.mark.parametrize(
    ("verb", "key"),
    [
        ("test", "trainer.limit_val_batches"),
        ("test", "trainer.limit_predict_batches"),
        ("validate", "trainer.limit_test_batches"),
        ("predict", "trainer.limit_test_batches"),
    ],
)
def test_the_limit_of_another_verb_is_refused(verb: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        check(verb, (key, 2))


@pytest.mark.parametrize("key", ["trainer.logger", "trainer.log_every_n_steps", "trainer.sync_batchnorm"])
def test_what_only_training_reads_is_refused_as_a_flag(key: str) -> None:
    with pytest.raises(ConfigError, match="would ignore it"):
        check("test", (key, 7))
    assert check("test", (key, 7), typed=False) == {}, "a preset may have it"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.init_args.overlap", 0.25),
        ("data.init_args.text", "blank"),
        ("trainer.precision", "32-true"),
        ("trainer.limit_test_batches", 2),
    ],
)
def test_what_moves_a_score_and_no_weight_is_recorded(key: str, value: Any) -> None:
    assert check("test", (key, value)) == {key: value}


def test_the_machine_and_the_values_of_the_training_are_accepted() -> None:
    machine = [("data.init_args.root", "/b"), ("data.init_args.num_workers", 3), ("trainer.accelerator", "cpu")]
    assert check("test", *machine, ("trainer.strategy.class_path", "DDPStrategy"), ("trainer.max_epochs", 3)) == {}
    assert check("test", ("model.init_args.lr", 0.1), ("data.init_args.patch", [64, 64])) == {}


def test_an_argument_that_is_newer_than_the_run_is_no_change() -> None:
    newer = TRAINED | {"model": {**TRAINED["model"], "init_args": TRAINED["model"]["init_args"] | {"new": 1}}}
    assert check_evaluation_options(Request("test"), RUN, TRAINED, newer, TRAINED) == {}


def test_the_default_precision_by_name_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRAINED["trainer"], "precision", None)
    assert check("test", ("trainer.precision", "32-true")) == {}
    assert check("test", ("trainer.precision", "bf16-mixed")) == {"trainer.precision": "bf16-mixed"}
