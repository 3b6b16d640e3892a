"""annotated_data_param and SSD's fields of transform_param, checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from ...errors import ConfigError
from ...proto.schema import Message, TransformationParameter, enum_name
from ..transformer import Transformer
from .distortion import Change, Distortion, Expansion
from .fitting import SMALL, WARP, Fit
from .noise import Noise
from .resampling import METHODS
from .sampling import Constraint, Sampler

MOST_TRIALS = 10_000  # of a sampler: they are drawn at once
FORKS_OWN = frozenset(
    "resize_param noise_param emit_constraint crop_h crop_w distort_param expand_param".split()
)
# By message, the fields that are read; of resize_param and noise_param the fork reads no `prob`.
READ = {
    "batch_sampler": "use_original_image sampler sample_constraint max_sample max_trials",
    "resize_param": "prob resize_mode height width pad_mode pad_value interp_mode",
    "noise_param": """prob hist_eq inverse decolorize gauss_blur jpeg posterize erode saltpepper
        saltpepper_param""",
    "distort_param": """brightness_prob brightness_delta contrast_prob contrast_lower contrast_upper hue_prob
        hue_delta saturation_prob saturation_lower saturation_upper random_order_prob""",
}
MEASURES = {"jaccard_overlap": "jaccard", "sample_coverage": "sample", "object_coverage": "object"}


class Emit(NamedTuple):
    """Which objects a part of an image keeps: those centred in it, or of which a larger share lies in it."""

    centred: bool = False
    least_share: float | None = None


class Settings(NamedTuple):
    """What is done to an annotated image, in this order; None for what is not done.

    transform  what a Transformer does last
    """

    distortion: Distortion | None
    expansion: Expansion | None
    samplers: list[Sampler]
    fit: Fit | None
    noise: Noise | None
    emit: Emit
    transform: Message


def settings(annotated: Message, transform: Message, channels: int) -> Settings:
    """The settings for images of so many channels; ConfigError for what is out of range, does not fit, or is
    not supported."""
    samplers = [
        _sampler(sampler, f"annotated_data_param.batch_sampler[{i}]")
        for i, sampler in enumerate(annotated.batch_sampler)
        if sampler.use_original_image
    ]
    has = transform.HasField
    found = Settings(
        distortion=_distortion(transform.distort_param, channels) if has("distort_param") else None,
        expansion=_expansion(transform, channels) if has("expand_param") else None,
        samplers=samplers,
        fit=_fit(transform.resize_param, channels) if transform.resize_param else None,
        noise=_noise(transform.noise_param, channels) if has("noise_param") else None,
        emit=_emit(transform.emit_constraint) if has("emit_constraint") else Emit(),
        transform=_rest(transform),
    )
    several = "batch_sampler" if samplers else "expand_param" if found.expansion else ""
    if several and found.fit is None:
        raise ConfigError(
            f"{several} makes images of many sizes",
            hint="transform_param { resize_param } brings them to one",
        )
    return found


def _rest(transform: Message) -> Message:
    """What a Transformer does: the fields of Caffe's, and crop_h and crop_w as crop_size."""
    rest = TransformationParameter()
    rest.CopyFrom(transform)
    crop = rest.crop_h, rest.crop_w
    for name in FORKS_OWN:
        rest.ClearField(name)
    if any(crop):
        if rest.crop_size or crop[0] != crop[1]:
            raise ConfigError(
                f"crop_h and crop_w must be equal, without crop_size; got {crop[0]} and {crop[1]}",
                hint="resize_param can bring images to any height and width",
            )
        rest.crop_size = crop[0]
    if rest.HasField("resize"):
        raise ConfigError("transform_param.resize has no effect here", hint="resize_param { height width }")
    return rest


def in_use(transform: Message) -> str:
    """Make of the transform_param of training what is done to images in use: changes at random go, crop_h and
    crop_w become crop_size, a resize_param that warps becomes resize.  Returns the mode of another one, which
    nothing can stand for."""
    fits, crop = list(transform.resize_param), transform.crop_h
    for name in FORKS_OWN:
        transform.ClearField(name)
    transform.crop_size = transform.crop_size or crop
    if not transform.crop_size:
        transform.ClearField("crop_size")
    if not fits or (mode := enum_name(fits[0], "resize_mode")) == WARP:
        for fit in fits[:1]:
            transform.resize.height, transform.resize.width = fit.height, fit.width
        return ""
    return mode


def refuse_others(message: Message, path: str, read: Collection[str]) -> None:
    """ConfigError for a field that is not among those `read`, and has a value that is not its default."""
    for field, value in message.ListFields():
        default = not field.is_repeated and field.message_type is None and value == field.default_value
        if field.name not in read and not default:
            raise ConfigError(
                f"{path}.{field.name} is not supported", hint="remove it if the net is right without"
            )


def _number(message: Message, path: str, name: str, low: float, high: float = math.inf) -> float:
    value = getattr(message, name)
    if not low <= value <= high or math.isinf(value):
        limits = f"at least {low:g}" + (f" and at most {high:g}" if high < math.inf else "")
        raise ConfigError(f"{path}.{name} must be {limits}; got {value:g}")
    return float(value)


def _span(message: Message, path: str, low: str, high: str, least: float, most: float) -> tuple[float, float]:
    first = _number(message, path, low, least, most)
    return first, _number(message, path, high, first, most)


def _sampler(conf: Message, path: str) -> Sampler:
    refuse_others(conf, path, READ["batch_sampler"].split())
    drawn, wanted = conf.sampler, conf.sample_constraint
    scale = _span(drawn, f"{path}.sampler", "min_scale", "max_scale", 1e-6, 1)
    aspect = _span(drawn, f"{path}.sampler", "min_aspect_ratio", "max_aspect_ratio", 1e-6, math.inf)
    constraint = None
    for name, measure in MEASURES.items():  # the first that is given decides
        if constraint is None and any(wanted.HasField(f"{end}_{name}") for end in ("min", "max")):
            limits = [
                _number(wanted, f"{path}.sample_constraint", f"{end}_{name}", -math.inf)
                if wanted.HasField(f"{end}_{name}")
                else other
                for end, other in (("min", -math.inf), ("max", math.inf))
            ]
            constraint = Constraint(measure, *limits)
    trials = int(_number(conf, path, "max_trials", 0, MOST_TRIALS))
    return Sampler(
        scale, aspect, constraint, trials, conf.max_sample if conf.HasField("max_sample") else None
    )


def _distortion(conf: Message, channels: int) -> Distortion:
    path = "transform_param.distort_param"
    refuse_others(conf, path, READ["distort_param"].split())
    changes = {}
    for name in ("brightness", "contrast", "saturation", "hue"):
        chance = _number(conf, path, f"{name}_prob", 0, 1)
        if name in ("brightness", "hue"):
            delta = _number(conf, path, f"{name}_delta", 0, 255 if name == "brightness" else 180)
            changes[name] = Change(chance, -delta, delta)
        elif chance:
            changes[name] = Change(chance, *_span(conf, path, f"{name}_lower", f"{name}_upper", 0, math.inf))
        else:
            changes[name] = Change(0, 1, 1)
    order = _number(conf, path, "random_order_prob", 0, 1)
    if channels != 3 and (changes["saturation"].probability or changes["hue"].probability or order):
        raise ConfigError(
            f"{path}: saturation, hue and order are of images of 3 channels; these have {channels}",
            hint="force_color makes encoded images colour",
        )
    return Distortion(**changes, order=order)


def _expansion(transform: Message, channels: int) -> Expansion | None:
    conf, path = transform.expand_param, "transform_param.expand_param"
    chance = _number(conf, path, "prob", 0, 1)
    most = _number(conf, path, "max_expand_ratio", 1, 100)
    if most - 1 < 0.01:
        return None
    return Expansion(chance, most, _values(transform.mean_value, "transform_param.mean_value", channels))


def _values(values: Sequence[float], path: str, channels: int) -> np.ndarray:
    """A repeated field of pixels, once or once per channel; 0 if it is not given."""
    if len(values) not in (0, 1, channels) or not all(map(math.isfinite, values)):
        raise ConfigError(
            f"{path} must be numbers, once or once per channel ({channels}); got {len(values)} values"
        )
    return np.array(list(values) or [0.0], np.float32)


def _fit(given: Sequence[Message], channels: int) -> Fit:
    path = "transform_param.resize_param"
    if len(given) > 1:
        raise ConfigError(f"{path} is given {len(given)} times", hint="keep one of them")
    conf = given[0]
    refuse_others(conf, path, READ["resize_param"].split())
    height, width = (int(_number(conf, path, name, 1, 1 << 15)) for name in ("height", "width"))
    field = conf.DESCRIPTOR.fields_by_name["interp_mode"]
    methods = tuple(field.enum_type.values_by_number[mode].name for mode in conf.interp_mode)
    values = _values(conf.pad_value, f"{path}.pad_value", channels)
    pad = enum_name(conf, "pad_mode")
    return Fit(enum_name(conf, "resize_mode"), height, width, methods or METHODS[:1], pad, values)


def _noise(conf: Message, channels: int) -> Noise:
    path = "transform_param.noise_param"
    refuse_others(conf, path, READ["noise_param"].split())
    if conf.hist_eq or conf.decolorize or conf.jpeg >= 0:
        if channels not in (1, 3):
            raise ConfigError(f"{path} is for images of 1 or 3 channels; these have {channels}")
    salt, pepper = 0.0, np.zeros(1, np.float32)
    if conf.saltpepper:
        within = conf.saltpepper_param
        salt = _number(within, f"{path}.saltpepper_param", "fraction", 0, 1)
        pepper = np.clip(_values(within.value, f"{path}.saltpepper_param.value", channels), 0, 255)
    quality = _number(conf, path, "jpeg", -1, 100)
    switches = ("decolorize", "gauss_blur", "hist_eq", "erode", "posterize", "inverse")
    on = {name: bool(getattr(conf, name)) for name in switches}
    return Noise(jpeg=int(quality) if quality >= 0 else None, salt=salt, pepper=pepper, **on)


def _emit(conf: Message) -> Emit:
    if enum_name(conf, "emit_type") == "CENTER":
        return Emit(centred=True)
    return Emit(least_share=_number(conf, "transform_param.emit_constraint", "emit_overlap", 0, 1))


def transformer(found: Settings, phase: int, shape: tuple[int, int, int]) -> Transformer:
    """What is done last to images that have had this shape."""
    if found.fit is not None:
        fit = found.fit
        size = fit.size(*shape[1:]) if fit.mode == SMALL else (fit.height, fit.width)
        shape = (shape[0], *size)
    return Transformer(found.transform, phase, shape)
