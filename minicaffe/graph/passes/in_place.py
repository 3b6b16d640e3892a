"""Elementwise layers write over what they read, though the prototxt did not ask for it, and what changes
nothing has no step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..program import Program, Step


def apply(program: Program, shared: tuple[Sequence[int], Sequence[int]]) -> Program:
    """A layer that is `elementwise` gets its bottom's memory for its top, data and gradient, unless somebody
    still needs what lies there.  A layer that is an `identity` there is not run at all.

    The results are the same bit for bit.
    """
    memory = _Memory(program, shared[0])
    same: dict[int, int] = {}
    kept, notes = [], []
    for step in program.steps:
        memory.read(step)
        if len(step.tops) == len(step.bottoms) == 1 and step.layer.elementwise and step.layer.in_place_ok:
            bottom, top = step.bottoms[0], step.tops[0]
            if bottom != top and memory.is_free(step):
                same[top] = bottom
                memory.unite(top, bottom)
                notes.append(f"in_place: {step}")
                bottom = top
            if bottom == top and step.layer.identity:
                notes.append(f"in_place: {step} is not run, it changes nothing")
                continue
        memory.written(step)
        kept.append(step)
    steps, same_data, same_diff = tuple(kept), {**program.same_data, **same}, {**program.same_diff, **same}
    return replace(program, steps=steps, same_data=same_data, same_diff=same_diff).noting(*notes)


class _Memory:
    """What the steps so far have done to each piece of memory, and what is left to do.

    of      blob -> its memory, named by a blob
    reads   memory -> how often steps behind this one read it
    whole, signs   memories whose values, or whose signs, a backward or the host still needs
    """

    def __init__(self, program: Program, own: Sequence[int]) -> None:
        self.of = list(own)
        self.reads = Counter(self.of[blob] for step in program.steps for blob in step.bottoms)
        self.whole = {self.of[blob] for blob in program.outputs}
        self.signs: set[int] = set()

    def find(self, blob: int) -> int:
        """The memory of a blob, at the end of the chain, which is made shorter on the way."""
        while self.of[self.of[blob]] != self.of[blob]:
            self.of[blob] = self.of[self.of[blob]]
        return self.of[blob]

    def read(self, step: Step) -> None:
        """A step takes its turn."""
        for blob in step.bottoms:
            self.reads[self.find(blob)] -= 1

    def is_free(self, step: Step) -> bool:
        """Whether a step may write over its bottom."""
        memory, top = self.find(step.bottoms[0]), self.find(step.tops[0])
        return not (
            any(step.losses)
            or top != step.tops[0]
            or top == memory
            or self.reads[memory]
            or memory in self.whole
            or (memory in self.signs and not step.layer.keeps_sign)
            or (step.backward.runs and "bottom.data" in step.reads)
        )

    def unite(self, top: int, bottom: int) -> None:
        """A blob that nobody has written yet lies where another does."""
        memory, other = self.find(bottom), self.find(top)
        self.of[other] = memory
        self.reads[memory] += self.reads.pop(other, 0)
        if other in self.whole:
            self.whole.add(memory)

    def written(self, step: Step) -> None:
        """Remember what is needed later of what a step has read and written."""
        reads = step.reads if step.backward.runs else frozenset()
        tops = {self.find(blob) for blob in step.tops}
        if "bottom.data" in reads:
            self.whole |= {self.find(blob) for blob in step.bottoms}
        if "top.data" in reads or step.layer.source or any(step.losses):
            self.whole |= tops
        if "top.sign" in reads:
            self.signs |= tops
