"""AugmentationParameter, checked, as the compiled code takes it."""

from __future__ import annotations

import math

import numpy as np

from ...errors import ConfigError
from ...kernels.augment.settings import Settings
from ...proto.schema import Message

LARGEST_SIGMA = 100  # pixels: each one more costs every pixel another twelve products
COLOURS = ("saturation", "hue")  # steps that take blue, green and red

# The limits of a step's numbers: the least, whether that is excluded, and the largest.
AREA, ASPECT = (0.0, True, 1.0), (0.0, True, math.inf)
FACTOR = (0.0, False, math.inf)
LIMITS: dict[str, dict[str, tuple[float, bool, float]]] = {
    "crop": {"area_min": AREA, "area_max": AREA, "aspect_min": ASPECT, "aspect_max": ASPECT},
    "affine": {
        "rotation": (0, False, 180),
        "translation": (0, False, 1),
        "scale_min": (0, True, math.inf),
        "scale_max": (0, True, math.inf),
        "shear": (0, False, 89),
    },
    "elastic": {"alpha": FACTOR, "sigma": (0, True, LARGEST_SIGMA)},
    "blur": {"sigma_min": (0, False, LARGEST_SIGMA), "sigma_max": (0, False, LARGEST_SIGMA)},
    "brightness": {"min": FACTOR, "max": FACTOR},
    "contrast": {"min": FACTOR, "max": FACTOR},
    "saturation": {"min": FACTOR, "max": FACTOR},
    "hue": {"min": (-180, False, 180), "max": (-180, False, 180)},
    "shade": {
        "strength_min": (0, False, 1),
        "strength_max": (0, False, 1),
        "width_min": FACTOR,
        "width_max": FACTOR,
        "value": (0, False, 255),
    },
    "noise": {"std": (0, False, 255)},
    "erase": {"area_min": AREA, "area_max": AREA, "aspect_min": ASPECT, "aspect_max": ASPECT},
}


def settings(conf: Message, channels: int) -> Settings:
    """The settings of an AugmentationParameter; ConfigError for a field that is out of range, missing, or not
    for images of so many channels."""
    found: dict[str, float] = {}
    for step, limits in LIMITS.items():
        if not conf.HasField(step):
            continue
        if step in COLOURS and channels != 3:
            raise ConfigError(
                f"augment_param.{step} is for colour images, of 3 channels; these have {channels}",
                hint=f"remove {step}",
            )
        part = getattr(conf, step)
        found[step] = _number(part, step, "probability", (0, False, 1))
        values = {name: _number(part, step, name, allowed) for name, allowed in limits.items()}
        for name, value in values.items():
            low = name.replace("max", "min")
            if low != name and values[low] > value:
                raise ConfigError(
                    f"augment_param.{step}.{low} must be at most {name}; got {values[low]:g} and {value:g}"
                )
            found[_name(step, name)] = value
    return Settings(**{name: float(value) for name, value in found.items()})


def _name(step: str, name: str) -> str:
    return name if name in Settings._fields else f"{step}_{name}"


def _number(part: Message, step: str, name: str, allowed: tuple[float, bool, float]) -> float:
    """A field's value, which must be given unless it has a default."""
    field = part.DESCRIPTOR.fields_by_name[name]
    if not (part.HasField(name) or field.has_default_value):
        raise ConfigError(f"augment_param.{step}.{name} must be set")
    value, (low, excluded, high) = getattr(part, name), allowed
    if not low <= value <= high or (excluded and value == low) or math.isinf(value):
        above = f"above {low:g}" if excluded else f"at least {low:g}"
        limits = above if high == math.inf else f"{above} and at most {high:g}"
        raise ConfigError(f"augment_param.{step}.{name} must be {limits}; got {value:g}")
    return value


def fill(values: list[float], name: str, channels: int) -> np.ndarray:
    """What a repeated field of pixels says: (channels,), float32."""
    if len(values) not in (0, 1, channels):
        raise ConfigError(
            f"augment_param.{name} must be given once or once per channel ({channels}); got {len(values)}"
            " values"
        )
    for value in values:
        if not math.isfinite(value):
            raise ConfigError(f"augment_param.{name} must be a number; got {value:g}")
    return np.full(channels, values or 0, np.float32)
