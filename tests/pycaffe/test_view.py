"""BlobView: arrays on the host stay what the blob holds, wherever its memory is."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicaffe.core.blob import Blob
from minicaffe.errors import DeviceError, ShapeError
from minicaffe.pycaffe.view import BlobView, ParamViews

from ..support.devices import CUDA, make_device

each = pytest.mark.parametrize("name", ["cpu", *CUDA])


def bound(device, shape=(2, 3)) -> Blob:
    blob = Blob("b", shape)
    bind(blob, device)
    return blob


def bind(blob: Blob, device) -> None:
    blob.data, blob.diff = device.zeros(blob.shape), device.zeros(blob.shape)


@each
@given(data=st.data())
def test_a_blob_and_its_views_agree(name, data):
    """Whatever order things are written, read, held and dropped in, a pass sees what was written last, and
    the arrays show what it computed."""
    device = make_device(name, np.float32)
    blob = bound(device)
    views = [BlobView(blob, device) for _ in range(2)]
    held: list[np.ndarray] = []
    model = np.zeros(blob.shape)

    def meet() -> None:
        """What whoever runs passes does around them."""
        for view in views:
            view.flush()
        for view in views:
            view.refresh()

    for number in range(1, data.draw(st.integers(1, 12)) + 1):
        meet()
        view = data.draw(st.sampled_from(views))
        action = data.draw(st.sampled_from(["write", "write held", "hold", "drop", "pass"]))
        if action == "write":
            view.data[1] = model[1] = number
        elif action == "write held" and held:
            held[-1][0] = model[0] = number
        elif action == "hold":
            held.append(view.data)
        elif action == "drop":
            held.clear()
            gc.collect()
        elif action == "pass":
            device.put(device.get(blob.data) * 2 + 1, blob.data)
            model = model * 2 + 1
        meet()
        np.testing.assert_array_equal(device.get(blob.data), model)
        for array in [*held, views[0].data, views[1].data]:
            np.testing.assert_array_equal(array, model)


@each
def test_what_was_not_written_is_not_written_back(name):
    """Two views of one memory: the one that was only looked at must not undo what the other wrote."""
    device = make_device(name, np.float32)
    blob = bound(device)
    one, other = BlobView(blob, device), BlobView(blob, device)
    looked, wrote = one.data, other.data
    wrote[...] = 3
    other.flush()
    one.flush()
    assert (device.get(blob.data) == 3).all()
    one.refresh()
    assert (looked == 3).all()


@each
def test_what_was_written_outlives_the_array(name):
    device = make_device(name, np.float32)
    blob = bound(device)
    view = BlobView(blob, device)
    held = view.data
    view.flush()
    view.data[...] = 3
    del held
    gc.collect()
    view.flush()
    assert (device.get(blob.data) == 3).all()


@each
def test_before_the_memory_follows(name):
    device = make_device(name, np.float32)
    blob, copied = bound(device), set()
    view = BlobView(blob, device, copied)
    view.reshape(4)
    view.data[...] = 5
    assert view in copied
    view.flush()
    bind(blob, device)
    held = view.data
    view.flush()
    assert (device.get(blob.data) == 5).all()
    held[...] = 6
    view.flush()
    assert (device.get(blob.data) == 6).all()
    device.fill(blob.data, 7)
    view.refresh()
    assert (held == 7).all() and (view.data == 7).all()


@each
def test_nothing_is_written_into_a_blob_that_was_reshaped_since(name):
    device = make_device(name, np.float32)
    blob = bound(device)
    view = BlobView(blob, device)
    view.reshape(5)
    held = view.data
    held[...] = 1
    blob.reshape(6)
    bind(blob, device)
    view.flush()
    view.refresh()
    assert not device.get(blob.data).any() and held.shape == (5,)


def test_on_the_cpu_the_array_is_the_memory(cpu):
    blob = bound(cpu)
    assert BlobView(blob, cpu).data is blob.data and BlobView(blob, cpu).diff is blob.diff
    assert np.from_dlpack(BlobView(blob, cpu)).ctypes.data == blob.data.ctypes.data


def test_protocols_on_a_gpu():
    device = make_device(CUDA[0], np.float32)
    view = BlobView(bound(device), device)
    assert view._gpu_data_ptr != view._gpu_diff_ptr
    view.data[...] = 2
    np.testing.assert_array_equal(np.asarray(view), 2)
    assert view._gpu_data_ptr and (device.get(view._blob.data) == 2).all()  # written back first


@each
def test_protocols_need_memory(name):
    view = BlobView(Blob("b", (2,)), make_device(name, np.float32))
    with pytest.raises(
        ShapeError, match=r"blob 'b' has no memory of shape \(2,\) yet; hint: call net\.reshape"
    ):
        view.__dlpack__()
    with pytest.raises(ShapeError, match="no memory"):
        view._gpu_data_ptr  # noqa: B018


def test_an_address_on_the_cpu_is_refused(cpu):
    view = BlobView(bound(cpu), cpu)
    with pytest.raises(DeviceError, match=r"lies in the host's memory.*set_mode_gpu"):
        view._gpu_diff_ptr  # noqa: B018
    assert not hasattr(view, "__cuda_array_interface__")


def test_parameters_start_with_what_is_written_before_they_have_memory(cpu):
    added = []

    def add(shape, values):
        added.append(values)
        return Blob("p", shape)

    views = ParamViews(cpu, add)
    views.add_blob(2, 2)
    views[0].data[...] = 4
    assert (added[0] == 4).all() and len(views) == 1 and list(views) == [views[0]]
    bind(views[0]._blob, cpu)
    assert not views[0].data.any()  # the memory's from now on
