"""The largest inputs that are read. A small file can claim or unpack to more than the memory of any machine.

Each limit is checked before the content is read: by a header, by an announced size, or while a stream is unpacked. All
limits are far above what the published data sets have. `ZOO_LIMITS=pixels=200000000,text_mb=1000` changes some of them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from zoo.errors import ConfigError, did_you_mean

VARIABLE = "ZOO_LIMITS"


class Limit(NamedTuple):
    """A limit.

    Attributes:
        value: The largest number that is accepted.
        about: What is counted.
    """

    value: int
    about: str


LIMITS = {
    "pixels": Limit(80_000_000, "pixels of a picture or of a DICOM slice"),
    "voxels": Limit(2_000_000_000, "voxels of a NIfTI file, over all channels"),
    "extra_mb": Limit(64, "megabytes before and behind the voxels of a NIfTI file"),
    "text_mb": Limit(256, "megabytes of a text file, or of an unpacked xlsx file"),
    "repeated_values": Limit(100_000, "values that the aliases of a YAML file repeat"),
    "archive_files": Limit(2_000_000, "files in an archive"),
    "archive_ratio": Limit(200, "unpacked bytes per byte of an archive that unpacks to more than 2 GB"),
    "archive_header_kb": Limit(1_000, "kilobytes of the headers of one file in a tar archive"),
    "dicom_seconds": Limit(120, "seconds to read one DICOM file"),
}
"""Every limit by its name in `ZOO_LIMITS`."""


def get_limit(name: str) -> int:
    """Return a limit, as `ZOO_LIMITS` sets it or else its default.

    Raises:
        ConfigError: `ZOO_LIMITS` has an unknown name, or a value that is not a whole number above 0.

    Example:
        >>> get_limit("pixels")
        80000000
    """
    return read_limits().get(name, LIMITS[name].value)


def raise_limit(name: str, needed: int) -> str:
    """Return the second half of an error message: how to accept an input that is larger than a limit.

    Args:
        name: The limit.
        needed: The number of the input.
    """
    others = {key: value for key, value in read_limits().items() if key != name}
    setting = ",".join(f"{key}={value}" for key, value in {**others, name: needed}.items())
    return f"If you trust the file and have the memory: {VARIABLE}={setting}."


def read_limits() -> dict[str, int]:
    """Return the limits that `ZOO_LIMITS` sets.

    Raises:
        ConfigError: As `get_limit`.
    """
    found = {}
    for entry in filter(None, (entry.strip() for entry in os.environ.get(VARIABLE, "").split(","))):
        name, _, value = (part.strip() for part in entry.partition("="))
        if name not in LIMITS:
            hint = did_you_mean(name, LIMITS, f"Known: {', '.join(LIMITS)}.", most=1)
            raise ConfigError(f"{VARIABLE}: unknown limit '{name}'.", hint)
        if not value.isdecimal() or not int(value):
            raise ConfigError(f"{VARIABLE}: {entry} is not a limit.", f"Write {name}={LIMITS[name].value}.")
        found[name] = int(value)
    return found
