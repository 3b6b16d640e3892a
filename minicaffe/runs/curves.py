"""What a training displayed and tested, as series over iterations.

`curve_files.read` is the way in; the readers of the formats fill a `History`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Row:
    """A display of the training net or a test of a test net.

    iteration  updates made before
    seconds    time spent on training so far, over all resumes; None if the source states no times
    lr         learning rate; None in tests and where it is not stated
    loss       train: the mean over the last average_loss iterations; test: the mean of the net's total loss,
               None unless the solver has test_compute_loss
    outputs    all elements of each output blob, by name
    span       the lowest and the highest loss, where the row is the mean of several displays

    A number may be NaN or infinite; None is what nobody stated.
    """

    iteration: int
    seconds: float | None = None
    lr: float | None = None
    loss: float | None = None
    outputs: dict[str, list[float]] = field(default_factory=dict)
    span: tuple[float, float] | None = None


@dataclass
class Curves:
    """The rows of one training by iteration, each iteration once: `train`, and `tests` by number of the test
    net.  `losses` names the outputs that are known to be losses."""

    name: str
    train: list[Row] = field(default_factory=list)
    tests: dict[int, list[Row]] = field(default_factory=dict)
    losses: set[str] = field(default_factory=set)

    def is_loss(self, output: str) -> bool:
        """Whether an output is a loss: one with a loss weight, or with a name that says so (metrics.jsonl has
        no weights)."""
        return output in self.losses or "loss" in output.lower()

    def falls(self, output: str) -> bool:
        """Whether an output is better, the lower it is: a loss, or an error by its name."""
        return self.is_loss(output) or "err" in output.lower()


class History:
    """Puts rows in order as they are read, where several processes wrote one file.

    A process that resumed from a snapshot repeats iterations that the one before it had done.  What is
    repeated counts: a row removes the rows of earlier processes that stand behind its iteration, and those
    of its own kind that stand at it.  A test that stands at it stays: it is of the very weights that the
    process resumed from, and a snapshot that was made after the test says that it need not be repeated.

    A new process is seen when the iterations of one kind of row (the displays, the tests of one net) do not
    go up; a reader that knows better says so with `begin`.
    """

    def __init__(self) -> None:
        self._process = 0
        self._rows: dict[int | None, list[tuple[int, Row]]] = {None: []}  # by test net; None: train
        self._latest: dict[int | None, int] = {}  # iteration, of this process

    def begin(self) -> None:
        """What follows is of another process."""
        self._process += 1
        self._latest.clear()

    def steps_back(self, net: int | None, iteration: int) -> bool:
        """Whether a row cannot be of the present process."""
        return iteration <= self._latest.get(net, -1)

    def add(self, net: int | None, row: Row) -> None:
        """Add a row of test net `net`, or of the training net (None)."""
        if self.steps_back(net, row.iteration):
            self.begin()
        self._latest[net] = row.iteration
        for kind, rows in self._rows.items():
            first = row.iteration + (kind != net)  # of those that go
            while rows and rows[-1][0] < self._process and rows[-1][1].iteration >= first:
                rows.pop()
        self._rows.setdefault(net, []).append((self._process, row))

    def curves(self, name: str, losses: set[str]) -> Curves:
        """The rows that count; without those of tests that were interrupted, which state nothing."""
        series = {net: [row for _, row in rows] for net, rows in self._rows.items()}
        tests = {
            net: [row for row in series[net] if row.outputs or row.loss is not None]
            for net in sorted(key for key in series if key is not None)
        }
        return Curves(name, series[None], {net: rows for net, rows in tests.items() if rows}, losses)
