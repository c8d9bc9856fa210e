"""What initial weights have seen: by the record of their run or package, or by the card beside the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zoo.contamination import sets_of_run, sets_of_weights
from zoo.engine.run_folder import RunFolder
from zoo.hub.package import RUN, is_package
from zoo.utils.json_objects import read_object


def find_seen_data(place: Path) -> tuple[Mapping[str, str], ...]:
    """Find what the weights of `--init-from` have seen, as `zoo.contamination.sets_of_run` says it.

    Args:
        place: A run folder, one of its checkpoints, a package, its file of weights, or another file of weights.

    Raises:
        RunError: A record is not readable.
        ConfigError: The card of the weights has a wrong value.
    """
    folder = place if place.is_dir() else place.parent
    if is_package(folder):
        return tuple(sets_of_run(read_object(folder / RUN)))
    run = RunFolder(place if place.is_dir() else folder.parent)
    if place.is_dir() or folder == run.checkpoints:
        return tuple(sets_of_run(run.read_manifest()))
    return tuple({"data": name} for name in sets_of_weights(place))
