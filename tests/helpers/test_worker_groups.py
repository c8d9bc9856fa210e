"""The groups of tests reach the scheduler of pytest-xdist."""

from __future__ import annotations

import copy

import pytest
from xdist.scheduler import LoadGroupScheduling

from tests.helpers.worker_groups import write_groups


@pytest.mark.parametrize("case", ["a@b", "plain"])
def test_scheduler_finds_the_group_of_a_test(case: str, request: pytest.FixtureRequest) -> None:
    item = copy.copy(request.node)
    item.own_markers = [pytest.mark.xdist_group("shares a fixture").mark]
    write_groups([item])
    assert case in item.nodeid
    assert LoadGroupScheduling._split_scope(None, item.nodeid) == "shares a fixture"


def test_test_under_pytest_xdist_has_its_group_in_its_id(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("loadgroup", False):
        pytest.skip("needs `--dist loadgroup`")
    assert request.node.nodeid.endswith("@tests/helpers/test_worker_groups.py")
