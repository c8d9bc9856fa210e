"""The required content of `configs/splits`, from the ids in the documentation of the data sets.

`python -m tests.helpers.shipped_splits` writes the files again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.index.split_files import to_text
from datamodules.index.splits import SPLITS, cut_fold
from datamodules.sets.acdc import PHASES
from zoo.registry import CONFIGS
from zoo.types import Case

FOLDS = 5
ACDC_GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")
CHAOS_CT = (1, 2, 5, 6, 8, 10, 14, 16, 18, 19, *range(21, 31))
CHAOS_MR = (1, 2, 3, 5, 8, 10, 13, 15, 19, 20, 21, 22, *range(31, 35), *range(36, 40))
"""Numbers of the 20 labelled patients of each modality."""

SOURCES = {
    (
        "btcv",
        "24-6",
    ): "The list that came with UNETR and is used since (MONAI's tutorials print it), whose 6 validation "
    "cases are what is reported: 0035 to 0040. val: 4 of the 24 by "
    "numpy.random.default_rng(0).choice(24 sorted ids, 4, replace=False).",
    (
        "btcv",
        "18-12",
    ): "lists/lists_Synapse/{train,test_vol}.txt of github.com/Beckschen/TransUNet, whose 12 volumes are "
    "reported since. val: 3 of the 18 by numpy.random.default_rng(0).choice(18 sorted ids, 3, replace=False).",
    ("acdc", "official"): "test: patients 101 to 150, the challenge's testing part. val: a tenth of each group of the "
    "training part (1-20 DCM, 21-40 HCM, 41-60 MINF, 61-80 NOR, 81-100 RV by the archive's Info.cfg), by our "
    "hold_out_val.",
    (
        "acdc",
        "70-10-20",
    ): "The challenge's 100 training patients by patient and group, by our cut_by_subject: the sizes "
    "in common use, not a published list.",
}
OURS = "The {} labelled cases, by our cut_by_subject; no published list parts them."
FOLDS_SOURCE = " Folds: by our cut_fold."


def cases_of(name: str) -> list[Case]:
    """Return the labelled cases of a complete data set, in the order of its index."""
    if name == "btcv":
        return [_case(f"{number:04d}") for number in (*range(1, 11), *range(21, 41))]
    if name == "acdc":
        patients = [f"patient{number:03d}" for number in range(1, 151)]
        return [_case(f"{patient}_{phase}", patient) for patient in patients for phase in PHASES]
    if name.startswith("mmwhs"):
        kinds = ("ct", "mr") if name == "mmwhs" else (name.removeprefix("mmwhs_"),)
        return [_case(f"{kind}_train_{number}") for kind in kinds for number in range(1001, 1021)]
    kind, numbers = ("ct", CHAOS_CT) if name == "chaos_ct" else ("mr", CHAOS_MR)
    return [_case(f"{kind}_{number}") for number in numbers]


def module_of(name: str, protocol: str) -> SegDataModule:
    """Return the data module of the complete archive, without a file."""
    data = build_datamodule(name, protocol=protocol)
    if name == "acdc":
        folders = [Path(case.subject) for case in cases_of(name)[::2]]
        groups = {folder.name: ACDC_GROUPS[min(number // 20, 4)] for number, folder in enumerate(folders)}
        vars(data).update(_patients={"training": folders[:100], "testing": folders[100:]}, _diagnoses=groups)
    return data


def content_of(name: str) -> dict[str, Any]:
    """Return the content of `configs/splits/<name>.json`."""
    content = {}
    for protocol in build_datamodule(name).card.protocols:
        data, cases = module_of(name, protocol), cases_of(name)
        split = data.split_cases(cases)
        folds = [cut_fold(split, fold, FOLDS, data.card.protocols[protocol].own_test) for fold in range(FOLDS)]
        source = SOURCES.get((name, protocol), OURS.format(len(split.subjects)))
        content[protocol] = {
            "source": source + FOLDS_SOURCE,
            **{part: list(split.ids_of(part)) for part in SPLITS},
            "folds": [{part: list(fold.ids_of(part)) for part in SPLITS} for fold in folds],
        }
    return content


def _case(case_id: str, subject: str = "") -> Case:
    return Case(case_id, (Path(case_id),), None, subject or case_id)


NAMES = ("acdc", "btcv", "chaos", "chaos_ct", "chaos_t1dual", "mmwhs", "mmwhs_ct", "mmwhs_mr")

if __name__ == "__main__":
    for shipped in NAMES:
        path = CONFIGS / "splits" / f"{shipped}.json"
        path.write_text(to_text(content_of(shipped)) + "\n", encoding="utf-8")
