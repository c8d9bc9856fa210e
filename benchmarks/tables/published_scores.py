"""Published numbers from sources that were read, each with its citation, split and convention.

A number is listed only if the text or a table of the paper was read, or the public repository of an independent re-run.
Numbers from memory or from summaries are not listed.

Papers use "Dice" for two numbers: the mean over images, and the ratio of pixels pooled over all images. The same model
differs by more than five points between them. The Dice D and the IoU of a table show which number it has: pooled pairs
satisfy IoU = D / (2 - D) up to rounding, and means over images have a larger IoU.
"""

from __future__ import annotations

from dataclasses import dataclass

PER_IMAGE, POOLED, UNKNOWN = "dice per image", "dice pooled", "not stated"
"""The conventions: our `dice` on a data set with one class, our `dice_global`, and an unknown one."""

OURS = {PER_IMAGE: "dice", POOLED: "dice_global"}
"""Convention to the column of our table with the same convention."""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of published numbers.

    Attributes:
        key: Short name.
        citation: Authors or repository, title, venue.
        where: Place within the source.
        rerun: Whether others than the authors of the method have run it.
    """

    key: str
    citation: str
    where: str
    rerun: bool = False


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One published number.

    Attributes:
        data: Our name of the data set.
        method: The name of the method in the source.
        model: Our model of the method; empty where there is none.
        dice: Dice in percent.
        iou: IoU in percent, None where the source has none.
        convention: One of `PER_IMAGE`, `POOLED`, `UNKNOWN`.
        split: Number of train, val and test images, by the source or its code.
        test: Number of test images.
        source: The source.
        std: Standard deviation over seeds in percent points, None where the source has none.
        note: A remark.
    """

    data: str
    method: str
    model: str
    dice: float
    iou: float | None
    convention: str
    split: str
    test: int
    source: Source
    std: float | None = None
    note: str = ""


LVIT = Source(
    "LViT",
    "Li et al., LViT: Language meets Vision Transformer in medical image segmentation, IEEE TMI 2023",
    "table of results, also in its repository's README",
)
ARIADNE = Source(
    "LanGuideMedSeg",
    "Zhong et al., Ariadne's Thread: Using text prompts to improve segmentation of infected areas from chest X-ray "
    "images, MICCAI 2023",
    "table of results on QaTa-COV19",
)
STPNET = Source("STPNet", "STPNet, its authors' paper and repository", "table of results")
TMC = Source("TMC", "arXiv 2506.07475, v3", "abstract")
FRECS = Source("FReCS-Net", "the public repository of FReCS-Net", "its re-runs at 224x224", rerun=True)
AUDIT = Source(
    "audit",
    "github.com/drizzyallen/LanguageGuidedMedicalSegmentation",
    "audit over three seeds, without augmentation",
    rerun=True,
)

_QATA, _QATA_TEST = "5716/1429/2113", 2113
_MOSMED, _MOSMED_TEST = "2183/273/273", 273
_AUDITED, _AUDITED_TEST = "1746/437/546", 546
_LEAKS = "slices of one study are in train and test"

PUBLISHED = (
    PublishedScore("qata_cov19", "U-Net", "unet", 79.02, 69.46, PER_IMAGE, _QATA, _QATA_TEST, LVIT),
    PublishedScore("qata_cov19", "LViT-T", "", 83.66, 75.11, PER_IMAGE, _QATA, _QATA_TEST, LVIT),
    PublishedScore(
        "qata_cov19", "STPNet", "", 80.63, 71.42, PER_IMAGE, _QATA, _QATA_TEST, STPNET, note="no text at the test"
    ),
    PublishedScore(
        "qata_cov19", "TMC", "", 84.65, None, UNKNOWN, "not stated", 0, TMC, note="84.77 in its first version"
    ),
    PublishedScore("qata_cov19", "U-Net", "unet", 82.99, 70.92, POOLED, _QATA, _QATA_TEST, ARIADNE),
    PublishedScore("qata_cov19", "U-Net++", "", 83.69, 71.96, POOLED, _QATA, _QATA_TEST, ARIADNE),
    PublishedScore("qata_cov19", "Attention U-Net", "", 82.40, 70.06, POOLED, _QATA, _QATA_TEST, ARIADNE),
    PublishedScore("qata_cov19", "Swin UNETR", "", 80.02, 66.69, POOLED, _QATA, _QATA_TEST, ARIADNE),
    PublishedScore("qata_cov19", "LViT with CXR-BERT", "", 84.92, 73.79, POOLED, _QATA, _QATA_TEST, ARIADNE),
    PublishedScore("qata_cov19", "LanGuideMedSeg", "lan_guide", 89.78, 81.45, POOLED, _QATA, _QATA_TEST, ARIADNE),
    PublishedScore("qata_cov19", "LanGuideMedSeg", "lan_guide", 83.88, 75.29, PER_IMAGE, _QATA, _QATA_TEST, FRECS),
    PublishedScore("qata_cov19", "U-Net", "unet", 78.45, None, PER_IMAGE, _QATA, _QATA_TEST, AUDIT),
    PublishedScore("qata_cov19", "LViT", "", 81.76, None, PER_IMAGE, _QATA, _QATA_TEST, AUDIT, std=0.18),
    PublishedScore("qata_cov19", "RecLMIS", "", 83.69, None, PER_IMAGE, _QATA, _QATA_TEST, AUDIT, std=0.38),
    PublishedScore("mosmed_plus", "U-Net", "unet", 64.60, 50.73, PER_IMAGE, _MOSMED, _MOSMED_TEST, LVIT, note=_LEAKS),
    PublishedScore("mosmed_plus", "LViT-T", "", 74.57, 61.33, PER_IMAGE, _MOSMED, _MOSMED_TEST, LVIT, note=_LEAKS),
    PublishedScore("mosmed_plus", "STPNet", "", 76.18, 63.41, PER_IMAGE, _MOSMED, _MOSMED_TEST, STPNET, note=_LEAKS),
    PublishedScore("mosmed_plus", "TMC", "", 78.39, None, UNKNOWN, "not stated", 0, TMC, note=_LEAKS),
    PublishedScore("mosmed_plus", "U-Net", "unet", 79.37, None, PER_IMAGE, _AUDITED, _AUDITED_TEST, AUDIT, note=_LEAKS),
    PublishedScore(
        "mosmed_plus", "Panoptic FPN", "", 80.76, None, PER_IMAGE, _AUDITED, _AUDITED_TEST, AUDIT, note=_LEAKS
    ),
    PublishedScore("mosmed_plus", "LViT", "", 79.29, None, PER_IMAGE, _AUDITED, _AUDITED_TEST, AUDIT, note=_LEAKS),
    PublishedScore("mosmed_plus", "RecLMIS", "", 78.89, None, PER_IMAGE, _AUDITED, _AUDITED_TEST, AUDIT, note=_LEAKS),
    PublishedScore("monuseg", "U-Net", "unet", 76.45, 62.86, PER_IMAGE, "24/6/14", 14, LVIT),
    PublishedScore("monuseg", "LViT-T", "", 80.36, 67.31, PER_IMAGE, "24/6/14", 14, LVIT),
)
"""Every published number, with the convention that its Dice and IoU show; a test checks the pairs."""

NOT_READ = {
    "bipvl": "BiPVL-Seg (arXiv 2503.23534): only the abstract and the figure could be read, no result number",
    "tmca": "TMCA (arXiv 2412.13533, Expert Systems with Applications 2026): only the abstracts, no result number",
    "tevia": "TeViA: only the abstract, no result number; its repository has neither logs nor results",
}
"""Our models without a readable published number, and why."""


def published_on(data: str) -> tuple[PublishedScore, ...]:
    """Return the published numbers of a data set, sorted by convention."""
    order = [PER_IMAGE, POOLED, UNKNOWN]
    mine = [number for number in PUBLISHED if number.data == data]
    return tuple(sorted(mine, key=lambda number: order.index(number.convention)))
