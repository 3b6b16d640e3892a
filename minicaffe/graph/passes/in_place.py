"""Elementwise layers write over what they read, though the prototxt did not ask for it, and what changes
nothing has no step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..program import Program, ownership


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """A layer that is `elementwise` gets its bottom's memory for its top, data and gradient, unless somebody
    still needs what lies there.  A layer that is an `identity` there is not run at all.

    The results are the same bit for bit.
    """
    dropped = set()
    for k, step in enumerate(program.steps):
        if len(step.tops) == len(step.bottoms) == 1 and step.layer.elementwise and step.layer.in_place_ok:
            bottom, top = step.bottoms[0], step.tops[0]
            if bottom != top and _free(program, shared[0], k):
                program = replace(
                    program,
                    same_data={**program.same_data, top: bottom},
                    same_diff={**program.same_diff, top: bottom},
                ).noting(f"in_place: {step}")
                bottom = top
            if bottom == top and step.layer.identity:
                dropped.add(k)
    steps = tuple(step for k, step in enumerate(program.steps) if k not in dropped)
    gone = [
        f"in_place: {step} is not run, it changes nothing"
        for k, step in enumerate(program.steps)
        if k in dropped
    ]
    return replace(program, steps=steps).noting(*gone)


def _free(program: Program, own: Sequence[int], k: int) -> bool:
    """Whether step k may write over its bottom."""
    step = program.steps[k]
    bottom, top = step.bottoms[0], step.tops[0]
    owners = ownership(own, program.same_data, program.joints).owners
    memory = owners[bottom]
    if any(step.losses) or owners[top] != top or memory in map(owners.__getitem__, program.outputs):
        return False
    if step.backward.runs and "bottom.data" in step.reads:
        return False
    for j, other in enumerate(program.steps):
        reads = other.reads if other.backward.runs else frozenset()
        tops = [t for t in other.tops if owners[t] == memory]
        bottoms = [b for b in other.bottoms if owners[b] == memory]
        if j < k and tops and (other.layer.source or any(other.losses)):
            return False
        if j < k and tops and ("top.data" in reads or ("top.sign" in reads and not step.layer.keeps_sign)):
            return False
        if j < k and bottoms and "bottom.data" in reads:
            return False
        if j > k and bottoms:
            return False
    return True
