"""Metadata is in pyproject.toml; what it cannot say is here: the folders of prototxt/ are installed inside
the package, as minicaffe/prototxt."""

from setuptools import find_namespace_packages, setup

NETS = "minicaffe.prototxt"

setup(
    packages=[
        *find_namespace_packages(include=["minicaffe*"]),
        NETS,
        *(f"{NETS}.{folder}" for folder in find_namespace_packages("prototxt")),
    ],
    package_dir={NETS: "prototxt"},
)
