"""The base of FCN's data layers: an image after the other, with the class of every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..source.source import Source
from ..user.settings import Settings

WHATEVER = {"split": "", "randomize": True, "seed": 0}  # what all of them may be given


class SegData(Source):
    """A subclass says what may be given, and the shapes that are assumed where a net is only looked at.

    Unless it has its own `open`, a net with it can be looked at only.
    """

    type = "Python"
    stochastic = True
    settles = True

    given: Mapping[str, Any] = {}
    size = (500, 500)  # of images, where the net is only looked at
    channels: tuple[int, ...] = (3, 1)  # of each top
    reason = "its labels are MATLAB's files, which are not read here"

    def setup(self, bottom, top):
        self.conf = Settings(self, {**WHATEVER, **self.given})
        channels = self.planes(top)
        self.require(
            len(top) == len(channels), f"there are {len(channels)} tops; got {len(top)} in the prototxt"
        )
        self.shapes = [(1, count, *self.size) for count in channels]
        if self.allocate:
            self.open()

    def planes(self, top) -> tuple[int, ...]:
        """The channels of each top."""
        return self.channels

    def open(self) -> None:
        """Find the images."""
        module = self.param.python_param.module
        self.require(
            False,
            f"{self.param.python_param.layer} can only be looked at: {self.reason}",
            hint=f"put FCN's {module}.py beside the prototxt, or on PYTHONPATH",
        )
