"""What is run of a net, as text: its steps, and what passes did to it and why not."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.program import Program, Step


def lines(program: Program, chains: Sequence[tuple[int, int]]) -> list[str]:
    """A line for each step, with what it reads, writes and does besides; a line that says how many of them
    wait for each other, from Executor.chains; then a line for each note."""
    inside = {part: joint.whole for joint in program.joints for part in joint.parts}
    found = [f"program: {len(program.steps)} steps"]
    for step in program.steps:
        found.append("  " + "  ".join([step.layer.name, step.layer.type, _flow(program, step, inside)]))
    told = [
        f"{steps} {way}, {chain} one behind the other"
        for way, (steps, chain) in zip(("forward", "backward"), chains)
        if chain < steps
    ]
    if told:
        found.append(f"side by side on a GPU: {'; '.join(told)}")
    return [*found, "", *(program.notes or ["no pass found anything to do"])]


def _flow(program: Program, step: Step, inside: dict[int, int]) -> str:
    """What a step reads and writes: `conv1, ReLU -> a (in ab)`."""

    def named(blob: int) -> str:
        whole = inside.get(blob)
        return program.names[blob] + ("" if whole is None else f" (inside {program.names[whole]})")

    words = ", ".join(map(named, step.bottoms)) + " -> " + ", ".join(map(named, step.tops))
    extras = ["ends in ReLU"] if step.relu else []
    adding = [program.names[blob] for blob, adds in zip(step.bottoms, step.adding) if adds]
    if adding:
        extras.append(f"adds to the gradient by {', '.join(adding)}")
    extras += step.layer.remarks()
    return words.strip() + (f"; {'; '.join(extras)}" if extras else "")
