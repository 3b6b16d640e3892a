"""Extensions are found wherever they hide, and --strict refuses them."""

import pytest

from minicaffe.errors import SchemaError
from minicaffe.proto import extensions, text, upgrade
from minicaffe.proto.schema import NetParameter, SolverParameter


def test_found_by_path():
    net = text.parse("layer { } layer { data_param { backend: IDX shuffle: true } }", NetParameter)
    assert set(extensions.used(net)) == {"layer[1].data_param.backend: IDX", "layer[1].data_param.shuffle"}


def test_refused_inside_a_solver():
    solver = text.parse("net_param { layer { data_param { shuffle: false } } }", SolverParameter)
    with pytest.raises(SchemaError, match=r"net_param\.layer\[0\]\.data_param\.shuffle"):
        extensions.refuse(solver)


def test_a_plain_net_passes():
    extensions.refuse(text.parse("layer { data_param { backend: LMDB } phase: TEST }", NetParameter))


SOLVER = """
type: "AdamW" lr_policy: "cosine" base_lr: 0.1 keep_last: 3 ema { decay: 0.9 }
net_param { layer { type: "Data" data_param { backend: IDX shuffle: true batch_size: 4 } } }
"""


def test_strings_of_ours_are_extensions():
    found = extensions.used(text.parse(SOLVER, SolverParameter))
    assert {"type: AdamW", "lr_policy: cosine", "keep_last", "ema"} <= set(found)


def test_strip_leaves_what_caffe_reads_and_says_what_it_did():
    solver = text.parse(SOLVER, SolverParameter)
    lines = extensions.strip(solver)
    extensions.refuse(solver)
    left = 'type: "Adam" lr_policy: "poly" power: 1 base_lr: 0.1'
    left += ' net_param { layer { type: "Data" data_param { batch_size: 4 } } }'
    assert solver == text.parse(left, SolverParameter)
    assert "type: AdamW: replaced by type: Adam" in lines
    assert "lr_policy: cosine: replaced by lr_policy: poly, power: 1" in lines
    assert "net_param.layer[0].data_param.shuffle: removed" in lines
    assert extensions.strip(solver) == []


FORKED = """layer { name: "a" type: "Normalize" norm_param { across_spatial: false } }
layer { name: "b" type: "Pooling" pooling_param { pad_l: 1 pad_r: 1 engine: MKLDNN } forward_type: FLOAT16 }
layer { name: "c" type: "SoftmaxWithLoss" loss_param { normalization: PRE_FIXED } }
layers { name: "d" type: UNPOOLING }"""


def test_what_is_of_forks_is_refused_with_their_names():
    with pytest.raises(SchemaError) as caught:
        extensions.refuse(text.parse(FORKED, NetParameter))
    said = str(caught.value)
    assert said.startswith("--strict: layers[0].type: UNPOOLING is of forks of Caffe (deconvnet); ")
    assert "layer[0].type: Normalize, layer[0].norm_param is of forks of Caffe (ssd, ssd-mobilenet," in said
    assert "layer[1].pooling_param.pad_l, layer[1].pooling_param.pad_r is of forks" in said
    assert "layer[2].loss_param.normalization: PRE_FIXED is of forks of Caffe" in said


def test_strip_refuses_what_would_compute_something_else():
    net = text.parse(FORKED, NetParameter)
    before = NetParameter()
    before.CopyFrom(net)
    with pytest.raises(SchemaError) as caught:
        extensions.strip(net)
    assert str(caught.value).startswith(
        "layers[0].type: UNPOOLING, layer[0].type: Normalize, layer[1].pooling_param.pad_l,"
        " layer[1].pooling_param.pad_r, layer[2].loss_param.normalization: PRE_FIXED: Caffe has no such thing"
    )
    assert net == before


def test_strip_removes_what_changes_nothing():
    net = text.parse(
        """layer { type: "Pooling" forward_type: FLOAT16 norm_param { } data_param { threads: 4 }
            pooling_param { pad_l: 0 engine: MKLDNN kernel_size: 2 }
            transform_param { distort_param { } } }""",
        NetParameter,
    )
    lines = extensions.strip(net)
    assert net == text.parse(
        """layer { type: "Pooling" data_param { } pooling_param { kernel_size: 2 } transform_param { } }""",
        NetParameter,
    )
    assert len(lines) == 6 and "layer[0].transform_param.distort_param: removed" in lines


def test_strict_looks_at_what_the_file_says(tmp_path):
    """Not at what its layers were taken as."""
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "a" type: "ReLU6" bottom: "x" top: "y" }')
    assert upgrade.read_net(path).layer[0].type == "Clip"
    with pytest.raises(SchemaError, match=r"net.prototxt: --strict: layer\[0\].type: ReLU6 is of forks"):
        upgrade.read_net(path, strict=True)
