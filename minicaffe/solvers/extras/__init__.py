"""Extras of the solver: extension fields, each a callback; off unless its field is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..callbacks import Callback
from .average import Average
from .early_stop import EarlyStop
from .keep import Keep
from .plateau import Plateau

if TYPE_CHECKING:
    from ..solver import Solver


def of(solver: Solver) -> list[Callback]:
    """The callbacks that the solver's parameters ask for.

    Raises ConfigError for settings that cannot work.  Keep comes last: what it snapshots is decided then.
    """
    param = solver.param
    wanted = [
        (Average, param.HasField("ema")),
        (Plateau, param.HasField("plateau") or param.lr_policy == "plateau"),
        (EarlyStop, param.HasField("early_stop")),
        (Keep, param.HasField("keep_best") or param.HasField("keep_last")),
    ]
    return [kind(solver) for kind, asked in wanted if asked]
