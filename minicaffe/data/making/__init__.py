"""Data sets made of folders, lists, arrays and tables of images."""

from .maker import Made, Options, make

__all__ = ["Made", "Options", "make"]
