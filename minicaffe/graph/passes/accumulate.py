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
    owners = ownership(shared[1], program.same_diff, program.joints).owners
    spreading = _Spreading(program, owners)
    for k, split in enumerate(program.steps):
        backward = split.backward
        if split.layer.splits and backward.runs and all(backward.propagate) and len(split.tops) > 1:
            spreading.spread(k, split)
    steps = tuple(step for k, step in enumerate(spreading.steps) if k not in spreading.gone)
    same_diff = {**program.same_diff, **spreading.taken}
    return replace(program, steps=steps, same_diff=same_diff).noting(*spreading.notes)


class _Spreading:
    """The steps as they become, and which of them go; which blobs' gradients are taken where; what was
    done."""

    def __init__(self, program: Program, owners: Sequence[int]) -> None:
        self.steps, self.gone = list(program.steps), set[int]()
        self.readers, self.owners, self.members = program.readers(), owners, Counter(owners)
        self.taken: dict[int, int] = {}
        self.notes: list[str] = []

    def spread(self, at: int, split: Step) -> None:
        """Let the readers of a Split, at this position, add by themselves as far as they can."""
        weighted = {top for top, weight in zip(split.tops, split.losses) if weight}
        writers = sorted(
            ((k, top) for top in split.tops if top not in weighted and (k := self._writer(top)) is not None),
            reverse=True,
        )
        left: dict[int, str] = dict.fromkeys(weighted, "the loss")
        first = True
        for k, top in writers:
            step = self.steps[k]
            assert step is not None
            alone = (
                self.members[self.owners[top]] == 1 and top not in step.tops and step.bottoms.count(top) == 1
            )
            if not alone or not (first or step.layer.adds):
                left[top] = str(step)
                continue
            if not first:
                adding = list(step.adding) or [False] * len(step.bottoms)
                adding[step.bottoms.index(top)] = True
                self.steps[k] = replace(step, adding=tuple(adding))
            self.taken[top] = split.bottoms[0]
            first = False
        if first:
            self.notes.append(f"accumulate: {split} sums all: nobody can write where it does")
        elif left:
            kept = [(top, loss) for top, loss in zip(split.tops, split.losses) if top in left]
            tops, losses = tuple(top for top, _ in kept), tuple(loss for _, loss in kept)
            self.steps[at] = replace(split, tops=tops, losses=losses, adding=(True,))
            who = ", ".join(dict.fromkeys(left.values()))
            self.notes.append(f"accumulate: {split} adds {len(left)} of {len(split.tops)}: from {who}")
        else:
            self.gone.add(at)
            self.notes.append(f"accumulate: {split} sums nothing")

    def _writer(self, top: int) -> int | None:
        """The position of the step that writes the gradient by a Split's top; None if nobody does."""
        for k in self.readers.get(top, ()):
            step = self.steps[k]
            if step.backward.runs:
                return k if step.backward.propagate[step.bottoms.index(top)] else None
        return None
