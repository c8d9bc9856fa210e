"""Find duplicate images: exact ones by a hash of their values, near ones by their appearance.

Two images are near duplicates if two conditions hold. Their perceptual hashes (`imagehash.phash` of the middle slice)
differ in at most `BITS` of 64 bits. Their thumbnails correlate by at least `CORRELATION`, as values and as ranks.

The hash alone is not enough: chest X-rays of two people can differ in 4 bits only. Ranks reduce the weight of a bright
outline that all images share (a body in air). Measured on the real QaTa-COV19 (1009 images, 509 thousand pairs): among
the pairs of two subjects that differ in at most 4 bits, the only true near duplicate correlates by 0.96, and the next
pair by 0.88. Among the real hippocampi (100 volumes), no pair correlates by more than 0.79. Images of one subject may
look similar (two visits, adjacent slices) and are not compared.
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
CORRELATION = {1: 0.95, 3: 0.98}
"""Least correlation, by the number of slices in a thumbnail. It is lower for pictures (1 slice), because a picture may
have been cropped again; a volume (3 slices) is exported unchanged."""

_SIDE = 32  # height and width of a thumbnail
_GRAYS = 64  # gray values of a thumbnail before ranking, so that noise in a dark border gets no ranks
_ROWS = 512  # number of hashes that are compared at once with all later ones


class ImageSignature(NamedTuple):
    """What is kept of an image to compare it with others.

    Attributes:
        case_id: The case.
        subject: The person that the image comes from.
        file: The first image file of the case.
        digest: Hash of the values and shapes of all channels.
        phash: Perceptual hash, 64 bits; None for a constant image.
        thumbnail: uint8, the middle slices of the first image file, reduced and flattened.
    """

    case_id: str
    subject: str
    file: str
    digest: bytes
    phash: np.uint64 | None
    thumbnail: NDArray[np.uint8]

    def join(self, others: Sequence[ImageSignature]) -> ImageSignature:
        """Return the signature of a case with several files: that of the first file, with the digest of all files."""
        if not others:
            return self
        return self._replace(digest=blake2b(b"".join(one.digest for one in (self, *others))).digest())


class DuplicatePair(NamedTuple):
    """An image and an earlier image that is the same.

    Attributes:
        later: The later image in the order of the cases.
        earlier: The earlier image.
        near: True: the images are near duplicates. False: they are equal.
    """

    later: ImageSignature
    earlier: ImageSignature
    near: bool


def compute_signature(case: Case, image: NDArray[np.float32]) -> ImageSignature:
    """Compute the signature of one image file of a case, float32 [C, *S]."""
    digest = blake2b(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    pictures = [_gray(picture) for picture in _middle(image)]
    thumbnails = [np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)) for picture in pictures]
    flat = np.concatenate([thumbnail.ravel() for thumbnail in thumbnails])
    phash = None if flat.min() == flat.max() else _phash(pictures[0])
    return ImageSignature(case.case_id, case.subject, str(case.images[0]), digest.digest(), phash, flat)


def report_duplicates(signatures: Sequence[ImageSignature], split_of: Mapping[str, str]) -> list[Finding]:
    """List the duplicate images as findings, each with the first image that is the same.

    Args:
        signatures: In the order of the cases.
        split_of: "train", "val" or "test" by case id. Two equal images in two of them are the more serious finding.
    """
    return [_finding(pair, split_of) for pair in find_duplicates(signatures)]


def find_duplicates(signatures: Sequence[ImageSignature]) -> list[DuplicatePair]:
    """Find the duplicate images, equal ones first, each with the first image that is the same."""
    first: dict[bytes, ImageSignature] = {}
    pairs = []
    for one in signatures:
        other = first.setdefault(one.digest, one)
        if other.case_id != one.case_id:  # a case id that the index lists twice is a finding of its own
            pairs.append(DuplicatePair(one, other, near=False))
    found: set[str] = set()
    for pair in _near_pairs([one for one in first.values() if one.phash is not None]):
        if pair.later.case_id not in found:
            found.add(pair.later.case_id)
            pairs.append(pair)
    return pairs


def find_pairs(ones: Sequence[ImageSignature], others: Sequence[ImageSignature]) -> list[DuplicatePair]:
    """Find the images of one data set that are in another one: each with the first image that is the same.

    Images of one name in two data sets may be of one person, and are compared all the same.

    Args:
        ones: The images of the data set.
        others: The images of the other data set.

    Returns:
        Pairs of an image of `ones` (later) and an image of `others` (earlier), in the order of `ones`.
    """
    first: dict[bytes, ImageSignature] = {}
    for other in others:
        first.setdefault(other.digest, other)
    known = [other for other in others if other.phash is not None]
    hashes = np.array([other.phash for other in known], dtype=np.uint64)
    pairs = []
    for one in ones:
        if one.digest in first:
            pairs.append(DuplicatePair(one, first[one.digest], near=False))
        elif one.phash is not None:
            close = np.flatnonzero(np.bitwise_count(hashes ^ one.phash) <= BITS).tolist()
            same = [known[place] for place in close if _are_similar(known[place].thumbnail, one.thumbnail)]
            pairs += [DuplicatePair(one, other, near=True) for other in same[:1]]
    return pairs


def _finding(pair: DuplicatePair, split_of: Mapping[str, str]) -> Finding:
    """The finding about the later image of a pair."""
    later, earlier, near = pair
    here, there = split_of.get(later.case_id, ""), split_of.get(earlier.case_id, "")
    same = "nearly the same image as" if near else "the same image as"
    kind: Fault
    if here and there and here != there:
        kind = "near_duplicate_across_parts" if near else "duplicate_across_parts"
        problem = f"{later.file}: in {here}, {same} {earlier.file} in {there}."
    else:
        kind = "near_duplicate" if near else "duplicate"
        problem = f"{later.file}: {same} {earlier.file}."
    fix = "Look at both images; if they are the same, remove one." if near else "Remove one of the two."
    return Finding(later.case_id, later.file, kind, problem, fix)


def _near_pairs(signatures: Sequence[ImageSignature]) -> Iterator[DuplicatePair]:
    """The near duplicates of two subjects, in the order of the later image."""
    hashes = np.array([one.phash for one in signatures], dtype=np.uint64)
    candidates = []
    for start in range(0, len(signatures), _ROWS):
        block = hashes[start : start + _ROWS]
        for row, column in np.argwhere(np.bitwise_count(block[:, None] ^ hashes[None, start:]) <= BITS).tolist():
            if row < column:
                candidates.append((start + column, start + row))
    for later, earlier in sorted(candidates):
        one, two = signatures[earlier], signatures[later]
        if one.subject != two.subject and _are_similar(one.thumbnail, two.thumbnail):
            yield DuplicatePair(two, one, near=True)


def _are_similar(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> bool:
    if one.shape != two.shape:
        return False
    step = 256 // _GRAYS
    ranks = (rankdata(one // step), rankdata(two // step))
    least = CORRELATION[one.size // _SIDE**2]
    return _correlation(one, two) >= least and _correlation(*ranks) >= least


def _correlation(one: NDArray[np.generic], two: NDArray[np.generic]) -> float:
    if min(np.ptp(one), np.ptp(two)) == 0:
        return 0.0
    return float(np.corrcoef(one.astype(np.float64), two.astype(np.float64))[0, 1])


def _middle(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The gray picture, or the three middle slices of the first channel of a volume, the axial one first."""
    if image.ndim == 3:
        return [image.mean(axis=0)]
    volume = image[0]
    return [np.take(volume, volume.shape[axis] // 2, axis=axis) for axis in (2, 1, 0)]


def _gray(picture: NDArray[np.float32]) -> Image.Image:
    """The picture in 8 bits; the values between the 1st and the 99th percentile span the range."""
    low, high = np.percentile(picture, (1, 99))
    if high <= low:
        low, high = picture.min(), picture.max()
    scaled = np.clip((picture - low) / max(float(high - low), 1e-12), 0, 1)
    return Image.fromarray(np.rint(scaled * 255).astype(np.uint8))


def _phash(picture: Image.Image) -> np.uint64:
    import imagehash

    return np.uint64(np.packbits(imagehash.phash(picture).hash).view(np.uint64)[0])
