"""Metadata is in pyproject.toml; this file serves tools that expect it."""

from setuptools import setup

setup()
