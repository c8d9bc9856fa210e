"""Generator of `phantom_abdomen`: a small abdomen as in CT with seven organs, of which some may be absent.

All sizes are in millimetres in a box of 96 x 96 x 120 mm. The body is small, so that a volume with a realistic spacing
has few voxels. The axes are RAS: the first points to the right of the patient, the second to the front, the third to
the head.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from datamodules.phantoms.random_fields import Floats, pixel_centres, random_stream, smooth_field

EXTENT = (96.0, 96.0, 120.0)
"""Edge lengths of the box in mm, in RAS order."""

_AIR, _FAT, _MUSCLE, _BONE, _VESSEL = -1000.0, -90.0, 55.0, 400.0, 130.0
_NOISE = 15.0
_SPREAD = 6.0  # largest difference of an organ's mean between a case and the average, in Hounsfield units


class Organ(NamedTuple):
    """Parameters of one organ.

    Attributes:
        centre: Mean position in mm from the centre of the box, in RAS order.
        radii: Mean half axes in mm.
        hounsfield: Mean intensity in Hounsfield units.
        absent: Probability that a case does not have the organ.
        wander: Largest distance from the mean position per axis, in mm.
        tilt: Largest rotation about each axis, in degrees.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    hounsfield: float
    absent: float = 0.0
    wander: float = 2.0
    tilt: float = 12.0


ORGANS = {
    "spleen": Organ((-27, -9, 22), (8, 10, 15), 125, absent=0.15),
    "right_kidney": Organ((17, -18, -14), (7.5, 7.5, 16), 190, absent=0.08),
    "left_kidney": Organ((-17, -18, -8), (7.5, 7.5, 16), 190, absent=0.08),
    "gallbladder": Organ((16, 16, -8), (5.5, 5.5, 10), 10, absent=0.2, wander=1.5),
    "liver": Organ((18, 3, 20), (19, 22, 20), 105),
    "stomach": Organ((-15, 14, 18), (11, 11, 17), 35),
    "aorta": Organ((-4, -14, 0), (4, 4, 80), 260, wander=1.0, tilt=2.0),
}
"""Organs in label order (1, 2, ...). Where two organs overlap, the voxels belong to the smaller one."""


class AbdomenCase(NamedTuple):
    """A generated case.

    Attributes:
        image: float32 [X, Y, Z] in Hounsfield units, whole numbers as in a CT file.
        label: uint8 [X, Y, Z], 0 or the number of the organ in `ORGANS`, from 1.
        affine: float64 [4, 4], from voxels to mm; axes in RAS order.
    """

    image: NDArray[np.float32]
    label: NDArray[np.uint8]
    affine: Floats


def draw_abdomen(seed: int, split: str, index: int, shape: tuple[int, int, int] = (48, 48, 24)) -> AbdomenCase:
    """Draw a case.

    Args:
        seed: Seed of the data set, not of a run.
        split: "train", "val" or "test".
        index: Number of the case in its split.
        shape: Number of voxels per axis of the box `EXTENT`: (96, 96, 48) has a spacing of 1.0 x 1.0 x 2.5 mm, the
            default 2 x 2 x 5 mm. Except for its noise, a case is the same body at every shape.
    """
    rng = random_stream(seed, split, index)
    spacing = voxel_spacing(shape)
    axes = [edge * (pixel_centres(count) - 0.5) for edge, count in zip(EXTENT, shape, strict=True)]
    shift = rng.uniform(-2, 2, size=3)
    image = _trunk(rng, axes, shift)
    label = np.zeros(shape, np.uint8)
    for name, value in _largest_first():
        organ = ORGANS[name]
        box, inside, hounsfield = _draw_organ(rng, organ, axes, shift)
        if rng.uniform() >= organ.absent:
            label[box][inside] = value
            image[box][inside] = hounsfield
    image = gaussian_filter(image, [0.8 / step for step in spacing[:2]] + [0.0])  # blur of 0.8 mm within a slice
    image = image + _NOISE * rng.standard_normal(shape)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [(step - edge) / 2 for step, edge in zip(spacing, EXTENT, strict=True)]
    return AbdomenCase(np.rint(image.clip(-1024, 3071)).astype(np.float32), label, affine)


def voxel_spacing(shape: tuple[int, int, int]) -> tuple[float, float, float]:
    """Return the voxel size in mm if the box has `shape` voxels."""
    x, y, z = (edge / count for edge, count in zip(EXTENT, shape, strict=True))
    return x, y, z


def _largest_first() -> list[tuple[str, int]]:
    values = {name: value for value, name in enumerate(ORGANS, start=1)}
    return sorted(values.items(), key=lambda item: -float(np.prod(ORGANS[item[0]].radii[:2])))


def _draw_organ(
    rng: np.random.Generator, organ: Organ, axes: list[Floats], shift: Floats
) -> tuple[tuple[slice, ...], NDArray[np.bool_], float]:
    """Draw an ellipsoid with small random changes of position, size, orientation and surface.

    Returns:
        The bounding box, the voxels of the box that are inside of the organ, and the mean intensity.
    """
    centre = np.asarray(organ.centre) + shift + rng.uniform(-1, 1, size=3) * organ.wander
    radii = np.asarray(organ.radii) * rng.uniform(0.9, 1.1, size=3)
    turn = Rotation.from_euler("xyz", rng.uniform(-1, 1, size=3) * organ.tilt, degrees=True).as_matrix()
    phases = rng.uniform(0, 2 * np.pi, size=3)
    hounsfield = organ.hounsfield + rng.uniform(-1, 1) * _SPREAD
    reach = 1.1 * np.sqrt(((turn * radii[:, None]) ** 2).sum(axis=0))
    box = tuple(
        slice(*np.searchsorted(axis, [at - half, at + half]))
        for axis, at, half in zip(axes, centre, reach, strict=True)
    )
    offset = np.ix_(*(axis[part] - at for axis, part, at in zip(axes, box, centre, strict=True)))
    places = [sum(turn[k, axis] * offset[axis] for axis in range(3)) / radii[k] for k in range(3)]
    dents = sum(np.sin(3 * place + phase) for place, phase in zip(places, phases, strict=True))
    inside: NDArray[np.bool_] = np.asarray(np.sqrt(sum(place**2 for place in places)) < 1 + 0.03 * dents)
    return box, inside, hounsfield


def _trunk(rng: np.random.Generator, axes: list[Floats], shift: Floats) -> Floats:
    """Draw what is not labelled: air, abdominal wall, fat, spine and vena cava."""
    right, front = axes[0][:, None, None] - shift[0], axes[1][None, :, None] - shift[1]
    girth = rng.uniform(0.97, 1.03)
    body = np.hypot(right / (44 * girth), front / (36 * girth))
    image = np.where(body < 1, _MUSCLE, _AIR)
    image = np.where(body < 0.88, _FAT, image)
    image = np.where(np.hypot(right / 8, (front + 27) / 8) < 1, _BONE, image)
    image = np.where(np.hypot((right - 6) / 4.5, (front + 14) / 3.5) < 1, _VESSEL, image)
    texture = smooth_field(rng, (len(axes[0]), len(axes[1]), len(axes[2])), (8, 8, 6))
    return np.asarray(image + 8 * texture * (body < 1), dtype=np.float64)
