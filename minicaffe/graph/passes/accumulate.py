"""Readers of a split blob add their gradients where they are wanted: a Split has nothing left to sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..program import Program, Step, ownership


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """Of the readers of a blob, the one whose backward runs first writes its gradient straight to the blob's;
    those behind it that can add (`adds`) do so; a Split sums what is left, and has no step if nothing is.

    The same numbers are added in another order.
    """
    for split in program.steps:
        if (
            split.layer.splits
            and split.backward.runs
            and all(split.backward.propagate)
            and len(split.tops) > 1
        ):
            program = _spread(program, shared, split)
    return program


def _spread(program: Program, shared: tuple[Sequence[int], Sequence[int]], split: Step) -> Program:
    diff = ownership(shared[1], program.same_diff, program.joints)
    members = Counter(diff.owners)
    into = split.bottoms[0]
    steps, taken, left = list(program.steps), {}, []
    first = True
    reached: list[tuple[int, int]] = []  # position of the step that writes a top's gradient, and the top
    for top in split.tops:
        writers = [
            k
            for k, step in enumerate(steps)
            if top in step.bottoms and step.backward.runs and step.backward.propagate[step.bottoms.index(top)]
        ]
        if any(weight for t, weight in zip(split.tops, split.losses) if t == top):
            left.append(top)
        elif writers:
            reached.append((writers[0], top))
    reached.sort(reverse=True)
    for k, top in reached:
        step = steps[k]
        alone = members[diff.owners[top]] == 1 and top not in step.tops and step.bottoms.count(top) == 1
        if not alone or (not first and not step.layer.adds):
            left.append(top)
            continue
        if not first:
            adding = list(step.adding) or [False] * len(step.bottoms)
            adding[step.bottoms.index(top)] = True
            steps[k] = replace(step, adding=tuple(adding))
        taken[top] = into
        first = False
    if first:
        return program.noting(f"accumulate: {split} sums all: nobody can write where it does")
    at = steps.index(split)
    if left:
        kept = tuple(top for top in split.tops if top in left)
        losses = tuple(weight for top, weight in zip(split.tops, split.losses) if top in left)
        steps[at] = replace(split, tops=kept, losses=losses, adding=(True,))
        who = ", ".join(str(steps[k]) for k, top in reached if top in left) or "the loss"
        note = f"accumulate: {split} adds {len(left)} of {len(split.tops)}: from {who}"
    else:
        del steps[at]
        note = f"accumulate: {split} sums nothing"
    same_diff = {**program.same_diff, **taken}
    return replace(program, steps=tuple(steps), same_diff=same_diff).noting(note)
