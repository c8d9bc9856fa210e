"""The row of a leaderboard: what a model, one variant of its ablation or a control has scored, over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from benchmarks.leaderboard.statistics import Floats
from benchmarks.leaderboard.subjects import Sample
from benchmarks.storage.results import Scored


@dataclass(frozen=True, slots=True)
class ClassRow:
    """What a row has scored on one class: means over its seeds, and deviations (ddof 1) where it has several.

    `scored`, `missed`, `spurious` and `absent` count cases of one seed. A figure is None where the class is absent
    in every case.
    """

    label: str
    scored: float
    dice: float | None
    dice_std: float | None
    dice_global: float | None
    hd95: float | None
    hd95_std: float | None
    hd95_pooled: float | None
    nsd: float | None
    assd: float | None
    missed: float
    spurious: float
    absent: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the leaderboard; the fields that compare are the columns of the CSV, in its order.

    A figure is None where it does not exist: for an incomplete row, a text-free model's text gain,
    the deviation of a single seed, the interval of too few subjects, the delta of what is no variant. A complete
    row's status is "ok", a variant's "variant", a control's "control". `docs/metrics.md` and `docs/statistics.md`
    define the columns.
    """

    model: str
    size: str = ""
    encoder: str = ""
    data: str = ""
    text_track: str = "none"
    n: int | None = None
    seeds: int | None = None
    dice: float | None = None
    dice_std: float | None = None
    dice_global: float | None = None
    hd95: float | None = None
    hd95_std: float | None = None
    hd95_unit: str = ""
    missed: float | None = None
    spurious: float | None = None
    text_gain: float | None = None
    text_gain_blank: float | None = None
    params: int | None = None
    params_trainable: int | None = None
    hd95_pooled: float | None = None
    nsd: float | None = None
    assd: float | None = None
    seeds_planned: int | None = None
    budget: str = ""
    split_hash: str = ""
    prompt_hash: str = ""
    metric_version: str = ""
    status: str = "ok"
    reason: str = ""
    mark: str = ""
    variant: str = ""
    variant_about: str = ""
    variant_changes: str = ""
    delta_dice: float | None = None
    delta_dice_std: float | None = None
    delta_seeds: int | None = None
    recipe: str = "equal"
    folds: int | None = None
    subjects: int | None = None
    dice_low: float | None = None
    dice_high: float | None = None
    dice_subjects: float | None = None
    hd95_low: float | None = None
    hd95_high: float | None = None
    text_gain_low: float | None = None
    text_gain_high: float | None = None
    text_gain_names: float | None = None
    dice_shuffled: float | None = None
    dice_blank: float | None = None
    dice_names: float | None = None
    classes: str = ""
    label_space: str = ""
    cases_hash: str = ""
    jobs: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Ids of the jobs that it is made of, done or not, by seed and fold."""
    leaks: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    """Subjects that stand in more than one part, with the parts."""
    twins: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Of a control: the images of its data that two parts share, in words."""
    per_class: tuple[ClassRow, ...] = field(default=(), compare=False, repr=False)
    """The figures of each class, in the order of the label space."""
    scored: tuple[Scored, ...] = field(default=(), compare=False, repr=False)
    """The rows of cases with the true text, one test a seed."""
    samples: Mapping[str, Sample] = field(default_factory=dict, compare=False, repr=False)
    """Step ("test", "test-shuffled", ...) to the scores by seed, case and class."""
    draws: Floats | None = field(default=None, compare=False, repr=False)
    """The Dice under the bootstrap; draw b is of the same subjects in every row of a cohort."""

    @property
    def label(self) -> str:
        """The model with its size, as it is printed: a toy never bears the bare name, nor a marked row a clean one."""
        name = f"{self.model} ({self.size})" if self.size else self.model
        name = f"{name} - {self.variant}" if self.variant else name
        return f"{name} [{self.mark}]" if self.mark else name

    @property
    def legend(self) -> str:
        """What the row's variant changes, in words and in arguments."""
        return f"{self.variant_about} ({self.variant_changes})"

    @property
    def control(self) -> bool:
        """Whether the row is a control and no model."""
        return self.model.startswith("control:")

    @property
    def sample(self) -> Sample | None:
        """The scores with the true text."""
        return self.samples.get("test")


COLUMNS = tuple(one.name for one in fields(Row) if one.compare)


def names_of(rows: Sequence[Row]) -> dict[Row, str]:
    """The label of each row, with the encoder where two share the label."""
    labels = [row.label for row in rows]
    return {
        row: f"{row.label}, {row.encoder}" if labels.count(row.label) > 1 and row.encoder else row.label for row in rows
    }
