"""Names of npz files that were packed from many public data sets: stems, and the subjects that they show."""

from __future__ import annotations

import re
from pathlib import Path

from datamodules.index.case_names import normalise_name

_COPY = re.compile(r" ?\(\d+\)$")  # "name(1).npz": a browser adds the number if it downloads a file twice
_SUBJECTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(totalseg_mr)_(s\d{4})$",
        r"(totalseg)[-_].*?(s\d{4})$",
        r"(bratsgli_\d+)",
        r"(amos_\d+)",
        r"(chaos)-t\d_(\d+)",
        r"(?:petct|fdg|psma)_([0-9a-f]{10,16})",
        r"((?:prostatex|msd-prostate|nci-prostate\w+-\d+)[-_]\d+)",
        r"(sub-strokecase\d+)",
        r"(wmh)_(?:flair|t1)(_.+)$",
        r"(lidc-idri-\d+)",
        r"(lung1-\d+)",
        r"(?:lungmasks|lunglesions)_(lung_\d+)",
        r"(nih-lymph-[a-z]+-\d+)",
        r"(panorama_\d+)",
        r"(covid19-a-\d+)",
        r"(segrap_\d+)",
        r"(hntsmrg24_\d+)",
        r"(pcampmri-\d+)",
        r"(patient\d+)",
        r"(urocell_\d+)",
    )
)
"""The identifiers of the sources that are in several data sets, or that have several files per subject."""


def list_npz(folder: Path, pattern: str) -> list[Path]:
    """List the npz files of a pattern below a folder, sorted. Files `._*` of macOS are ignored."""
    return [path for path in sorted(folder.glob(pattern)) if not path.name.startswith(".")]


def subject_of(path: Path) -> str:
    """The subject of a file: the identifier of its source where a source is in several data sets, else its name.

    Example:
        >>> subject_of(Path("CT_TotalSeg_muscles_s0915.npz")), subject_of(Path("MR_CHAOS-T1_20_T1DUAL(1).npz"))
        ('totalseg_s0915', 'chaos_20')
    """
    name = file_stem(path)
    found = next((match for pattern in _SUBJECTS if (match := pattern.search(name))), None)
    return name if found is None else "_".join(part.strip("_") for part in found.groups()).lower()


def file_stem(path: Path) -> str:
    """The name of a file without its suffix and without the number of a second download."""
    return _COPY.sub("", normalise_name(path.stem))
