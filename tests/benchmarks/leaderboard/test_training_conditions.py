"""The comparability check of trainings: tuned recipes, averaged weights, early ends, losses and validations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.plan.job import Settings
from benchmarks.storage.results import JobResult
from benchmarks.tables.writers import to_markdown
from tests.helpers.comparable_results import FACTS, TEN, full, one
from tests.helpers.sample_benchmark import job, leaderboard_of, result


def tuned(model: str, trials: int, search: str = "space") -> JobResult:
    """Return the result of a model with a tuned recipe."""
    found = full(model)
    return replace(found, job=replace(found.job, tuned=trials, search=search))


def test_tuned_rows_are_ranked_apart_from_cards_from_other_numbers_of_trials_and_from_other_searches() -> None:
    found = one(tuned("a", 8), tuned("b", 8), full("c"), tuned("d", 4), tuned("e", 8, "other"))
    assert [r.model for r in found.ranked] == ["a", "b"]
    assert {r.model: r.reason for r in found.unranked} == {
        "c": "not comparable: tuning card, not tuned, 8 trials each; search (none), not space",
        "d": "not comparable: tuning tuned, 4 trials each, not tuned, 8 trials each",
        "e": "not comparable: search other, not space",
    }


def test_the_table_says_of_each_row_whether_it_is_tuned() -> None:
    mixed = to_markdown(leaderboard_of([tuned("a", 8), tuned("b", 8), full("c")], []))
    assert "| Recipe |" in mixed
    assert mixed.count("| tuned, 8 trials each |") == 2
    assert mixed.count("| card |") == 1
    cards = to_markdown(leaderboard_of([full("a")], []))
    assert "| Recipe |" not in cards
    assert "Recipe of each row: card" in cards
    assert "Recipe of each row: card" not in mixed


AVERAGE = "average over the steps, decay 0.999"
STOPPED: dict[str, Any] = {"early_stopping": "val/dice, patience 10", "ended_early": True}


def test_averaged_weights_are_marked_and_not_ranked_with_trained_weights() -> None:
    trained = [full(model, tested_weights="trained") for model in "ab"]
    group = one(*trained, full("c", tested_weights=AVERAGE), full("d"))
    assert [r.label for r in group.ranked] == ["a (tiny)", "b (tiny)", "d (tiny)"], "d is of an older version"
    assert [r.label for r in group.unranked] == ["c (tiny) [averaged]"]
    assert group.unranked[0].reason == f"not comparable: weights {AVERAGE}, not trained"
    alike = one(*(full(model, tested_weights=AVERAGE) for model in "ab"))
    assert [r.mark for r in alike.ranked] == ["averaged", "averaged"]
    assert alike.warnings == ("an average of the weights was tested [a (tiny) [averaged], b (tiny) [averaged]]",)
    (seeds,) = one(trained[0], full("a", 1, tested_weights=AVERAGE)).unranked
    assert seeds.reason == "the seeds differ in weights"


def test_a_row_that_stopped_early_is_marked_and_ranked_only_with_rows_of_the_same_rule() -> None:
    group = one(full("a"), full("b"), full("c", **STOPPED))
    assert [r.label for r in group.ranked] == ["a (tiny)", "b (tiny)"]
    assert [r.label for r in group.unranked] == ["c (tiny) [early-stopped]"]
    assert group.unranked[0].reason == "not comparable: stopping val/dice, patience 10, not (none)"
    unused = STOPPED | {"ended_early": False}
    alike = one(full("a", **unused), full("b", **unused), full("b", 1, **STOPPED))
    assert [(r.label, r.ended_early) for r in alike.ranked] == [("a (tiny)", 0), ("b (tiny) [early-stopped]", 1)]
    assert alike.warnings == ("a training ended before its budget [b (tiny) [early-stopped]]",)
    whole = one(full("a"), full("b", **unused))
    assert [r.label for r in whole.ranked] == ["a (tiny)", "b (tiny)"], "a rule that ended nothing changes nothing"


def test_the_manifest_of_an_older_version_shows_an_early_end_in_its_epochs() -> None:
    group = one(full("a"), full("b", epochs=4, epochs_trained=2), full("c", epochs=4, epochs_trained=4))
    assert [(r.label, r.stopping) for r in group.unranked] == [("b (tiny) [early-stopped]", "not recorded")]
    assert [r.mark for r in group.ranked] == ["", ""]


def test_published_recipes_may_differ_in_weights_and_early_stopping() -> None:
    published = Settings(size="published", trainer="cpu", recipe="published")
    averaged = {"tested_weights": AVERAGE, **STOPPED}
    rows = [
        result(job("a", settings=published), TEN, about=FACTS, tested_weights="trained"),
        result(job("b", settings=published), TEN, about=FACTS, **averaged),
    ]
    assert [r.label for r in one(*rows).ranked] == ["a (published)", "b (published) [averaged, early-stopped]"]


IMAGE = {"dice_per": "image", "squared": False, "background": True, "dice": 1.0, "cross_entropy": 1.0}
ALONE = {**IMAGE, "cross_entropy": 0.0}
ALL = {"val_cases": None, "cases": 20, "epoch_samples": 800, "every_epochs": 1}
SOME = {**ALL, "val_cases": 8, "cases": 8}


def test_another_loss_and_another_validation_are_not_ranked_beside_the_others() -> None:
    group = one(
        *(full(model, loss=IMAGE, validation=ALL) for model in "ab"),
        full("c", loss=ALONE, validation=ALL),
        full("d", loss=IMAGE, validation=SOME),
        full("e"),
    )
    assert [r.model for r in group.ranked] == ["a", "b", "e"], "e is of an older version"
    assert {r.model: r.reason for r in group.unranked} == {
        "c": "not comparable: loss Dice per image, not Dice per image + cross entropy",
        "d": "not comparable: validation 8 val cases at most, after every 800 samples, "
        "not all val cases, after every 800 samples",
    }
    (seeds,) = one(full("a", loss=IMAGE), full("a", 1, loss=ALONE)).unranked
    assert seeds.reason == "the seeds differ in loss"


def test_published_and_tuned_rows_may_have_a_loss_of_their_own_and_a_note_names_it() -> None:
    published = Settings(size="published", trainer="cpu", recipe="published")
    losses = {"a": IMAGE, "b": ALONE}
    own = [result(job(m, settings=published), TEN, about=FACTS, loss=loss) for m, loss in losses.items()]
    searched = [replace(found := tuned(m, 8), manifest={**found.manifest, "loss": loss}) for m, loss in losses.items()]
    for rows, size in ((own, "published"), (searched, "tiny")):
        group = one(*rows)
        assert [r.model for r in group.ranked] == ["a", "b"]
        note = f"the rows differ in loss: Dice per image [b ({size})]; Dice per image + cross entropy [a ({size})]"
        assert note in group.warnings
