"""The systems that are compared with, and what is run here in the place of each."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """What is known of a system; words where its authors gave words.

    accuracy  the share of right answers, as judged here too
    """

    accuracy: float
    top5: float | None = None
    time: str = ""
    inference: str = ""


class Short(NamedTuple):
    """A run in seconds, of which not much can be expected.

    iterations  of training, in the solver's own batches
    batches     of the test net that are judged
    at_least    the accuracy without which something is broken
    """

    iterations: int
    batches: int
    at_least: float


class Row(NamedTuple):
    """A training and how it is judged.

    name       of its files: docs/results/NAME.json, docs/images/results/NAME_*.png
    system     S1 to S5: whose numbers it is held to; empty: nobody's
    title      of its part of the page
    about      what is run, in a sentence or two
    train      the words behind `minicaffe train`
    deploy     the net for use, a name of the package
    goal       the accuracy that is to be reached
    seeds      of the runs, of which the mean is judged; (): the solver's own, one run
    test_net   which of the solver's test nets is judged
    output     the output of that net that is its accuracy
    contest    its name in benchmarks/nets.py, which compares the time of a step with PyTorch's
    """

    name: str
    system: str
    title: str
    about: str
    train: tuple[str, ...]
    deploy: str
    published: Published | None
    goal: float
    short: Short
    seeds: tuple[int, ...] = ()
    test_net: int = 0
    output: str = "accuracy"
    contest: str = ""

    @property
    def command(self) -> str:
        return " ".join(("minicaffe train", *self.train))


SYSTEMS = {
    "S1": "DIGITS with GoogLeNet",
    "S2": "a convolutional net in PyTorch",
    "S3": "a multilayer perceptron in Keras",
    "S4": "a convolutional net in Keras, and in a tool without code",
    "S5": "Caffe's own example, LeNet",
}

ROWS = {
    row.name: row
    for row in (
        Row(
            "lenet",
            "S5",
            "LeNet, as Caffe's example trains it",
            "The net and the solver of Caffe's MNIST example, unchanged.",
            ("lenet",),
            "lenet/deploy",
            Published(0.991),
            0.9905,
            Short(100, 20, 0.85),
            contest="lenet",
        ),
        Row(
            "digits",
            "",
            "LeNet on the digits that come with the package",
            "For those who have no MNIST at hand.",
            ("digits",),
            "digits/deploy",
            None,
            0.98,
            Short(200, 4, 0.9),
        ),
    )
}
