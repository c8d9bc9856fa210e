"""The card of a packed model that was trained with a text per query."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from zoo.data_facts import DataFacts, make_facts
from zoo.sharing import model_card
from zoo.sharing.facts import RunFacts


@pytest.mark.parametrize("queries", [True, False])
def test_a_model_of_queries_is_used_with_a_text(queries: bool) -> None:
    data = DataFacts.from_dict({**make_facts(["target"], [8, 8, 8]), "queries": queries})
    terms: Any = SimpleNamespace(publish=SimpleNamespace(allows=lambda kind: True))
    facts = RunFacts({}, data, terms, (), (), "class", {})
    assert ("THE REPORT" in "\n".join(model_card._use(facts, "x"))) == queries
    assert ("one per query of an image" in model_card._describe_track(facts)) == queries
