"""What an augment_param may say."""

from __future__ import annotations

import numpy as np
import pytest

from minicaffe.data.augment import reading
from minicaffe.data.augment.augmentation import Augmentation
from minicaffe.errors import ConfigError
from minicaffe.kernels.augment.settings import Settings
from minicaffe.net import Net
from minicaffe.proto import extensions, text
from minicaffe.proto.schema import AugmentationParameter, NetParameter


def parsed(conf: str):
    return text.parse(conf, AugmentationParameter)


def test_every_step_and_field_is_read():
    """Of the message's fields none is left out, and none is taken for another's."""
    fields = AugmentationParameter.DESCRIPTOR.fields_by_name
    steps = {name for name, field in fields.items() if field.message_type is not None}
    assert steps == set(reading.LIMITS)
    for step in steps:
        names = {field.name for field in fields[step].message_type.fields}
        assert names - {"probability", "fill"} == set(reading.LIMITS[step])
    conf = parsed(
        "crop { probability: 0.1 area_min: 0.2 area_max: 0.3 aspect_min: 0.4 aspect_max: 0.5 }"
        " affine { probability: 0.6 rotation: 7 translation: 0.8 scale_min: 0.9 scale_max: 10 shear: 11 }"
        " elastic { probability: 0.12 alpha: 13 sigma: 14 }"
        " blur { probability: 0.15 sigma_min: 16 sigma_max: 17 }"
        " brightness { probability: 0.18 min: 19 max: 20 } contrast { probability: 0.21 min: 22 max: 23 }"
        " saturation { probability: 0.24 min: 25 max: 26 } hue { probability: 0.27 min: 28 max: 29 }"
        " shade { probability: 0.37 strength_min: 0.38 strength_max: 0.39 width_min: 40 width_max: 41"
        " value: 42 }"
        " noise { probability: 0.3 std: 31 }"
        " erase { probability: 0.32 area_min: 0.33 area_max: 0.34 aspect_min: 35 aspect_max: 36 }"
    )
    wanted = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 7, 0.8, 0.9, 10, 11, 0.12, 13, 14, 0.15, 16, 17, 0.18, 19, 20]
    wanted += [0.21, 22, 23, 0.24, 25, 26, 0.27, 28, 29, 0.37, 0.38, 0.39, 40, 41, 42]
    wanted += [0.3, 31, 0.32, 0.33, 0.34, 35, 36]
    np.testing.assert_allclose(reading.settings(conf, 3), wanted, rtol=1e-6)
    assert all(isinstance(value, float) for value in reading.settings(conf, 3))


def test_what_is_not_there_is_off():
    assert reading.settings(parsed(""), 1) == Settings()
    affine = reading.settings(parsed("affine { rotation: 15 }"), 1)
    assert affine == Settings(affine=1.0, rotation=15.0)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("affine { probability: 1.5 }", r"affine.probability must be at least 0 and at most 1; got 1.5"),
        ("noise { std: 1 probability: -0.1 }", r"noise.probability must be .*; got -0.1"),
        ("erase { probability: nan }", r"erase.probability must be .*; got nan"),
        ("noise { }", "noise.std must be set"),
        ("shade { }", "shade.strength_max must be set"),
        ("shade { strength_max: 1.5 }", "shade.strength_max must be at least 0 and at most 1; got 1.5"),
        ("shade { strength_max: 1 width_min: 2 }", "shade.width_min must be at most width_max; got 2 and 1"),
        ("noise { std: -3 }", "noise.std must be at least 0 and at most 255; got -3"),
        ("elastic { alpha: 3 }", "elastic.sigma must be set"),
        ("elastic { alpha: 3 sigma: 0 }", "elastic.sigma must be above 0 and at most 100; got 0"),
        ("elastic { alpha: inf sigma: 2 }", "elastic.alpha must be at least 0; got inf"),
        ("blur { sigma_max: -1 }", "blur.sigma_max must be at least 0 and at most 100; got -1"),
        ("blur { sigma_min: 2 sigma_max: 1 }", "blur.sigma_min must be at most sigma_max; got 2 and 1"),
        ("blur { sigma_max: 1e9 }", "blur.sigma_max must be .*; got 1e\\+09"),
        ("affine { scale_min: 0 }", "affine.scale_min must be above 0; got 0"),
        ("affine { scale_min: 2 }", "affine.scale_min must be at most scale_max; got 2 and 1"),
        ("affine { scale_max: 0.5 }", "affine.scale_min must be at most scale_max; got 1 and 0.5"),
        ("affine { rotation: -5 }", "affine.rotation must be at least 0 and at most 180; got -5"),
        ("affine { translation: 28 }", "affine.translation must be at least 0 and at most 1; got 28"),
        ("affine { shear: 90 }", "affine.shear must be at least 0 and at most 89; got 90"),
        ("crop { area_min: 0 }", "crop.area_min must be above 0 and at most 1; got 0"),
        ("crop { area_max: 1.2 }", "crop.area_max must be above 0 and at most 1; got 1.2"),
        ("crop { aspect_min: 2 }", "crop.aspect_min must be at most aspect_max; got 2 and 1.3"),
        ("contrast { min: 1 }", "contrast.max must be set"),
        ("brightness { min: -1 max: 1 }", "brightness.min must be at least 0; got -1"),
        ("hue { min: -200 max: 1 }", "hue.min must be at least -180 and at most 180; got -200"),
        ("erase { area_min: 0.5 }", "erase.area_min must be at most area_max; got 0.5 and 0.33"),
        ("fill: [1, 2]", r"fill must be given once or once per channel \(3\); got 2 values"),
        ("fill: nan", "fill must be a number; got nan"),
        ("erase { fill: [1, 2, 3, 4] }", r"erase.fill must be given once .* \(3\); got 4 values"),
        ("threads: 0", "threads must be at least 1; got 0"),
    ],
)
def test_what_is_refused(conf, message):
    with pytest.raises(ConfigError, match=f"augment_param.{message}"):
        Augmentation(parsed(conf), 3)


@pytest.mark.parametrize("step", ["hue", "saturation"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_colours_need_colour_images(step, channels):
    conf = parsed(f"{step} {{ min: 1 max: 1 }}")
    with pytest.raises(
        ConfigError, match=f"augment_param.{step} is for colour images, of 3 channels; these have {channels}"
    ):
        Augmentation(conf, channels)


@pytest.mark.parametrize(
    "layer",
    [
        'type: "Input" input_param { shape { dim: 2 } }',
        'type: "DummyData" dummy_data_param { shape { dim: 2 } }',
        'type: "HDF5Data" hdf5_data_param { source: "x" }',
        'type: "WindowData" window_data_param { source: "x" }',
    ],
)
def test_layers_without_images_of_their_own_refuse_it(layer):
    net = f'layer {{ name: "d" {layer} top: "a" augment_param {{ noise {{ std: 1 }} }} }}'
    with pytest.raises(
        ConfigError, match=r"layer 'd' \(\w+\): augment_param has no effect here; hint: Data,"
    ):
        Net(text.parse(net, NetParameter))


def test_it_is_an_extension():
    net = 'layer { name: "d" augment_param { noise { std: 1 } } transform_param { std_value: 2 } }'
    found = text.parse(net, NetParameter)
    assert set(extensions.used(found)) == {
        "layer[0].augment_param",
        "layer[0].transform_param.std_value[0]",
    }
    extensions.strip(found)
    assert found == text.parse('layer { name: "d" transform_param { } }', NetParameter)
