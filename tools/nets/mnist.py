"""Nets for MNIST: the siamese LeNet, and the deep autoencoder."""

from __future__ import annotations

from minicaffe.proto.schema import LayerParameter

from . import layers as l
from .spelling import Item, spell_net

SCALE = 1 / 256  # pixels to [0, 1)
AT_1 = {"axis": 1, "slice_point": [1]}
WIDTHS = (1000, 500, 250, 30)  # of the encoder


def siamese_files() -> dict[str, str]:
    """File name -> prototxt."""
    what = "A siamese LeNet (Chopra, Hadsell & LeCun 2005)"
    pair = [*branch(), *branch("_p"), contrastive_loss()]
    pairs = [
        "2-channel images, two digits each, and 1 for those of one class, else 0: an LMDB of what Caffe's\n"
        "examples/siamese/create_mnist_siamese.sh puts into a LevelDB.",
        *l.database(
            "pair_data", ("mnist_siamese_train_lmdb", "mnist_siamese_test_lmdb"), (64, 100),
            transforms={"scale": SCALE}, tops=("pair_data", "sim"), backend="LMDB",
        ),
        l.layer("Slice", "slice_pair", "pair_data", ["data", "data_p"], slice_param=AT_1),
    ]  # fmt: skip
    return {
        "train_test.prototxt": spell_net(
            f"{what}, on pairs that are put together from MNIST.",
            "mnist_siamese_train_test",
            [*mnist_pairs(), *pair],
        ),
        "pair_data_train_test.prototxt": spell_net(
            f"{what}, on a database of pairs, as published.", "mnist_siamese_train_test", [*pairs, *pair]
        ),
        "deploy.prototxt": spell_net(
            f"One branch of {what[0].lower()}{what[1:]}: digits in, places in the plane out.",
            "mnist_siamese",
            [l.inputs(10000, 1, 28, 28), *branch(shared=False)],
        ),
    }


def mnist_pairs() -> list[Item]:
    """data, data_p and sim from MNIST itself."""

    def images(suffix: str, **conf) -> list[LayerParameter]:
        return l.database(
            f"mnist{suffix}", ("mnist/train", "mnist/test"), (64, 100), transforms={"scale": SCALE},
            tops=(f"data{suffix}", f"label{suffix}"), backend="IDX", **conf,
        )  # fmt: skip

    return [
        "A pair is the next digit of the file and one of a permutation that is new every epoch.  One pair\n"
        "in ten is of one class, as in Caffe's databases of pairs.",
        *images(""),
        *images("_p", shuffle=True),
        "sim = 1 - [|label - label_p| > 0.5]",
        l.layer(
            "Eltwise", "difference", ["label", "label_p"], "difference",
            eltwise_param={"operation": "SUM", "coeff": [1, -1]},
        ),
        l.layer("AbsVal", "distance", "difference", "distance"),
        l.layer("Threshold", "differ", "distance", "differ", threshold_param={"threshold": 0.5}),
        l.layer("Power", "sim", "differ", "sim", power_param={"scale": -1, "shift": 1}),
    ]  # fmt: skip


def branch(suffix: str = "", *, shared: bool = True) -> list[Item]:
    """LeNet from data to a place in the plane; both branches use the same parameters, by name."""

    def param(name: str) -> list[dict]:
        names = [{"name": f"{name}_w"}, {"name": f"{name}_b"}] if shared else [{}, {}]
        return [named | more for named, more in zip(names, l.BIAS_TWICE)]

    def conv(name: str, bottom: str, outputs: int) -> LayerParameter:
        return l.convolution(
            f"{name}{suffix}", f"{bottom}{suffix}", outputs, 5, stride=1, param=param(name), **fillers
        )  # fmt: skip

    def full(name: str, bottom: str, outputs: int) -> LayerParameter:
        return l.inner_product(f"{name}{suffix}", f"{bottom}{suffix}", outputs, param=param(name), **fillers)

    fillers = {"weight_filler": l.XAVIER, "bias_filler": l.constant()}
    return [
        "The second branch, with the parameters of the first" if suffix else "A LeNet",
        conv("conv1", "data", 20),
        l.pooling(f"pool1{suffix}", f"conv1{suffix}", "MAX", 2, 2),
        conv("conv2", "pool1", 50),
        l.pooling(f"pool2{suffix}", f"conv2{suffix}", "MAX", 2, 2),
        full("ip1", "pool2", 500),
        l.relu(f"relu1{suffix}", f"ip1{suffix}"),
        full("ip2", "ip1", 10),
        full("feat", "ip2", 2),
    ]


def contrastive_loss() -> LayerParameter:
    return l.layer(
        "ContrastiveLoss", "loss", ["feat", "feat_p", "sim"], "loss", contrastive_loss_param={"margin": 1}
    )


def autoencoder_files() -> dict[str, str]:
    """File name -> prototxt."""
    return {
        "train_test.prototxt": spell_net(
            "A deep autoencoder for MNIST (Hinton & Salakhutdinov 2006): 784 pixels to 30 numbers and back.\n"
            "Two test nets: the stages test-on-train and test-on-test.",
            "MNISTAutoencoder",
            autoencoder(),
        )
    }


def autoencoder() -> list[Item]:
    def data(source: str, **rule) -> LayerParameter:
        return l.layer(
            "Data", "data", [], "data", include=[rule], transform_param={"scale": 0.0039215684},
            data_param={"source": source, "batch_size": 100, "backend": "IDX"},
        )  # fmt: skip

    def full(name: str, bottom: str, outputs: int) -> LayerParameter:
        return l.inner_product(
            name, bottom, outputs,
            param=[{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 1, "decay_mult": 0}],
            weight_filler=l.gaussian(1, sparse=15), bias_filler=l.constant(0),
        )  # fmt: skip

    def sigmoid(name: str) -> LayerParameter:
        return l.layer("Sigmoid", f"{name}neuron", name, f"{name}neuron")

    items: list[Item] = [
        "Pixels times 1 / 255",
        data("mnist/train", phase="TRAIN"),
        data("mnist/train", phase="TEST", stage=["test-on-train"]),
        data("mnist/test", phase="TEST", stage=["test-on-test"]),
        l.layer("Flatten", "flatdata", "data", "flatdata"),
        "The encoder; the code has no nonlinearity",
    ]
    bottom = "data"
    for i, outputs in enumerate(WIDTHS, 1):
        items.append(full(f"encode{i}", bottom, outputs))
        bottom = f"encode{i}"
        if outputs != WIDTHS[-1]:
            items.append(sigmoid(bottom))
            bottom += "neuron"
    items.append("The decoder: the encoder's widths, backwards")
    for i, outputs in zip((4, 3, 2, 1), (*WIDTHS[-2::-1], 784)):
        items.append(full(f"decode{i}", bottom, outputs))
        bottom = f"decode{i}neuron"
        if i > 1:
            items.append(sigmoid(f"decode{i}"))
    return [
        *items,
        "What is trained: pixels as probabilities.  What is easier to read: the squared distance.",
        l.layer(
            "SigmoidCrossEntropyLoss", "loss", ["decode1", "flatdata"], "cross_entropy_loss", loss_weight=[1]
        ),
        sigmoid("decode1"),
        l.layer("EuclideanLoss", "loss", ["decode1neuron", "flatdata"], "l2_error", loss_weight=[0]),
    ]
