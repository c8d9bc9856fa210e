"""Groups of tests, each of which one worker of pytest-xdist runs, so that a shared fixture is set up once."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

import pytest


def write_groups(items: Iterable[pytest.Item]) -> None:
    """Write the marks `xdist_group` of each test into its id, where the scheduler of pytest-xdist reads the group.

    pytest-xdist 3.8 writes them into an attribute that pytest 9.2 no longer has. Every worker then ran tests of every
    group, and set up each shared fixture again.
    """
    if find_spec("_pytest.nodeid") is None:  # pytest before 9.2
        return
    from _pytest.nodeid import coerce_node_id

    for item in items:
        groups = {str(mark.args[0]) for mark in item.iter_markers("xdist_group")}
        if groups:
            item._id = coerce_node_id(f"{item.nodeid}@{'_'.join(sorted(groups))}")
