"""Images that come twice: exactly, by a hash of their values, or nearly, by what they look like.

Two images are nearly the same where their perceptual hashes (`imagehash.phash` of the middle slice) differ in at
most `BITS` of 64 and their thumbnails correlate by `LIKENESS`, as values and as ranks. The hash alone is not
enough: chest X-rays of two people can be 4 bits apart. Ranks keep a bright outline that all images share
(a body in air) from standing for the whole. Measured on the real QaTa-COV19 (1009 images, 509 thousand pairs):
of the pairs of two subjects at most 4 bits apart, the one true near-duplicate correlates by 0.96 and the next pair
by 0.88. Of the real hippocampi (100 volumes) no two correlate by more than 0.79. Images of one subject may look
alike (two visits, adjacent slices) and are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import rankdata

from datamodules.index.findings import Finding
from zoo.errors import Fault
from zoo.types import Case

BITS = 4
LIKENESS = {1: 0.95, 3: 0.98}
"""By how many slices a thumbnail has: a picture may have been cut out anew, a volume is exported as it is."""

_SIDE = 32  # of a thumbnail
_GRAYS = 64  # of a thumbnail whose ranks are compared: noise in a dark border has no rank
_ROWS = 512  # hashes compared at once with all later ones


class Look(NamedTuple):
    """What is kept of an image.

    Attributes:
        case_id: The case.
        subject: Its person.
        file: Its first image.
        digest: Hash of the values and shapes of all channels.
        phash: Perceptual hash, 64 bits; None where the image is constant.
        thumbnail: uint8, the middle slices of the first channel's file, small.
    """

    case_id: str
    subject: str
    file: str
    digest: bytes
    phash: np.uint64 | None
    thumbnail: NDArray[np.uint8]

    def joined(self, others: Sequence[Look]) -> Look:
        """The look of a case of several files: the first one's, and the digest of all."""
        if not others:
            return self
        return self._replace(digest=blake2b(b"".join(look.digest for look in (self, *others))).digest())


class Twins(NamedTuple):
    """An image and an earlier one that it equals.

    Attributes:
        look: The later one.
        other: The earlier one.
        near: Whether they are nearly the same, and not exactly.
    """

    look: Look
    other: Look
    near: bool


def look_at(case: Case, image: NDArray[np.float32]) -> Look:
    """The look of one file of a case, float32 [C, *S]."""
    digest = blake2b(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    pictures = [_gray(picture) for picture in _middle(image)]
    thumbnails = [np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)) for picture in pictures]
    flat = np.concatenate([thumbnail.ravel() for thumbnail in thumbnails])
    phash = None if flat.min() == flat.max() else _phash(pictures[0])
    return Look(case.case_id, case.subject, str(case.images[0]), digest.digest(), phash, flat)


def duplicate_findings(looks: Sequence[Look], parts: Mapping[str, str]) -> list[Finding]:
    """The images that come twice, each named with the first that it equals.

    Args:
        looks: In the order of the cases.
        parts: The part of each case id; two images in two parts are the weightier finding.
    """
    return [_finding(look, other, parts, near) for look, other, near in twins(looks)]


def twins(looks: Sequence[Look]) -> list[Twins]:
    """The images that come twice, exact ones first, each with the first that it equals."""
    first: dict[bytes, Look] = {}
    pairs = []
    for look in looks:
        other = first.setdefault(look.digest, look)
        if other.case_id != look.case_id:  # one that the index names twice is told as that
            pairs.append(Twins(look, other, near=False))
    found: set[str] = set()
    for other, look in _near_pairs([look for look in first.values() if look.phash is not None]):
        if look.case_id not in found:
            found.add(look.case_id)
            pairs.append(Twins(look, other, near=True))
    return pairs


def _finding(look: Look, other: Look, parts: Mapping[str, str], near: bool) -> Finding:
    """The second image of a pair against the first."""
    here, there = parts.get(look.case_id, ""), parts.get(other.case_id, "")
    same = "nearly the same image as" if near else "the same image as"
    kind: Fault
    if here and there and here != there:
        kind = "near_duplicate_across_parts" if near else "duplicate_across_parts"
        problem = f"{look.file}: in {here}, {same} {other.file} in {there}."
    else:
        kind = "near_duplicate" if near else "duplicate"
        problem = f"{look.file}: {same} {other.file}."
    fix = "Look at both; if they are one, remove one." if near else "Remove one of the two."
    return Finding(look.case_id, look.file, kind, problem, fix)


def _near_pairs(looks: Sequence[Look]) -> Iterator[tuple[Look, Look]]:
    """The pairs of two subjects that look alike, in order of the second."""
    hashes = np.array([look.phash for look in looks], dtype=np.uint64)
    candidates = []
    for start in range(0, len(looks), _ROWS):
        block = hashes[start : start + _ROWS]
        for row, column in np.argwhere(np.bitwise_count(block[:, None] ^ hashes[None, start:]) <= BITS).tolist():
            if row < column:
                candidates.append((start + column, start + row))
    for later, earlier in sorted(candidates):
        one, two = looks[earlier], looks[later]
        if one.subject != two.subject and _alike(one.thumbnail, two.thumbnail):
            yield one, two


def _alike(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> bool:
    if one.shape != two.shape:
        return False
    step = 256 // _GRAYS
    ranks = (rankdata(one // step), rankdata(two // step))
    due = LIKENESS[one.size // _SIDE**2]
    return _correlation(one, two) >= due and _correlation(*ranks) >= due


def _correlation(one: NDArray[np.generic], two: NDArray[np.generic]) -> float:
    if min(np.ptp(one), np.ptp(two)) == 0:
        return 0.0
    return float(np.corrcoef(one.astype(np.float64), two.astype(np.float64))[0, 1])


def _middle(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The picture in gray, or the three middle slices of a volume's first channel, the axial one first."""
    if image.ndim == 3:
        return [image.mean(axis=0)]
    volume = image[0]
    return [np.take(volume, volume.shape[axis] // 2, axis=axis) for axis in (2, 1, 0)]


def _gray(picture: NDArray[np.float32]) -> Image.Image:
    """Eight bits between the first and the last percent of the values."""
    low, high = np.percentile(picture, (1, 99))
    if high <= low:
        low, high = picture.min(), picture.max()
    scaled = np.clip((picture - low) / max(float(high - low), 1e-12), 0, 1)
    return Image.fromarray(np.rint(scaled * 255).astype(np.uint8))


def _phash(picture: Image.Image) -> np.uint64:
    import imagehash

    return np.uint64(np.packbits(imagehash.phash(picture).hash).view(np.uint64)[0])
