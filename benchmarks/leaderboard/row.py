"""The row of a leaderboard: a model, a variant of an ablation or a control, over its seeds.

`benchmarks.leaderboard.aggregate` makes rows; `benchmarks.tables.columns` names and formats their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.leaderboard.statistics import Floats
from benchmarks.leaderboard.subjects import Sample
from benchmarks.storage.layout import TRUE_TEXT_STEP
from benchmarks.storage.results import TestScores
from zoo.metrics.definitions import METRIC_KEYS, MetricValues

NO_VALUES: dict[str, Any] = dict.fromkeys(METRIC_KEYS)
"""The metrics of a row without scores."""

EARLY = "early-stopped"
"""Mark of a row of which a training ended before its budget."""

AVERAGED = "averaged"
"""Mark of a row whose tests used an average of the weights."""

NO_STD: MetricValues[float | None] = MetricValues(**NO_VALUES)
"""The deviations of a row without scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow(MetricValues[float | None]):
    """The scores of a row on one class: means over the seeds.

    A value is None where the class is absent in every case.

    Attributes:
        label: The class.
        std: Standard deviation of each metric over the seeds (ddof 1); None for one seed.
        dice_global: Dice of tp, fp and fn summed over cases.
        dice_small: Mean Dice of the third of the cases with the smallest objects (`zoo.metrics.size_terciles`).
        dice_medium: Mean Dice of the middle third.
        dice_large: Mean Dice of the third with the largest objects.
        scored: Number of cases of one seed that enter the means.
        missed: Number of cases of one seed with the object in the label only.
        spurious: Number of cases of one seed with the object in the prediction only.
        absent: Number of cases of one seed with the object in neither mask.

    Example:
        >>> metrics = {"dice": 0.9, "hd95": 2.0, "hd95_pooled": 1.5, "nsd": 0.8, "assd": 0.7}
        >>> counts = {"dice_global": 0.9, "scored": 5, "missed": 0, "spurious": 0, "absent": 1}
        >>> ClassRow(label="liver", std=NO_STD, **metrics, **counts).dice
        0.9
    """

    label: str
    std: MetricValues[float | None]
    dice_global: float | None
    scored: float
    missed: float
    spurious: float
    absent: float
    dice_small: float | None = None
    dice_medium: float | None = None
    dice_large: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow(MetricValues[float | None]):
    """One row of the leaderboard: each metric as its mean over the seeds, and what was trained and tested.

    `benchmarks.tables.columns.ROW_COLUMNS` defines each field that is a column. A value is None where it does not
    exist: for an incomplete row, the text gain of a model that reads no text, the deviation of one seed, the interval
    of too few subjects. The status of a complete row is "ok", of a variant "variant", of a control "control", and of a
    method outside the zoo "stated".

    Attributes:
        std: Standard deviation of each metric over the seeds (ddof 1); None for one seed.
        jobs: Ids of the jobs of the row, done or not, by seed and fold.
        leaks: Subject in more than one split to its splits.
        shared_images: Of a control: the images that two splits of its data share, one sentence per pair.
        per_class: The scores per class, in the order of the label space.
        scorers: Means by the scorers of challenges (`zoo.metrics.scorer_means`) over the seeds, by their keys.
        tests: Step ("test", "test-shuffled", ...) to its scores, one test per seed.
        samples: Step to the scores by seed, case and class.
        draws: The Dice under the bootstrap; draw b has the same subjects in every row of a cohort.
        seed_numbers: The seeds of `tests`, in their order.
        against_no_text: The (S,) subject scores of the row and of its own `no_text`, over the seeds that both have.

    Example:
        >>> metrics = {"dice": 0.9, "hd95": 2.0, "hd95_pooled": 1.5, "nsd": 0.8, "assd": 0.7}
        >>> LeaderboardRow(model="unet", data="btcv", **metrics).status
        'ok'
    """

    model: str
    size: str = ""
    options: str = ""
    encoder: str = ""
    pretrained_vision: str = ""
    pretrained_on: str = ""
    data: str = ""
    text_track: str = "none"
    variant: str = ""
    variant_about: str = ""
    variant_changes: str = ""
    recipe: str = "equal"
    folds: int | None = None
    status: str = "ok"
    reason: str = ""
    mark: str = ""
    n: int | None = None
    subjects: int | None = None
    seeds: int | None = None
    seeds_planned: int | None = None
    params: int | None = None
    params_trainable: int | None = None
    params_text_path: int | None = None
    params_decoder: int | None = None
    vision: str = ""
    norm: str = ""
    lr: float | None = None
    optimiser: str = ""
    augment: str = ""
    rates: str = ""
    rate_source: str = ""
    budget: str = ""
    stated: str = ""
    split_hash: str = ""
    prompt_hash: str = ""
    metric_version: str = ""
    classes: str = ""
    label_space: str = ""
    tolerance: str = ""
    cases_hash: str = ""
    label_hash: str = ""
    spacing_hash: str = ""
    data_hash: str = ""
    weights: str = ""
    loss: str = ""
    validation: str = ""
    stopping: str = ""
    ended_early: int | None = None
    precision: str = ""
    device: str = ""
    hd95_unit: str = ""
    tuning: str = ""
    search: str = ""
    std: MetricValues[float | None] = NO_STD
    dice_global: float | None = None
    dice_small: float | None = None
    dice_medium: float | None = None
    dice_large: float | None = None
    missed: float | None = None
    spurious: float | None = None
    dice_subjects: float | None = None
    dice_low: float | None = None
    dice_high: float | None = None
    hd95_low: float | None = None
    hd95_high: float | None = None
    dice_shuffled: float | None = None
    dice_blank: float | None = None
    dice_names: float | None = None
    dice_exchanged: float | None = None
    dice_paraphrase: float | None = None
    dice_synonym: float | None = None
    dice_missing_side: float | None = None
    dice_missing_location: float | None = None
    dice_contradict: float | None = None
    dice_over_description: float | None = None
    dice_under_description: float | None = None
    text_gain: float | None = None
    text_gain_low: float | None = None
    text_gain_high: float | None = None
    text_gain_blank: float | None = None
    text_gain_names: float | None = None
    text_gain_exchanged: float | None = None
    text_gain_paraphrase: float | None = None
    text_gain_synonym: float | None = None
    text_gain_missing_side: float | None = None
    text_gain_missing_location: float | None = None
    text_gain_contradict: float | None = None
    text_gain_over_description: float | None = None
    text_gain_under_description: float | None = None
    delta_dice: float | None = None
    delta_dice_std: float | None = None
    delta_seeds: int | None = None
    over_no_text: float | None = None
    over_no_text_std: float | None = None
    over_no_text_low: float | None = None
    over_no_text_high: float | None = None
    over_no_text_seeds: int | None = None
    over_no_text_note: str = ""
    jobs: tuple[str, ...] = field(default=(), compare=False, repr=False)
    leaks: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    shared_images: tuple[str, ...] = field(default=(), compare=False, repr=False)
    per_class: tuple[ClassRow, ...] = field(default=(), compare=False, repr=False)
    scorers: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)
    tests: Mapping[str, tuple[TestScores, ...]] = field(default_factory=dict, compare=False, repr=False)
    samples: Mapping[str, Sample] = field(default_factory=dict, compare=False, repr=False)
    draws: Floats | None = field(default=None, compare=False, repr=False)
    seed_numbers: tuple[int, ...] = field(default=(), compare=False, repr=False)
    against_no_text: tuple[Floats, Floats] | None = field(default=None, compare=False, repr=False)

    def with_mark(self, mark: str) -> LeaderboardRow:
        """Return the row with one more mark."""
        return replace(self, mark=", ".join(sorted({*filter(None, self.mark.split(", ")), mark})))

    @property
    def label(self) -> str:
        """The model as tables print it: with its size, the options of its row and its marks."""
        name = f"{self.model} ({self.size})" if self.size else self.model
        name = f"{name}, {self.options}" if self.options else name
        name = f"{name} - {self.variant}" if self.variant else name
        return f"{name} [{self.mark}]" if self.mark else name

    @property
    def legend(self) -> str:
        """What the variant changes, in words and in arguments."""
        return f"{self.variant_about} ({self.variant_changes})"

    @property
    def control(self) -> bool:
        """Whether the row is a control and no model."""
        return self.model.startswith("control:")

    @property
    def reads_text(self) -> bool:
        """Whether the model reads text; of a method outside the zoo, nobody knows."""
        return self.text_track not in ("none", "")

    @property
    def true_tests(self) -> tuple[TestScores, ...]:
        """The scores with the true text, one test per seed."""
        return self.tests.get(TRUE_TEXT_STEP, ())

    @property
    def sample(self) -> Sample | None:
        """The scores with the true text by seed, case and class."""
        return self.samples.get(TRUE_TEXT_STEP)


def unique_labels(rows: Sequence[LeaderboardRow]) -> dict[LeaderboardRow, str]:
    """Return the label of each row, with the encoder where two rows have the same label."""
    labels = [row.label for row in rows]
    return {
        row: f"{row.label}, {row.encoder}" if labels.count(row.label) > 1 and row.encoder else row.label for row in rows
    }
