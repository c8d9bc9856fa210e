"""A package of a third party that brings a model: the class, its card, and nothing else."""

from tests.helpers.third_party.example_net import ExampleNet

__all__ = ["ExampleNet"]
