"""Nets: built from a description, optimized, run.

build       the description's layers, checked, and the program that they are
executor    gives a program memory, and runs it
memory      where arrays lie
parameters  weights and their gradients in flat blocks
weights     parameters from files and to them, by layer name
captured    passes as units that a GPU replays
position    where a net is between two passes
debug_info  an observer that logs what every layer computed
net         Net, what users see of all this
"""

from .net import PHASES, Net
from .position import Position

__all__ = ["PHASES", "Net", "Position"]
