"""Binary messages, and blobs as arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicaffe.errors import SchemaError, WeightsError
from minicaffe.proto import binary
from minicaffe.proto.schema import BlobProto, NetParameter, SolverState

arrays = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, max_side=4, min_side=0))
)


@given(arrays)
def test_arrays_survive(array):
    blob = BlobProto.FromString(binary.from_array(array).SerializeToString())
    again = binary.to_array(blob)
    assert again.shape == array.shape and (again.dtype == array.dtype or not array.size)
    np.testing.assert_array_equal(again, array)


@given(hnp.arrays(np.float32, (2, 3)))
def test_protobuf_reads_the_same_numbers(array):
    """What goes past protobuf as bytes is what protobuf itself reads and writes."""
    blob = binary.from_array(array, array + 1)
    np.testing.assert_array_equal(np.array(blob.data, np.float32), array.ravel())
    np.testing.assert_array_equal(np.array(blob.diff, np.float32), (array + 1).ravel())
    by_hand = BlobProto(data=array.ravel().tolist())
    by_hand.shape.dim.extend(array.shape)
    np.testing.assert_array_equal(binary.to_array(by_hand), array)
    np.testing.assert_array_equal(binary.to_array(blob, diff=True), array + 1)


def test_unpacked_data_is_read_too():
    """`repeated float` may come one by one: tag 5, wire type 5 (fixed 32 bits)."""
    wire = b"".join(b"\x2d" + np.float32(v).tobytes() for v in (1.5, -2.0))
    blob = BlobProto.FromString(wire)
    blob.shape.dim.append(2)
    np.testing.assert_array_equal(binary.to_array(blob), [1.5, -2.0])


def test_legacy_shape_wins_and_double_data_wins():
    blob = BlobProto(num=1, channels=1, height=1, width=2, data=[1, 2], double_data=[3, 4])
    blob.shape.dim.append(2)
    got = binary.to_array(blob)
    assert got.shape == (1, 1, 1, 2) and got.dtype == np.float64
    np.testing.assert_array_equal(got.ravel(), [3, 4])


def test_count_that_does_not_fit_the_shape():
    blob = BlobProto(data=[1, 2, 3])
    blob.shape.dim.extend([2, 2])
    with pytest.raises(WeightsError, match=r"shape \(2, 2\) holds 3 values; expected 4"):
        binary.to_array(blob)


@given(st.binary(max_size=60))
def test_random_bytes_are_refused_or_parsed_never_worse(data):
    for kind in (NetParameter, SolverState):
        try:
            binary.parse(data, kind, "x.caffemodel")
        except SchemaError as error:
            assert str(error).startswith("x.caffemodel: not a whole binary")


def test_the_state_of_a_solver_is_no_net():
    state = SolverState(iter=2, learned_net="s_iter_2.caffemodel")
    with pytest.raises(
        SchemaError, match=r"hint: it is the state of a solver; its weights lie in a \.caffem"
    ):
        binary.parse(state.SerializeToString(), NetParameter, "s_iter_2.solverstate")


@given(st.data())
def test_truncated_nets_are_refused(data):
    net = NetParameter(name="n")
    net.layer.add(name="a").blobs.append(binary.from_array(np.ones((3, 4), np.float32)))
    whole = net.SerializeToString()
    cut = data.draw(st.integers(4, len(whole) - 1))
    with pytest.raises(SchemaError, match="damaged, cut short"):
        binary.parse(whole[:cut], NetParameter)
