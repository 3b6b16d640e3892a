"""ReLUs run inside the layer before them: in the pass in which that writes its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..program import Program, Step, next_reader


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """A layer that `ends_in_relu`, followed by a layer that `rectifies` its only top, takes that one's top;
    the other has no step.  Its backward then reads the sign of its top as well.

    The results are the same bit for bit.
    """
    steps, gone, notes = list(program.steps), set(), []
    readers = program.readers()
    for k, step in enumerate(program.steps):
        if not step.layer.ends_in_relu or len(step.tops) != 1:
            continue
        found, alone = next_reader(readers, step.tops[0], k)
        relu = None if found is None else program.steps[found]
        if relu is None or not relu.layer.rectifies:
            continue
        reason = _kept(step, relu, alone=relu.tops == step.tops or alone)
        if reason:
            notes.append(f"epilogue: {relu} stays behind {step}: {reason}")
            continue
        reads = step.reads | {"top.sign"} if step.backward.runs else step.reads
        steps[k] = replace(step, tops=relu.tops, losses=relu.losses, reads=reads, relu=True)
        gone.add(found)
        notes.append(f"epilogue: {relu} runs inside {step}")
    kept = tuple(step for j, step in enumerate(steps) if j not in gone)
    return replace(program, steps=kept).noting(*notes)


def _kept(step: Step, relu: Step, alone: bool) -> str:
    """Why a ReLU has to keep its step; empty if it has not to."""
    if not alone:
        return "others read what it reads"
    if any(step.losses):
        return "its bottom counts in the loss"
    if step.backward.runs != relu.backward.runs:
        return "only one of them runs backward"
    return ""
