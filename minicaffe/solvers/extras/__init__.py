"""The extension fields of a solver that act while it trains: each is a callback, made if its field is set."""

from __future__ import annotations

from collections.abc import Sequence

from ...device.base import Device
from ...net import Net
from ...proto.schema import SolverParameter
from ..callbacks import Callback
from .average import Average
from .early_stop import EarlyStop
from .keep import Keep
from .plateau import Plateau


def of(param: SolverParameter, test_nets: Sequence[Net], device: Device) -> list[Callback]:
    """The callbacks that a solver's parameters ask for; `test_nets` are the nets that it tests.

    Raises ConfigError for settings that cannot work.  Keep comes last, after the callbacks whose decisions
    its snapshots hold.
    """
    found: list[Callback] = []
    if param.HasField("ema"):
        found.append(Average(param, device))
    if param.HasField("plateau") or param.lr_policy == "plateau":
        found.append(Plateau(param, test_nets))
    if param.HasField("early_stop"):
        found.append(EarlyStop(param, test_nets))
    if param.HasField("keep_best") or param.HasField("keep_last"):
        found.append(Keep(param, test_nets))
    return found
