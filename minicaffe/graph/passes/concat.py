"""The bottoms of a Concat lie inside its top, and the tops of a Slice inside its bottom: nothing is
copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..program import Joint, Program, Step, ownership


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """A layer whose bottoms or tops lie `side_by_side` in the images of the whole has no step where all of
    them can lie inside the whole: then whoever writes or reads them does so with the whole's distance from
    image to image.

    The results are the same bit for bit.
    """
    for step in program.steps:
        if step.layer.side_by_side:
            parts, wholes = (
                (step.bottoms, step.tops)
                if step.layer.side_by_side == "bottom"
                else (step.tops, step.bottoms)
            )
            reason = _copied(program, shared, step, parts, wholes[0])
            if reason:
                program = program.noting(f"concat: {step} copies: {reason}")
                continue
            steps = tuple(other for other in program.steps if other is not step)
            joints = (*program.joints, Joint(wholes[0], parts))
            program = replace(program, steps=steps, joints=joints).noting(f"concat: {step} copies nothing")
    return program


def _copied(
    program: Program,
    shared: tuple[Sequence[int], Sequence[int]],
    joining: Step,
    parts: tuple[int, ...],
    whole: int,
) -> str:
    """Why the parts cannot lie inside the whole; empty if they can."""
    data = ownership(shared[0], program.same_data, program.joints).owners
    diff = ownership(shared[1], program.same_diff, program.joints).owners
    joined = {blob for joint in program.joints for blob in (joint.whole, *joint.parts)}
    if len(set(parts)) < len(parts):
        return "a blob is joined with itself"
    for blob in (whole, *parts):
        name = program.names[blob]
        if data[blob] != blob or diff[blob] != blob:
            return f"{name!r} lies in another's memory"
        if blob in joined:
            return f"{name!r} is part of another Concat or Slice"
    if any(joining.losses):
        return "it counts in the loss"
    writers = [
        step
        for step in program.steps
        if any(data[top] == whole and shared[0][top] == top for top in step.tops)  # a view writes nothing
    ]
    if len(writers) > 1:
        return f"{program.names[whole]!r} is written in place"
    for part in parts:
        for step in program.steps:
            if step is joining:
                continue
            for role, blobs in (("bottom", step.bottoms), ("top", step.tops)):
                if any(part in (data[blob], diff[blob]) for blob in blobs):
                    if step.layer.source or any(step.losses):
                        return f"{program.names[part]!r} is filled from outside, or counts in the loss"
                    if role not in step.layer.apart:
                        return f"{step} has no way to leave gaps between the images of its {role}"
                    if (
                        joining.layer.side_by_side == "top"
                        and step.backward.runs
                        and not all(step.backward.propagate)
                    ):
                        return f"no gradient comes from {step}"
    if joining.layer.side_by_side == "top" and joining.backward.runs:
        read = {blob for step in program.steps for blob in step.bottoms}
        if any(part not in read for part in parts):
            return "a part that nobody reads"
    return "" if not set(parts) & set(program.outputs) else "a part is an output of the net"
