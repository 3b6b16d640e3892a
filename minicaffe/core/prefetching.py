"""The base of data layers whose batches a thread prepares ahead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..data.prefetch import Prefetch
from .source import Source

Maker = Callable[[int, list[np.ndarray]], None]


class Prefetching(Source):
    """A source whose pass p brings batch p of a sequence that the seed decides.

    data_param.prefetch, of whatever layer, says how many batches a thread prepares ahead; with 0 there is no
    thread.

    A subclass sets self.shapes in setup, which it may read from a first batch, and implements `batches`.
    """

    stochastic = True

    ahead: Prefetch[list[np.ndarray]] | None = None
    seed = 0  # what the batches ahead are made with

    def batches(self) -> Maker:
        """What writes batch number b into arrays, one per top, under the seed of self.random; it may put
        arrays of another shape in their place, and may not refer to the layer (see Prefetch)."""
        raise NotImplementedError

    def stage(self, passes, top):
        if self.ahead is None or self.seed != self.random.seed:
            self._start()
        with self.ahead.batch(passes) as arrays:
            self.deliver(arrays, top)

    def _start(self) -> None:
        if self.ahead is not None:
            self.ahead.close()  # what reads the data serves one thread at a time
        count, self.seed = self.param.data_param.prefetch, self.random.seed
        slots = [[np.empty(s, self.device.dtype) for s in self.shapes] for _ in range(max(count, 1))]
        self.ahead = Prefetch(self.batches(), slots, threaded=count > 0)
