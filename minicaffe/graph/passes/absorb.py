"""A layer does the work of the one behind it: a BatchNorm that of a Scale, a convolution that of both in
TEST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..gradients import Backward
from ..program import Program, Step


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """Where a step has one top, and one layer reads it, the step's layer is asked whether it can `absorb`
    that one; what it answers with takes the place of both.

    The results are the same but for rounding.
    """
    k = 0
    while k < len(program.steps):
        step = program.steps[k]
        readers = [j for j in program.readers().get(step.tops[0], []) if j > k] if len(step.tops) == 1 else []
        behind = program.steps[readers[0]] if readers else None
        one = None
        if behind is not None and _alone(step, behind, len(readers)):
            one = step.layer.absorb(behind.layer, behind.backward.runs)
        if one is None or behind is None:
            k += 1
            continue
        backward = Backward(
            behind.backward.runs, step.backward.propagate, step.backward.params + behind.backward.params
        )
        reads = one.backward_reads
        joined = replace(
            step, layer=one, tops=behind.tops, losses=behind.losses, backward=backward, reads=reads
        )
        steps = (joined if other is step else other for other in program.steps if other is not behind)
        program = replace(program, steps=tuple(steps)).noting(f"absorb: {behind} runs inside {step}")
    return program


def _alone(step: Step, behind: Step, readers: int) -> bool:
    """Whether nobody but the step behind has to do with what a step writes."""
    in_place = behind.tops == step.tops
    return (
        behind.bottoms == step.tops
        and len(behind.tops) == 1
        and not any(step.losses)
        and (in_place or readers == 1)
    )
