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
