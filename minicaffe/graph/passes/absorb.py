"""A layer does the work of the one behind it: a BatchNorm that of a Scale, a convolution that of both in
TEST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..gradients import Backward
from ..program import Program, Step, next_reader


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """Where a step has one top, and one layer reads it, the step's layer is asked whether it can `absorb`
    that one; what it answers with takes the place of both.

    The results are the same but for rounding.
    """
    readers, gone, kept, notes = program.readers(), set(), [], []
    for k, step in enumerate(program.steps):
        last = k
        while k not in gone and len(step.tops) == 1 and not any(step.losses):
            found, alone = next_reader(readers, step.tops[0], last)
            behind = None if found is None else program.steps[found]
            if behind is None or found is None or not _follows(step, behind, alone):
                break
            one = step.layer.absorb(behind.layer, behind.backward.runs)
            if one is None:
                break
            notes.append(f"absorb: {behind} runs inside {step}")
            params = step.backward.params + behind.backward.params
            backward = Backward(behind.backward.runs, step.backward.propagate, params)
            step = replace(
                step,
                layer=one,
                tops=behind.tops,
                losses=behind.losses,
                backward=backward,
                reads=one.backward_reads,
            )
            gone.add(found)
            last = found
        if k not in gone:
            kept.append(step)
    return replace(program, steps=tuple(kept)).noting(*notes)


def _follows(step: Step, behind: Step, alone: bool) -> bool:
    """Whether nobody but the step behind has to do with what a step writes."""
    in_place = behind.tops == step.tops
    return behind.bottoms == step.tops and len(behind.tops) == 1 and (in_place or alone)
