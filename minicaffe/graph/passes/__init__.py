"""Passes: each turns a program into one that computes the same with less work or less memory.

in_place     elementwise layers write over what they read; what changes nothing has no step
absorb       BatchNorm and Scale run inside the layer before them, where they can
epilogue     ReLUs run inside the layer before them
concat       the bottoms of a Concat, and the tops of a Slice, lie inside the whole: nothing is copied
siblings     convolutions of one blob run as one
accumulate   readers of a split blob add their gradients where they are wanted: nothing is summed afterwards

They look at facts that layers declare and at the wiring, never at shapes or classes, and change nothing but
the program.  The order is that of PASSES."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ..program import Program
from . import absorb, accumulate, concat, epilogue, in_place, siblings

Shared = tuple[
    Sequence[int], Sequence[int]
]  # for each blob the one whose data, and whose diff, layers let it use
PASSES: dict[str, Callable[[Program, Shared], Program]] = {
    "in_place": in_place.apply,
    "absorb": absorb.apply,
    "epilogue": epilogue.apply,
    "concat": concat.apply,
    "siblings": siblings.apply,
    "accumulate": accumulate.apply,
}


def optimized(program: Program, shared: Shared, names: Collection[str]) -> Program:
    """The program behind the passes of these names.  Where shapes may change in the middle of a pass through
    the net, nothing is done."""
    for step in program.steps:
        if step.layer.settles:
            note = f"no pass: {step} gives its tops other shapes while the net runs"
            return program.noting(note)
    for name, apply in PASSES.items():
        if name in names:
            program = apply(program, shared)
    return program
