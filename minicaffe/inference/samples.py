"""The images of the data that a net names in TEST, one by one, as they are stored."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..convert.deploy import Deployment
from ..data.batches import Batches
from ..data.epoch import Epoch
from ..data.records import RecordBatches
from ..errors import DataError, MiniCaffeError
from ..layers.source.source import Source


class Samples:
    """What a deployed net's input was fed with: `len` images, each of which can be read by its number; none
    if they are not here."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self._deployment, self._name = deployment, name

    @cached_property
    def epoch(self) -> Epoch | None:
        """Names and number of the images; None if they are not here."""
        try:
            layer = self._deployment.reader(self._name)
            return layer.epoch() if isinstance(layer, Source) else None
        except MiniCaffeError:
            return None

    def __len__(self) -> int:
        return self.epoch.length if self.epoch is not None else 0

    def read(self, number: int) -> tuple[np.ndarray, int | None]:
        """Image (C, H, W), untransformed, and label, None if there are none; DataError if there is no image
        of this number."""
        if not 0 <= number < len(self):
            expected = f"expected 0 to {len(self) - 1}" if len(self) else "the net's data is not here"
            raise DataError(f"no image {number}: {expected}")
        batches = self._batches
        if not isinstance(batches, (Batches, RecordBatches)):
            raise DataError("the net's data does not hand out its images one by one")
        return batches.read(number)

    @cached_property
    def _batches(self) -> Any:
        return getattr(self._deployment.reader(self._name), "batches", lambda: None)()

    def name(self, number: int) -> str:
        """By which people find an image: the path of its file, or its number."""
        return self.epoch.name(number) if self.epoch is not None else str(number)
