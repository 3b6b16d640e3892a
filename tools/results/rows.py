"""The systems that are compared with, and what is run here in the place of each."""

from __future__ import annotations

import shlex
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
    """A run of which not much can be expected, but that it learns.

    iterations  of training, in the solver's own batches
    batches     of the test net that are judged
    at_least    the accuracy without which something is broken
    slow        it takes more than some seconds, or is much like another row's
    """

    iterations: int
    batches: int
    at_least: float
    slow: bool = False


class Row(NamedTuple):
    """A training and how it is judged.

    name       of its files: docs/results/NAME.json, docs/images/results/NAME_*.png
    system     S1 to S5: whose numbers it is held to
    title      of its part of the page
    about      what is run, in a sentence or two
    train      the words behind `minicaffe train`
    published  what the system reached
    goal       the accuracy that is to be reached
    short      None for a net of which even a few iterations take long
    first      commands that make what the net reads, the words behind `minicaffe`
    seeds      of the runs, of which the mean is judged; (): the solver's own, one run
    output     the output of the test net that is its accuracy
    batches    of the test net that are judged; None: all
    contest    the words behind `minicaffe bench net`, which compares the time of a step with PyTorch's
    """

    name: str
    system: str
    title: str
    about: str
    train: tuple[str, ...]
    published: Published
    goal: float
    short: Short | None
    first: tuple[tuple[str, ...], ...] = ()
    seeds: tuple[int, ...] = ()
    output: str = "accuracy"
    batches: int | None = None
    contest: tuple[str, ...] = ()

    @property
    def commands(self) -> list[str]:
        """As they are typed."""
        return [shlex.join(("minicaffe", *words)) for words in (*self.first, ("train", *self.train))]


SYSTEMS = {
    "S1": "DIGITS with GoogLeNet",
    "S2": "a convolutional net in PyTorch",
    "S3": "a multilayer perceptron in Keras",
    "S4": "a convolutional net in Keras, and in a tool without code",
    "S5": "Caffe's own example, LeNet",
}
DIGITS = Published(0.962, 0.999, "24 min 6 s on a GPU", "4.94 ms on a GPU")
TORCH = Published(0.9872)
PERCEPTRON = Published(0.9717, time="about 15 min")
KERAS = Published(0.9925, time="72 s on a laptop's GPU; 16 s an epoch, of 12, on a K520")
CAFFE = Published(0.991)
THREE = (1, 2, 3)

ROWS = {
    row.name: row
    for row in (
        Row(
            "googlenet_28",
            "S1",
            "GoogLeNet's modules on images of 28 x 28",
            "All nine modules and both auxiliary classifiers behind a stem for small images; half as many"
            " iterations as the system made, 1,407 of batch 32 over 45,002 images, judged on as many others,"
            " 14,998.",
            ("googlenet/mnist_28_solver",),
            published=DIGITS,
            goal=0.985,
            short=Short(100, 3, 0.3, slow=True),
            output="loss3/top-1",
            contest=("googlenet/mnist_28_train_val", "--batch", "32", "--type", "Adam"),
        ),
        Row(
            "googlenet_224",
            "S1",
            "GoogLeNet, whole, with settings of ours",
            "Images of 224 x 224, 600 iterations of batch 32: less than half an epoch; judged on the first"
            " 3,000 of the 14,998 validation images.",
            ("googlenet/mnist_solver",),
            published=DIGITS,
            goal=0.962,
            short=None,
            output="loss3/top-1",
            batches=60,
            contest=("googlenet", "--batch", "32", "--turns", "5"),
        ),
        Row(
            "googlenet_digits",
            "S1",
            "GoogLeNet as DIGITS trained it",
            "Every setting as published: colour images of 256 x 256, mean image, random crops of 224,"
            " mirrored, two epochs of batch 32.",
            ("googlenet/digits_solver",),
            published=DIGITS,
            goal=0.962,
            short=None,
            first=(
                (
                    "compute_image_mean",
                    "--backend=idx",
                    "--resize_height=256",
                    "--resize_width=256",
                    "mnist/train[:45002]",
                    "mnist_256.binaryproto",
                ),
            ),
            output="loss3/top-1",
        ),
        Row(
            "mnist_cnn",
            "S2",
            "The PyTorch net as published",
            "Adam, 15 epochs of batches of 100, the rate 0.7 of itself after each.",
            ("mnist_cnn",),
            published=TORCH,
            goal=0.9872,
            short=Short(30, 10, 0.75),
            contest=("mnist_cnn", "--batch", "100", "--type", "Adam"),
        ),
        Row(
            "mnist_cnn_best",
            "S2",
            "The PyTorch net with settings of ours",
            "As many epochs of a rate that falls to 0, with weights that decay and are averaged.",
            ("mnist_cnn/solver_best",),
            published=TORCH,
            goal=0.992,
            short=Short(60, 10, 0.5, slow=True),
        ),
        Row(
            "mnist_cnn_augmented",
            "S2",
            "The PyTorch net on changed images",
            "The same with `augment_param`: for digits that are shifted, turned and photographed.",
            ("mnist_cnn/solver_augmented",),
            published=TORCH,
            goal=0.992,
            short=Short(60, 10, 0.3, slow=True),
        ),
        Row(
            "mnist_mlp",
            "S3",
            "The perceptron as published",
            "Adam, 50 epochs of batches of 128; sigmoid and cross entropy over one-hot labels.",
            ("mnist_mlp",),
            published=PERCEPTRON,
            goal=0.9717,
            short=Short(60, 10, 0.8),
            contest=("mnist_mlp", "--batch", "128", "--type", "Adam"),
        ),
        Row(
            "mnist_mlp_best",
            "S3",
            "The perceptron with settings of ours",
            "Half the epochs, larger batches, a rate that falls to 0, with weights that decay and are"
            " averaged.",
            ("mnist_mlp/solver_best",),
            published=PERCEPTRON,
            goal=0.984,
            short=Short(100, 10, 0.4, slow=True),
        ),
        Row(
            "mnist_keras_cnn",
            "S4",
            "Keras's convolutional net as published",
            "AdaDelta, 12 epochs of batches of 128.",
            ("mnist_keras_cnn",),
            published=KERAS,
            goal=0.99,
            short=Short(8, 5, 0.35),
            seeds=THREE,
            contest=("mnist_keras_cnn", "--batch", "128"),
        ),
        Row(
            "mnist_keras_cnn_best",
            "S4",
            "Keras's convolutional net with settings of ours",
            "The same net, optimizer and batches; 12 epochs of images that are changed at random, a rate that"
            " falls to 0, and an average of the weights.",
            ("mnist_keras_cnn/solver_best",),
            published=KERAS,
            goal=0.9925,
            short=Short(15, 5, 0.5, slow=True),
            seeds=THREE,
        ),
        Row(
            "lenet",
            "S5",
            "LeNet, as Caffe's example trains it",
            "The net and the solver of Caffe's MNIST example, unchanged.",
            ("lenet",),
            published=CAFFE,
            goal=0.9905,
            short=Short(60, 10, 0.75),
            contest=("lenet", "--batch", "64"),
        ),
        Row(
            "lenet_best",
            "S5",
            "LeNet with settings of ours",
            "In no more time: larger batches, AdamW, a rate that falls to 0, and weights that are averaged.",
            ("lenet/solver_best",),
            published=CAFFE,
            goal=0.995,
            short=Short(60, 10, 0.6, slow=True),
            contest=("lenet/best_train_test", "--batch", "128", "--type", "Adam"),
        ),
    )
}
