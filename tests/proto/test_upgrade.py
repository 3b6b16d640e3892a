"""Files of earlier schemas become what Caffe's own tools make of them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from minicaffe import Net
from minicaffe.errors import ConfigError, MiniCaffeError
from minicaffe.proto import binary, text, upgrade, v0, v1
from minicaffe.proto.schema import NetParameter, SolverParameter

GOLDEN = Path(__file__).parent.parent / "golden" / "upgrade"


def net(source: str) -> NetParameter:
    return text.parse(source, NetParameter)


def upgraded(source: str) -> NetParameter:
    result = net(source)
    upgrade.upgrade_net(result)
    return result


@pytest.fixture
def warnings(caplog):
    """What was logged as a warning or worse since the test began."""
    caplog.set_level(logging.INFO, "minicaffe")
    return lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# -- the whole chain


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.in.prototxt")), ids=lambda p: p.name.split(".")[0])
@pytest.mark.parametrize("form", ["text", "binary"])
def test_results_are_caffes(path, form, tmp_path, warnings):
    wanted = path.with_name(path.name.replace(".in.", ".out."))
    if path.name.startswith("solver"):
        result, kind = upgrade.read_solver(path), SolverParameter
        result.ClearField("snapshot_prefix")  # the default, which read_solver adds
    else:
        kind = NetParameter
        if form == "binary":
            old = tmp_path / "old.caffemodel"
            old.write_bytes(text.read(path, NetParameter).SerializeToString())
            result = upgrade.read_weights(old)
        else:
            result = upgrade.read_net(path)
    assert text.spell(result) == text.spell(text.read(wanted, kind))
    assert not warnings()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.out.prototxt")), ids=lambda p: p.name.split(".")[0])
def test_current_files_stay_as_they_are(path):
    kind = SolverParameter if path.name.startswith("solver") else NetParameter
    result = text.read(path, kind)
    (upgrade.upgrade_solver if kind is SolverParameter else upgrade.upgrade_net)(result)
    assert result == text.read(path, kind)


def test_all_steps_at_once(tmp_path):
    """A V0 net with padding, inputs and weights runs, and gives what the same net in today's words gives."""
    weights = (
        "blobs { num: 2 channels: 1 height: 3 width: 3 " + "".join(f"data: {i} " for i in range(18)) + "}"
    )
    (tmp_path / "old.prototxt").write_text(f"""
        input: "x" input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 4
        layers {{ bottom: "x" top: "padded" layer {{ name: "pad" type: "padding" pad: 1 }} }}
        layers {{ bottom: "padded" top: "y" layer {{ name: "c" type: "conv" num_output: 2 kernelsize: 3
                  {weights} blobs {{ num: 1 channels: 1 height: 1 width: 2 data: 5 data: -5 }} }} }}""")
    new = f"""
        layer {{ name: "input" type: "Input" top: "x" input_param {{ shape {{ dim: [1, 1, 4, 4] }} }} }}
        layer {{ name: "c" type: "Convolution" bottom: "x" top: "y"
                 convolution_param {{ num_output: 2 kernel_size: 3 pad: 1 }}
                 {weights} blobs {{ shape {{ dim: 2 }} data: 5 data: -5 }} }}"""
    image = np.arange(16.0).reshape(1, 1, 4, 4)
    got = Net(tmp_path / "old.prototxt").forward(x=image)
    np.testing.assert_array_equal(got["y"], Net(net(new)).forward(x=image)["y"])


def test_a_net_given_as_a_message_is_upgraded_too():
    old = net('layers { name: "in" type: DUMMY_DATA top: "x" dummy_data_param { shape { dim: 2 } } }')
    assert Net(old).outputs == ["x"]
    assert old.layers, "the message given stays as it was"


# -- V0


def v0_layer(fields: str, around: str = "") -> str:
    return f'layers {{ layer {{ name: "a" {fields} }} {around} }}'


@pytest.mark.parametrize("name", v0.TYPES)
def test_v0_types(name):
    (layer,) = upgraded(v0_layer(f'type: "{name}"', 'top: "t"')).layer
    assert (layer.name, list(layer.top)) == ("a", ["t"])
    wanted = {
        "conv": "Convolution",
        "pool": "Pooling",
        "images": "ImageData",
        "innerproduct": "InnerProduct",
        "softmax_loss": "SoftmaxWithLoss",
        "lrn": "LRN",
        "im2col": "Im2col",
        "hdf5_output": "HDF5Output",
    }
    squeezed = name.replace("_", "")
    assert layer.type == wanted.get(name, layer.type) and (name in wanted or layer.type.lower() == squeezed)


CONV_FIELDS = "num_output: 3 biasterm: false pad: 1 kernelsize: 5 group: 2 stride: 4"
FILLERS = 'weight_filler { type: "xavier" } bias_filler { value: 2 }'
IMAGES = 'source: "s" batchsize: 7 rand_skip: 5'
WINDOWS = "det_fg_threshold: 0.1 det_bg_threshold: 0.2 det_fg_fraction: 0.3 det_context_pad: 4"

V0_FIELDS = {
    "conv": (
        f"{CONV_FIELDS} {FILLERS}",
        "convolution_param { num_output: 3 bias_term: false pad: 1 kernel_size: 5 group: 2 stride: 4 "
        f"{FILLERS} }}",
    ),
    "innerproduct": (
        f"num_output: 3 biasterm: true {FILLERS}",
        f"inner_product_param {{ num_output: 3 bias_term: true {FILLERS} }}",
    ),
    "pool": (
        "pool: STOCHASTIC pad: 1 kernelsize: 3 stride: 2",
        "pooling_param { pool: STOCHASTIC pad: 1 kernel_size: 3 stride: 2 }",
    ),
    "dropout": ("dropout_ratio: 0.25", "dropout_param { dropout_ratio: 0.25 }"),
    "lrn": (
        "local_size: 3 alpha: 2 beta: 0.5 k: 4",
        "lrn_param { local_size: 3 alpha: 2 beta: 0.5 k: 4 }",
    ),
    "data": (IMAGES, 'data_param { source: "s" batch_size: 7 rand_skip: 5 }'),
    "images": (
        f"{IMAGES} shuffle_images: true new_height: 8 new_width: 9",
        'image_data_param { source: "s" batch_size: 7 rand_skip: 5 shuffle: true '
        "new_height: 8 new_width: 9 }",
    ),
    "window_data": (
        f'source: "s" batchsize: 7 {WINDOWS} det_crop_mode: "square"',
        'window_data_param { source: "s" batch_size: 7 fg_threshold: 0.1 bg_threshold: 0.2 fg_fraction: 0.3 '
        'context_pad: 4 crop_mode: "square" }',
    ),
    "hdf5_data": ('source: "s" batchsize: 7', 'hdf5_data_param { source: "s" batch_size: 7 }'),
    "hdf5_output": (
        'hdf5_output_param { file_name: "f" }',
        'hdf5_output_param { file_name: "f" }',
    ),
    "infogain_loss": ('source: "s"', 'infogain_loss_param { source: "s" }'),
    "concat": ("concat_dim: 0", "concat_param { concat_dim: 0 }"),
    "relu": (
        'scale: 0.5 meanfile: "m" cropsize: 12 mirror: true',  # any layer takes these
        'transform_param { scale: 0.5 mean_file: "m" crop_size: 12 mirror: true }',
    ),
    "tanh": (
        "blobs { num: 1 data: 3 } blobs_lr: 1 blobs_lr: 2 weight_decay: 3",
        "blobs { num: 1 data: 3 } param { lr_mult: 1 decay_mult: 3 } param { lr_mult: 2 }",
    ),
}


@pytest.mark.parametrize("kind", V0_FIELDS)
def test_v0_fields(kind, warnings):
    fields, wanted = V0_FIELDS[kind]
    (layer,) = upgraded(v0_layer(f'type: "{kind}" {fields}')).layer
    assert layer == net(f'layer {{ name: "a" type: "{layer.type}" {wanted} }}').layer[0]
    assert not warnings()


def test_every_v0_field_is_tried_above():
    fields = v0.V1LayerParameter.DESCRIPTOR.fields_by_name["layer"].message_type.fields_by_name
    assert set(v0.FIELDS) | {"name", "type", "blobs", "blobs_lr", "weight_decay"} == set(fields)
    tried = " ".join(old for old, _ in V0_FIELDS.values())
    assert all(f"{name}" in tried for name, (homes, _) in v0.FIELDS.items() if homes)


@pytest.mark.parametrize("field", [name for name, (homes, _) in v0.FIELDS.items() if "relu" not in homes])
def test_v0_fields_of_another_type_are_dropped_with_a_warning(field, warnings):
    descriptor = v0.V1LayerParameter().layer.DESCRIPTOR.fields_by_name[field]
    value = (
        "{ }" if descriptor.message_type else ': "s"' if descriptor.type == descriptor.TYPE_STRING else ": 1"
    )
    (layer,) = upgraded(v0_layer(f'type: "relu" {field} {value}')).layer
    assert layer == net('layer { name: "a" type: "ReLU" }').layer[0]
    assert warnings() == [
        f"a net: layer 'a': {field} has no meaning for type 'relu' and is dropped",
        "a net: not everything could be upgraded (see above); continuing anyway",
    ]


def test_v0_nets_keep_only_what_v0_had(warnings):
    result = upgraded(
        """name: "n" force_backward: true debug_info: true state { level: 2 }
        input: "x" input_shape { dim: 1 } """
        + v0_layer('type: "relu"', "loss_weight: 1 include { }")
    )
    assert result == net('name: "n" force_backward: true layer { name: "a" type: "ReLU" }')
    lost = " ".join(warnings())
    for name in ("debug_info", "state", "input_shape", "loss_weight", "include"):
        assert name in lost


PADDED = 'layers { layer { name: "p" type: "padding" pad: 4 } bottom: "x" top: "padded" } '


def test_padding_goes_to_each_consumer(warnings):
    consumers = "".join(
        f'layers {{ layer {{ name: "{kind}" type: "{kind}" {own} }} bottom: "padded" }}'
        for kind, own in (("conv", ""), ("pool", "pad: 1"))
    )
    result = upgraded(f'input: "x" {PADDED}{consumers}')
    assert result == net("""
        layer { name: "conv" type: "Convolution" bottom: "x" convolution_param { pad: 4 } }
        layer { name: "pool" type: "Pooling" bottom: "x" pooling_param { pad: 4 } }""")
    assert warnings()[0] == "a net: layer 'pool': its own pad gives way to that of layer 'p'"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (v0_layer('type: "rely"'), "layer 'a': no layer type 'rely' in the first schema; hint: .*'relu'"),
        (v0_layer('type: "relu"', 'bottom: "gone"'), "layer 'a': bottom 0 'gone' is no top of an earlier"),
        (
            f'input: "x" {PADDED}' + v0_layer('type: "relu"', 'bottom: "padded"'),
            "layer 'a': layer 'p' pads for convolutions and pooling only; this one is 'relu'",
        ),
        (
            f'input: "x" {PADDED}' + v0_layer('type: "conv"', 'bottom: "padded" bottom: "x"'),
            "layer 'a' must have one bottom where padding is folded into a layer; got 2",
        ),
        (
            f'input: "x" {PADDED}'.replace('bottom: "x"', "") + v0_layer('type: "conv"', 'bottom: "padded"'),
            "layer 'p' must have one bottom .*; got 0",
        ),
        (
            f'input: "x" {PADDED}'.replace('top: "', 'top: "q" top: "')
            + v0_layer('type: "conv"', 'bottom: "q"'),
            "layer 'p' must have one top .*; got 2",
        ),
        (v0_layer('type: "relu"') + 'layers { name: "b" type: RELU }', "a layer without `layer`"),
        (v0_layer('type: "relu"') + "layer { }", "1 `layers` of .* beside 1 `layer`"),
        ("layers { type: RELU } layer { } layer { }", "1 `layers` of .* beside 2 `layer`"),
    ],
)
def test_what_caffe_aborts_on_is_refused(source, message):
    with pytest.raises(MiniCaffeError, match=message):
        upgraded(source)


# -- V1


@pytest.mark.parametrize("number", v1.TYPES)
def test_v1_types(number):
    """By name in CamelCase: golden/upgrade/v1_all holds what Caffe writes for each."""
    (layer,) = upgraded(f"layers {{ type: {number} }}").layer
    name = v1.V1LayerParameter.DESCRIPTOR.enum_types_by_name["LayerType"].values_by_number[number].name
    wanted = {"NONE": "", "SOFTMAX_LOSS": "softmaxwithloss", "RELU6": "clip"}
    assert layer.type.lower() == wanted.get(name, name.lower().replace("_", ""))
    assert layer.HasField("type")


def test_v1_layers_keep_every_message_they_have():
    v1_fields = {f.name: f for f in v1.V1LayerParameter.DESCRIPTOR.fields}
    params = [name for name in v1_fields if name.endswith("_param")]
    assert len(params) == 49  # 30 are Caffe's
    source = 'layers {{ name: "a" {} }}'.format(" ".join(f"{name} {{ }}" for name in params))
    (layer,) = upgraded(source).layer
    assert {field.name for field, _ in layer.ListFields()} == {*params, "name"}


def test_v1_lists_become_params():
    result = upgraded("""layers {
        name: "a" bottom: "x" top: "y" top: "z" loss_weight: 0 loss_weight: 2
        param: "" param: "b" param: "c" blob_share_mode: STRICT blob_share_mode: PERMISSIVE
        blobs_lr: 3 weight_decay: 0.5 weight_decay: 0 weight_decay: 1 weight_decay: 4
        blobs { num: 1 channels: 2 data: [1, 2] }
        include { phase: TRAIN stage: "s" } exclude { max_level: 2 } }""")
    assert result == net("""layer {
        name: "a" bottom: "x" top: "y" top: "z" loss_weight: 0 loss_weight: 2
        param { name: "" share_mode: STRICT lr_mult: 3 decay_mult: 0.5 }
        param { name: "b" share_mode: PERMISSIVE decay_mult: 0 }
        param { name: "c" decay_mult: 1 } param { decay_mult: 4 }
        blobs { num: 1 channels: 2 data: [1, 2] }
        include { phase: TRAIN stage: "s" } exclude { max_level: 2 } }""")


@pytest.mark.parametrize(
    ("kind", "field"), [("DATA", "data"), ("IMAGE_DATA", "image_data"), ("WINDOW_DATA", "window_data")]
)
def test_transformation_moves_to_its_own_message(kind, field):
    fields = 'scale: 0.5 mean_file: "m" crop_size: 3 mirror: true'
    result = upgraded(f'layers {{ type: {kind} {field}_param {{ source: "s" {fields} }} }}')
    (layer,) = result.layer
    assert (
        layer
        == net(f"""layer {{ type: "{layer.type}" {field}_param {{ source: "s" }}
        transform_param {{ {fields} }} }}""").layer[0]
    )


def test_transformation_of_one_data_layer_leaves_empty_messages_in_the_others():
    result = upgraded("layers { type: DATA data_param { scale: 2 } } layers { type: IMAGE_DATA } layers { }")
    assert result == net("""
        layer { type: "Data" data_param { } transform_param { scale: 2 } }
        layer { type: "ImageData" image_data_param { } transform_param { } } layer { }""")


def test_current_layers_keep_their_old_fields():
    source = 'layer { type: "Data" data_param { scale: 2 mirror: true } }'
    assert upgraded(source) == net(source)


# -- fields that mean something else today


@pytest.mark.parametrize(
    "shape",
    ["input_shape { dim: 1 dim: 2 dim: 3 dim: 4 }", "input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4"],
)
def test_inputs_become_a_layer_in_front(shape):
    old = upgraded(f'name: "n" input: "data" {shape} layer {{ name: "a" }}')
    assert old == net("""name: "n"
        layer { name: "input" type: "Input" top: "data"
                input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }
        layer { name: "a" }""")


def test_input_shape_wins_over_input_dim():
    old = upgraded('input: "a" input_shape { dim: 5 } input_dim: 1 input_dim: 2')
    assert old == net('layer { name: "input" type: "Input" top: "a" input_param { shape { dim: 5 } } }')


def test_inputs_without_shapes_are_dropped():
    assert upgraded('input: "data" layer { name: "a" }') == net('layer { name: "a" }')


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('input: "a" input: "b" input: "c" ' + "input_shape { dim: 1 } " * 2, "3 inputs but 2 input shapes"),
        ('input: "a" input: "b"' + "input_dim: 3 " * 6, "input_dim must hold 8 numbers, .*; got 6"),
    ],
)
def test_inputs_need_a_shape_each(source, message):
    with pytest.raises(ConfigError, match=message):
        upgraded(source)


@pytest.mark.parametrize(
    "shapes", ["input_shape { dim: [1, 2, 3, 4] } " * 2, "input_dim: [1, 2, 3, 4, 5, 6]"]
)
def test_shapes_beyond_the_inputs_are_dropped(shapes, warnings):
    """Caffe takes no notice of them."""
    (layer,) = upgraded(f'input: "a" {shapes}').layer
    assert [list(shape.dim) for shape in layer.input_param.shape] == [[1, 2, 3, 4]]
    assert warnings() == ["1 inputs but 2 input shapes: the last ones are dropped"]


def test_two_schemas_in_one_file(tmp_path):
    path = tmp_path / "n.prototxt"
    path.write_text('layer { name: "a" }\n\nlayers { name: "b" }')
    with pytest.raises(ConfigError, match=r"n\.prototxt:3: 1 `layers` of an earlier schema beside 1 `layer`"):
        upgrade.read_net(path)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_batch_norm_with_three_params_trains_none_of_them(count):
    given, wanted = (
        'param { name: "n" lr_mult: 2 } ' * count,
        'param { name: "n" lr_mult: 0 decay_mult: 0 } ' * 3,
    )
    result = upgraded(f'layer {{ type: "BatchNorm" {given} }} layer {{ type: "Scale" {given} }}')
    frozen = wanted if count == 3 else given
    assert result == net(f'layer {{ type: "BatchNorm" {frozen} }} layer {{ type: "Scale" {given} }}')


# -- solvers


@pytest.mark.parametrize("old, new", list(enumerate(upgrade.SOLVER_TYPES)))
def test_solver_type(old, new):
    solver = text.parse(f"solver_type: {old}", SolverParameter)
    upgrade.upgrade_solver(solver)
    assert solver.type == new and not solver.HasField("solver_type")


def test_both_solver_types_are_refused():
    with pytest.raises(ConfigError, match="both solver_type and type"):
        upgrade.upgrade_solver(text.parse('solver_type: ADAM type: "Adam"', SolverParameter))


@pytest.mark.parametrize("field", ["net_param", "train_net_param", "test_net_param"])
def test_nets_inside_a_solver_are_upgraded(field):
    solver = text.parse(
        f'{field} {{ input: "x" input_dim: [1, 2, 3, 4] layers {{ name: "l" type: RELU }} }}', SolverParameter
    )
    upgrade.upgrade_solver(solver)
    inner = getattr(solver, field)
    assert [layer.type for layer in (inner[0] if field.startswith("test") else inner).layer] == [
        "Input",
        "ReLU",
    ]


def test_errors_in_nets_inside_a_solver_say_which(tmp_path):
    path = tmp_path / "solver.prototxt"
    path.write_text('test_net_param { layers { layer { name: "a" type: "no" } } }')
    with pytest.raises(
        MiniCaffeError, match=r"solver\.prototxt: test_net_param: layer 'a': no layer type 'no'"
    ):
        upgrade.read_solver(path)


def test_default_snapshot_prefix(tmp_path, monkeypatch):
    path = tmp_path / "my_solver.prototxt"
    path.write_text("")
    assert upgrade.read_solver(path).snapshot_prefix == str(tmp_path / "my_solver")
    path.write_text(f'snapshot_prefix: "{tmp_path}"')
    assert upgrade.read_solver(path).snapshot_prefix == str(tmp_path / "my_solver")


# -- weights


@pytest.mark.parametrize("schema", ["v0", "v1", "v2"])
def test_weights_of_every_schema_load(schema, tmp_path):
    values = np.arange(8, dtype=np.float32)
    blobs = []
    for shape, array in (((1, 1, 2, 3), values[:6]), ((1, 1, 1, 2), values[6:])):
        blob = binary.from_array(array)
        blob.ClearField("shape")
        blob.num, blob.channels, blob.height, blob.width = shape
        blobs.append(blob)
    stored = NetParameter(input=["data"])  # without a shape, as weight files have it
    if schema == "v0":
        stored.layers.add().layer.name = "ip"
        stored.layers[0].layer.type = "innerproduct"
        stored.layers[0].layer.blobs.extend(blobs)
    elif schema == "v1":
        stored.layers.add(name="ip", type=14, blobs=blobs)
    else:
        stored.layer.add(name="ip", type="InnerProduct", blobs=blobs)
    path = tmp_path / f"{schema}.caffemodel"
    path.write_bytes(stored.SerializeToString())
    target = Net(
        net("""
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [4, 3] } } }
        layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
                inner_product_param { num_output: 2 } }""")
    )
    target.load(path)
    weights, bias = target.params["ip"]
    np.testing.assert_array_equal(weights.data, values[:6].reshape(2, 3))
    np.testing.assert_array_equal(bias.data, values[6:])
