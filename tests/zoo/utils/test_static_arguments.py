"""Arguments of a class from its source: the same as from the class, or nothing where the source hides some."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from zoo.registry import DATA, MODELS
from zoo.utils.class_args import argument_names, option_groups
from zoo.utils.plugins import import_object
from zoo.utils.static_arguments import read_arguments

PATHS = sorted(
    {
        card.config[section]["class_path"]
        for registry, section in ((MODELS, "model"), (DATA, "data"))
        for card in registry
        if card.origin == "zoo"
    }
)


@pytest.mark.parametrize("path", PATHS)
def test_the_source_of_a_class_of_the_zoo_states_the_arguments_of_the_class(path: str) -> None:
    stated, kind = read_arguments(path), import_object(path)
    assert stated is not None
    assert stated.names == argument_names(kind)
    assert dict(stated.groups) == {name: argument_names(group) for name, group in option_groups(kind).items()}
    assert dict(stated.renamed) == dict(getattr(kind, "renamed_arguments", {}))


def test_the_source_of_lightnings_trainer_states_its_arguments() -> None:
    stated = read_arguments("lightning.pytorch.trainer.trainer.Trainer")
    assert stated is not None
    assert stated.names == inspect.signature(Trainer.__init__).parameters.keys() - {"self"}


@pytest.mark.parametrize(
    "body",
    [
        "class Net(Unknown):\n    pass",
        "class Net(SegModule):\n    def __init__(self, facts, **rest):\n        build(**rest)",
        "class Net(SegModule):\n    def __init__(self, facts, **rest):\n        rest['new'] = 1\n        use(rest)",
        "class Net(SegModule):\n    def __init__(self, *given):\n        pass",
        "@changed\nclass Net(SegModule):\n    def __init__(self, facts):\n        pass",
        "class Net(SegModule):\n    def __init__(self, facts, lr=make()):\n        pass",
        "class Net(SegModule):\n    renamed_arguments = made()\n    def __init__(self, facts):\n        pass",
        "class Net(SegModule):\n    def __new__(cls, other):\n        pass",
        "Net = make()",
        "def broken(:",
    ],
)
def test_a_source_that_hides_arguments_states_nothing(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"hidden{abs(hash(body))}"
    (tmp_path / f"{package}.py").write_text(f"from zoo.models import SegModule\n\n{body}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert read_arguments(f"{package}.Net") is None


def test_a_model_of_a_user_has_the_arguments_of_its_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mybase.py").write_text(
        "from zoo.models import SegModule\n\nclass Base(SegModule):\n"
        "    def __init__(self, facts, depth=3, **rest):\n        super().__init__(facts, **rest)\n",
        encoding="utf-8",
    )
    (tmp_path / "mymodel.py").write_text("from mybase import Base\n\nclass Net(Base):\n    pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    stated = read_arguments("mymodel.Net")
    assert stated is not None
    assert {"depth", "lr", "windows"} <= stated.names
    assert "batch" in stated.groups["windows"]
