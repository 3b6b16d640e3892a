"""Extensions are found wherever they hide, and --strict refuses them."""

import pytest

from minicaffe.errors import SchemaError
from minicaffe.proto import extensions, text
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
