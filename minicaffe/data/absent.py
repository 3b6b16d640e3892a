"""Which data files that a net names are missing on this machine, and what shapes the blobs read from them
would have."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import MiniCaffeError
from ..files import open_file, read_start, read_text, refuse_foreign
from ..proto import binary
from ..proto.schema import BlobProto, LayerParameter, enum_name
from . import datasets, ranges
from .detection import voc
from .transformer import Transformer

Shape = tuple[int, ...]
Given = Mapping[str, Shape]  # by the name of a top

ROWS = (1, 1, 1, 8)  # of boxes, of which a batch may have any number

SOURCES = {
    "AnnotatedData": "data_param",
    "Data": "data_param",
    "DenseImageData": "dense_image_data_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
    "ImageLabelmapData": "image_data_param",
    "ImageSegData": "image_data_param",
    "InfogainLoss": "infogain_loss_param",
    "VideoData": "video_data_param",
    "WindowData": "window_data_param",
}
PAIRS = ("DenseImageData", "ImageLabelmapData", "ImageSegData")  # an image, and labels of its pixels


def files(layer: LayerParameter) -> Iterator[tuple[str, str]]:
    """The files and folders that a layer reads and that do not exist, each as the field that names it and its
    value.  Named data sets, which can be downloaded, are not listed."""
    if layer.type in SOURCES:
        field = SOURCES[layer.type]
        source = getattr(layer, field).source
        if source and not _can_be_read(layer, source):
            yield f"{field}.source", source
        elif layer.type in ("ImageData", *PAIRS) and source:
            yield from _first_images(layer)
        elif layer.type == "AnnotatedData" and source:
            yield from _label_map(layer)
        elif layer.type == "HDF5Data" and source:
            yield from ((f"{field}.source, {source}", path) for path in _words(source) if not is_here(path))
    if layer.transform_param.mean_file and not is_here(layer.transform_param.mean_file):
        yield "transform_param.mean_file", layer.transform_param.mean_file


def _can_be_read(layer: LayerParameter, source: str) -> bool:
    """Whether a source need not be reported as missing: it exists, or it looks like a misspelled named set,
    which is an error of its own."""
    backend = enum_name(layer.data_param, "backend") if SOURCES[layer.type] == "data_param" else ""
    if backend == "VOC":
        return voc.is_here(source)
    if backend == "COCO":
        source = ranges.without(source)
    if backend in ("IDX", "FOLDER"):
        source = ranges.without(source)
    if backend != "IDX":
        return is_here(source)
    close = difflib.get_close_matches(source, datasets.names(), n=1)
    return bool(close) or datasets.images_file(source) is not None


def named_set(layer: LayerParameter) -> str:
    """The named data set and its part that a Data layer reads, such as mnist/train; "" if it reads none."""
    source = ranges.without(layer.data_param.source) if layer.type == "Data" else ""
    return source if datasets.named_part(source) else ""


def set_is_here(source: str) -> bool:
    """Whether the files of a named data set are on this machine, so that no download is needed."""
    name, _, split = source.partition("/")
    dataset = datasets.SETS[name]
    return datasets.find(dataset, dataset.splits[split]) is not None


def shapes(layer: LayerParameter, phase: int, given: Given) -> list[Shape] | None:
    """The shapes of the tops of a layer that reads data, found without the data: from `given`, the prototxt,
    the mean_file and the named sets.  None if these do not suffice.  Images are assumed to have three
    channels unless something says otherwise."""
    tops = list(layer.top)
    if layer.type in PAIRS and len(given.get(tops[0] if tops else "", ())) == 4:
        return _pair(layer, given[tops[0]])
    told = _told(layer, phase)
    batch = next((given[name][:1] for name in tops if given.get(name)), None)
    found: list[Shape] = []
    for i, name in enumerate(tops):
        if name in given:
            found.append(given[name])
        elif i and layer.type == "AnnotatedData":
            found.append(ROWS)
        elif told is not None and i < len(told):
            found.append((*(batch or told[i][:1]), *told[i][1:]))
        elif i and batch:  # labels
            found.append(batch)
        else:
            return None
    return found


def _told(layer: LayerParameter, phase: int) -> list[Shape] | None:
    if layer.type in PAIRS:
        return _pair_told(layer)
    transform = layer.transform_param
    image: Shape | None
    if layer.type == "Data":
        batch = layer.data_param.batch_size
        if named := named_set(layer):
            image = datasets.SETS[named.partition("/")[0]].shape
        else:
            image = _colours(1 if transform.force_gray else 3, layer)
    elif layer.type == "AnnotatedData":
        return _annotated(layer)
    elif layer.type == "ImageData":
        conf = layer.image_data_param
        batch = conf.batch_size
        image = _colours(3 if conf.is_color else 1, layer, conf.new_height, conf.new_width)
    elif layer.type == "VideoData":
        videos = layer.video_data_param
        batch, channels = videos.batch_size, 3 if enum_name(videos, "modality") == "RGB" else 2
        channels *= videos.num_segments * videos.new_length
        image = _colours(channels, layer, videos.new_height, videos.new_width)
    elif layer.type == "WindowData":
        batch, image = layer.window_data_param.batch_size, _colours(3, layer)
    else:
        return None
    if named_set(layer):
        try:
            datasets.samples(layer.data_param.source)  # a range that the set lacks
            image = Transformer(transform, phase, image).out_shape  # type: ignore[arg-type]
        except MiniCaffeError:
            return None
    elif transform.crop_size:
        image = (image[0], transform.crop_size, transform.crop_size)
    return [(batch, *image), (batch,)] if batch > 0 and math.prod(image) else None


def _annotated(layer: LayerParameter) -> list[Shape] | None:
    """Images of one size, and rows of boxes."""
    transform, batch = layer.transform_param, layer.data_param.batch_size
    fit = transform.resize_param[0] if len(transform.resize_param) == 1 else None
    size = (0, 0)
    if fit is not None and enum_name(fit, "resize_mode") != "FIT_SMALL_SIZE":
        size = (fit.height, fit.width)
    crop = transform.crop_size or transform.crop_h
    image = (1 if transform.force_gray else 3, *((crop, crop) if crop else size))
    return [(batch, *image), ROWS] if batch > 0 and math.prod(image) else None


def _colours(channels: int, layer: LayerParameter, height: int = 0, width: int = 0) -> Shape:
    """The shape (channels, height, width) of a layer's images before they are cropped, with 0 for what is not
    known."""
    transform = layer.transform_param
    if transform.HasField("resize"):
        height, width = transform.resize.height, transform.resize.width
    return mean_shape(transform.mean_file) or (channels, height, width)


def mean_shape(path: str) -> Shape | None:
    """The shape (channels, height, width) of a mean_file; None if the file does not exist or holds no such
    image."""
    if not path or not is_here(path):
        return None
    try:
        shape = binary.blob_shape(binary.read(path, BlobProto))
    except MiniCaffeError:
        return None
    return shape[-3:] if len(shape) >= 3 else None


def _label_map(layer: LayerParameter) -> Iterator[tuple[str, str]]:
    """The classes of a source that is read with them."""
    path = layer.annotated_data_param.label_map_file
    if path and enum_name(layer.data_param, "backend") in ("VOC", "COCO") and not is_here(path):
        yield "annotated_data_param.label_map_file", path


def _first_images(layer: LayerParameter) -> Iterator[tuple[str, str]]:
    """What the first line of a list names and is missing; the others are not looked for, since they will be
    missing too."""
    field = SOURCES[layer.type]
    conf = getattr(layer, field)
    try:
        refuse_foreign(read_start(conf.source, 512), conf.source)
        with open_file(conf.source) as file:
            line = file.readline().rstrip(b"\r\n")
    except (MiniCaffeError, OSError):  # said by the layer
        return
    paths = line.split() if layer.type in PAIRS else [line.rpartition(b" ")[0]]
    if layer.type == "ImageSegData" and enum_name(conf, "label_type") != "PIXEL":
        paths = paths[:1]
    for path in map(os.fsdecode, paths):
        if path and not is_here(conf.root_folder + path):
            yield f"{field}.source, {conf.source}", conf.root_folder + path


def _pair(layer: LayerParameter, image: Shape) -> list[Shape]:
    """The shapes of the tops of one of PAIRS, by that of its images."""
    n, divide = image[:1], layer.dense_image_data_param.label_divide_factor
    return [image, (*n, 1, *(extent // max(divide, 1) for extent in image[2:])), (*n, 1, 1, 2)][
        : len(layer.top)
    ]


def _pair_told(layer: LayerParameter) -> list[Shape] | None:
    """The same, by the prototxt."""
    conf, transform = getattr(layer, SOURCES[layer.type]), layer.transform_param
    cut = conf if layer.type == "DenseImageData" else transform
    sizes = [(cut.crop_height, cut.crop_width), (transform.crop_size,) * 2, (conf.new_height, conf.new_width)]
    size = next((size for size in sizes if all(size)), None)
    return (
        _pair(layer, (conf.batch_size, 3 if conf.is_color else 1, *size))
        if size and conf.batch_size
        else None
    )


def _words(source: str) -> list[str]:
    try:
        return read_text(source).split()
    except MiniCaffeError:
        return []


def is_here(path: str) -> bool:
    """Whether there is a file or folder of this name."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False
