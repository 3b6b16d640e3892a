"""Layers of one family that read one blob run as one: it is read once, and its gradient is written once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from ..gradients import Backward
from ..program import Program, Step

MOST = 3  # layers that run as one


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """Of the readers of a split blob, those of one `family` are `united`: one step in the place of the
    first, with the tops of all.  The Split has fewer tops.

    Sums over the siblings' outputs, in the gradient by the blob, are taken in another order.
    """
    for name in [step.layer.name for step in program.steps if step.layer.splits]:
        (split,) = (step for step in program.steps if step.layer.splits and step.layer.name == name)
        for group in list(_groups(program, split)):
            program = _united(program, split, group)
            (split,) = (step for step in program.steps if step.layer.splits and step.layer.name == name)
    return program


def _groups(program: Program, split: Step) -> Iterator[list[Step]]:
    """The steps that can run as one, in the order of the program."""
    families: dict[Hashable, list[Step]] = {}
    for step in program.steps:
        alone = len(step.bottoms) == len(step.tops) == 1 and step.bottoms[0] in split.tops
        if alone and step.layer.family is not None and not any(step.losses):
            backward = step.backward
            key = (
                step.layer.family,
                step.relu,
                step.reads,
                backward.runs,
                *backward.propagate,
                *backward.params,
            )
            families.setdefault(key, []).append(step)
    for steps in families.values():
        for first in range(0, len(steps), MOST):
            if len(steps) - first > 1:
                yield steps[first : first + MOST]


def _united(program: Program, split: Step, group: list[Step]) -> Program:
    first, others = group[0], group[1:]
    backward = Backward(
        first.backward.runs, first.backward.propagate, [p for step in group for p in step.backward.params]
    )
    tops = tuple(top for step in group for top in step.tops)
    one = replace(
        first,
        layer=first.layer.united([step.layer for step in others]),
        tops=tops,
        backward=backward,
        losses=(0.0,) * len(tops),
    )
    gone = {step.bottoms[0] for step in others}
    kept = [(top, loss) for top, loss in zip(split.tops, split.losses) if top not in gone]
    less = replace(split, tops=tuple(top for top, _ in kept), losses=tuple(loss for _, loss in kept))
    steps = (one if step is first else less if step is split else step for step in program.steps)
    dropped = {id(step) for step in others}
    names = ", ".join(map(str, group))
    return replace(program, steps=tuple(step for step in steps if id(step) not in dropped)).noting(
        f"siblings: {names} run as one"
    )
