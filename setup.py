"""The packages of the wheel: those of the checkout, and its `configs` as `zoo/configs`, which lie outside of them."""

from setuptools import find_packages, setup

FOUND = find_packages(include=["zoo*", "datamodules*", "benchmarks*"])  # perf has scripts of the repository alone
setup(packages=[*FOUND, "zoo.configs"], package_dir={"zoo.configs": "configs"})
