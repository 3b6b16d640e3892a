"""What may happen to an image."""

from __future__ import annotations

from typing import NamedTuple


class Settings(NamedTuple):
    """Probabilities and limits of all steps, floats without exception, so that one compiled function serves
    all.  A step with the probability 0 is off.  Angles are in degrees."""

    crop: float = 0.0
    crop_area_min: float = 1.0
    crop_area_max: float = 1.0
    crop_aspect_min: float = 1.0
    crop_aspect_max: float = 1.0
    affine: float = 0.0
    rotation: float = 0.0
    translation: float = 0.0
    scale_min: float = 1.0
    scale_max: float = 1.0
    shear: float = 0.0
    elastic: float = 0.0
    alpha: float = 0.0
    sigma: float = 1.0
    blur: float = 0.0
    blur_sigma_min: float = 0.0
    blur_sigma_max: float = 0.0
    brightness: float = 0.0
    brightness_min: float = 1.0
    brightness_max: float = 1.0
    contrast: float = 0.0
    contrast_min: float = 1.0
    contrast_max: float = 1.0
    saturation: float = 0.0
    saturation_min: float = 1.0
    saturation_max: float = 1.0
    hue: float = 0.0
    hue_min: float = 0.0
    hue_max: float = 0.0
    shade: float = 0.0
    shade_strength_min: float = 0.0
    shade_strength_max: float = 0.0
    shade_width_min: float = 0.0
    shade_width_max: float = 0.0
    shade_value: float = 0.0
    noise: float = 0.0
    noise_std: float = 0.0
    erase: float = 0.0
    erase_area_min: float = 0.0
    erase_area_max: float = 0.0
    erase_aspect_min: float = 1.0
    erase_aspect_max: float = 1.0
