"""A progress bar below the log while training on a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from ..log import StderrHandler, number
from ..solvers.callbacks import Callback

REFRESH_S = 0.2


class Progress(Callback):
    """Iterations done, rate, time left and the present loss, refreshed a few times per second."""

    may_lag = True

    def __init__(self, handler: StderrHandler) -> None:
        self.handler = handler
        self.bar: Any = None

    def on_start(self, solver) -> None:
        from tqdm import tqdm

        self.bar = tqdm(
            total=solver.param.max_iter,
            initial=solver.iteration,
            unit="it",
            file=sys.stderr,
            dynamic_ncols=True,
        )
        self.handler.bar = self.bar
        self.shown = time.monotonic()

    def on_iteration(self, solver) -> None:
        now = time.monotonic()
        if now - self.shown >= REFRESH_S:
            self.shown = now
            with suppress(OSError, ValueError):  # the terminal has gone
                self.bar.set_postfix_str(f"loss {number(solver.net.loss())}", refresh=False)
                self.bar.update(solver.iteration - self.bar.n)

    def on_stop(self, solver) -> None:
        if self.bar is not None:
            self.handler.bar = None
            with suppress(OSError, ValueError):
                self.bar.update(solver.iteration - self.bar.n)
                self.bar.close()
