"""Layers that several families use: LayerParameters with the settings that the published nets repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minicaffe.proto.schema import LayerParameter

DECAY_WEIGHTS = [{"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 2, "decay_mult": 0}]
BIAS_TWICE = [{"lr_mult": 1}, {"lr_mult": 2}]
IN_TRAIN, IN_TEST = [{"phase": "TRAIN"}], [{"phase": "TEST"}]

XAVIER = {"type": "xavier"}
IMAGENET = "256 x 256 images, in databases made by Caffe's examples/imagenet/create_imagenet.sh."


def gaussian(std: float, **more: Any) -> dict[str, Any]:
    return {"type": "gaussian", "std": std, **more}


def constant(value: float | None = None) -> dict[str, Any]:
    return {"type": "constant"} if value is None else {"type": "constant", "value": value}


def layer(
    kind: str, name: str, bottom: str | Sequence[str], top: str | Sequence[str], **fields: Any
) -> LayerParameter:
    """Any layer; `fields` are those of LayerParameter, messages as dicts."""
    bottoms = [bottom] if isinstance(bottom, str) else bottom
    tops = [top] if isinstance(top, str) else top
    return LayerParameter(name=name, type=kind, bottom=bottoms, top=tops, **fields)


def convolution(
    name: str,
    bottom: str,
    num_output: int,
    kernel: int,
    *,
    param=BIAS_TWICE,
    pad=None,
    stride=None,
    **conf: Any,
) -> LayerParameter:
    """A convolution into a top of its own name; `conf` are fields of ConvolutionParameter."""
    conf |= {key: [value] for key, value in (("pad", pad), ("stride", stride)) if value is not None}
    conf |= {"num_output": num_output, "kernel_size": [kernel]}
    return layer("Convolution", name, bottom, name, param=param, convolution_param=conf)


def inner_product(
    name: str, bottom: str, num_output: int, *, param=BIAS_TWICE, **conf: Any
) -> LayerParameter:
    """An inner product into a top of its own name; `conf` are fields of InnerProductParameter."""
    conf |= {"num_output": num_output}
    return layer("InnerProduct", name, bottom, name, param=param, inner_product_param=conf)


def relu(name: str, blob: str) -> LayerParameter:
    return layer("ReLU", name, blob, blob)


def dropout(name: str, blob: str, ratio: float) -> LayerParameter:
    return layer("Dropout", name, blob, blob, dropout_param={"dropout_ratio": ratio})


def pooling(name: str, bottom: str, method: str, kernel: int, stride: int, *, pad: int = 0) -> LayerParameter:
    conf = {"pool": method, "kernel_size": kernel, "stride": stride} | ({"pad": pad} if pad else {})
    return layer("Pooling", name, bottom, name, pooling_param=conf)


def lrn(name: str, bottom: str, local_size: int = 5, alpha: float = 1e-4, **conf: Any) -> LayerParameter:
    conf |= {"local_size": local_size, "alpha": alpha, "beta": 0.75}
    return layer("LRN", name, bottom, name, lrn_param=conf)


def accuracy(bottom: str, name: str = "accuracy", *, top_k: int | None = None) -> LayerParameter:
    conf = {"accuracy_param": {"top_k": top_k}} if top_k else {}
    return layer("Accuracy", name, [bottom, "label"], name, include=IN_TEST, **conf)


def softmax_loss(bottom: str, name: str = "loss") -> LayerParameter:
    return layer("SoftmaxWithLoss", name, [bottom, "label"], name)


def prob(bottom: str) -> LayerParameter:
    return layer("Softmax", "prob", bottom, "prob")


def inputs(*shape: int) -> LayerParameter:
    return layer("Input", "data", [], "data", input_param={"shape": [{"dim": shape}]})


def dummy_data(batch: int, *shape: int) -> LayerParameter:
    """Noise as strong as pixels less their mean, all of class 0: for timing."""
    conf = {
        "data_filler": [gaussian(60), constant(0)],
        "shape": [{"dim": (batch, *shape)}, {"dim": [batch]}],
    }
    return layer("DummyData", "data", [], ["data", "label"], dummy_data_param=conf)


def database(
    name: str,
    sources: tuple[str, str],
    batches: tuple[int, int],
    *,
    transforms,
    tops=("data", "label"),
    **conf: Any,
) -> list[LayerParameter]:
    """Two Data layers of one name, for TRAIN and TEST; `transforms` is one for both, or one each."""
    each = [transforms, transforms] if isinstance(transforms, dict) else transforms
    return [
        layer(
            "Data", name, [], tops, include=rule, transform_param=transform,
            data_param={"source": source, "batch_size": batch, **conf},
        )
        for rule, source, batch, transform in zip((IN_TRAIN, IN_TEST), sources, batches, each)
    ]  # fmt: skip


def imagenet(crop: int, batches: tuple[int, int], **mean: Any) -> list[LayerParameter]:
    """The ImageNet databases that Caffe's scripts make, cropped, mirrored in training."""
    sources = ("examples/imagenet/ilsvrc12_train_lmdb", "examples/imagenet/ilsvrc12_val_lmdb")
    transforms = [{"mirror": mirror, "crop_size": crop, **mean} for mirror in (True, False)]
    return database("data", sources, batches, transforms=transforms, backend="LMDB")


def mnist(batches: tuple[int, int], **transform: Any) -> list[LayerParameter]:
    """The named data set."""
    return database("mnist", ("mnist/train", "mnist/test"), batches, transforms=transform, backend="IDX")


def mnist_split(
    batches: tuple[int, int], transforms: dict | list[dict], tops=("data", "label"), **conf: Any
) -> list[LayerParameter]:
    """MNIST's training images alone, a quarter of them to validate with: those that DIGITS leaves of 60,000
    when it is asked for 25 %."""
    sources = ("mnist/train[:45002]", "mnist/train[45002:]")
    return database("mnist", sources, batches, transforms=transforms, tops=tops, backend="IDX", **conf)
