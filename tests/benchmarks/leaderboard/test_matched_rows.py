"""A matched comparison in tables: what parts its rows, which rows have another size, and what the notes say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.plan.job import Plan, Settings
from benchmarks.storage.results import JobResult, read_benchmark
from benchmarks.storage.stored_plan import store_plan
from benchmarks.tables.writers import to_markdown
from tests.helpers.sample_benchmark import job, leaderboard_of, result

MATCHED = Settings("tiny", "cpu", recipe="matched")
LOSS = {"dice_per": "image", "dice": 1.0}
TRAINING: dict[str, Any] = {
    **{"vision": "unet", "width": 16, "stages": 4, "norm": "instance", "lr": 0.003},
    **{"weight_decay": 0.01, "warmup": 0.05, "augment": "none"},
}


def of(model: str, trainable: int = 100, decoder: int = 40, rate: str = "", **changed: Any) -> JobResult:
    counts = {"total": trainable, "trainable": trainable, "text_path": 7, "decoder": decoder}
    manifest: dict[str, Any] = {"loss": changed.pop("loss", LOSS), "parameters": counts, "params_trainable": trainable}
    manifest["training"] = TRAINING | changed
    return result(job(model, settings=MATCHED, rate=rate), [0.5, 0.7], **manifest)


def group_of(*results: JobResult) -> RankingGroup:
    (group,) = leaderboard_of(results).groups
    return group


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"lr": 0.001}, "lr 0.001, not 0.003"),
        ({"vision": "conv"}, "vision conv, width 16, stages 4, not unet, width 16, stages 4"),
        ({"width": 24}, "vision unet, width 24, stages 4, not unet, width 16, stages 4"),
        ({"vision_weights": "/here/timm"}, "vision unet, width 16, stages 4, weights timm, not"),
        (
            {"loss": LOSS | {"dice_per": "batch"}},
            "loss Dice per batch + cross entropy, not Dice per image + cross entropy",
        ),
        ({"weight_decay": 0.1}, "optimiser weight_decay=0.1 warmup=0.05, not weight_decay=0.01 warmup=0.05"),
        (
            {"gradient_clip": 1.0},
            "optimiser weight_decay=0.01 warmup=0.05 gradient_clip=1.0, not weight_decay=0.01 warmup=0.05",
        ),
        (
            {"optimiser": {"name": "sgd", "momentum": 0.9, "schedule": "poly", "power": 0.5}},
            "optimiser SGD momentum=0.9 schedule=poly power=0.5 weight_decay=0.01 warmup=0.05, not weight_decay=0.01",
        ),
        ({"augment": "full"}, "augment full, not none"),
        ({"norm": "batch"}, "norm batch, not instance"),
        ({"rate": "tuned, 8 trials"}, "rates tuned, not one"),
    ],
)
def test_a_row_of_another_training_is_parted_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    group = group_of(of("a"), of("b"), of("c", **changed))
    assert [row.model for row in group.ranked] == ["a", "b"]
    (parted,) = group.unranked
    assert parted.reason.startswith(f"not comparable: {reason}")


def test_a_row_of_another_budget_is_parted() -> None:
    other = result(job("c", settings=MATCHED), [0.5, 0.7], budget={"samples": 7}, training=TRAINING)
    (parted,) = group_of(of("a"), of("b"), other).unranked
    assert parted.reason.startswith("not comparable: budget")


def test_other_budgets_do_not_compare_the_training() -> None:
    equal = [result(job(name), [0.5, 0.7], training=TRAINING | {"lr": rate}) for name, rate in (("a", 1), ("b", 2))]
    assert not group_of(*equal).unranked
    assert not any("matched" in line for line in group_of(*equal).warnings)


def test_with_tuned_rates_each_row_has_its_own_and_the_notes_say_which() -> None:
    group = group_of(of("a", lr=0.1, rate="tuned, 8 trials"), of("b", lr=0.2, rate="card"))
    assert not group.unranked
    assert any(line.endswith("each model has its own learning rate") for line in group.warnings)
    assert "the rate is card [b (tiny)]" in group.warnings
    assert "the rate is tuned, 8 trials [a (tiny)]" in group.warnings
    assert "| 0.1 (tuned, 8 trials) |" in to_markdown(leaderboard_of([of("a", lr=0.1, rate="tuned, 8 trials")]))


def test_a_row_of_another_size_is_marked_and_not_called_equal() -> None:
    group = group_of(of("a", 100), of("b", 110), of("c", 121), of("d", 90), of("e", 110))
    rows = {row.model: row for row in group.ranked}
    assert len(rows) == 5, "a row of another size is ranked"
    assert {name: row.mark for name, row in rows.items()} == {
        "a": "",  # 100 is 9.1 % below the median, which is 110
        "b": "",
        "c": "",  # 10 % above it
        "d": "other-size",  # 18 % below it
        "e": "",
    }
    assert rows["d"].reason == "not equal in size: 0.00 M trainable parameters, -18% against the median of the rows"
    equal = [result(job(name), [0.5], params_trainable=count) for name, count in (("a", 1), ("b", 9))]
    assert not any(row.mark for row in group_of(*equal).ranked), "budget equal"


def test_the_notes_say_what_is_common_and_where_methods_differ() -> None:
    decoder = 10_000
    group = group_of(of("unet", decoder=decoder), of("tmca", decoder=3 * decoder), of("film", decoder=decoder))
    assert group.warnings[-3:] == (
        "matched: vision network: unet, width 16, stages 4; optimiser AdamW: weight_decay=0.01 warmup=0.05; "
        "loss: Dice per image + cross entropy; augmentation: none; learning rate 0.003",
        "the decoder belongs to the method and is not matched; its parameters: 0.01 M [film (tiny), unet (tiny)], "
        "0.03 M [tmca (tiny)]",
        "loss terms of the method, beside the common loss: tmca (tiny): alignment",
    )


def test_a_matched_table_has_the_columns_of_sizes() -> None:
    text = to_markdown(leaderboard_of([of("a", 1_500_000)]))
    assert "| Params (M) | Trainable (M) | Text path (M) |" in text
    assert "| 1.50 | 0.00 |" in text
    assert "Trainable (M)" not in to_markdown(leaderboard_of([result(job("a"), [0.5])]))


def test_the_tables_say_which_models_a_plan_leaves_out(tmp_path: Path) -> None:
    store_plan(tmp_path, Plan((job(),), notes=("x is left out of the matched comparison: its text ...",)))
    assert read_benchmark(tmp_path).notes == ("x is left out of the matched comparison: its text ...",)
