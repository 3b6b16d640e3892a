"""Nets in several threads: passes run one after another, as in Caffe."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest

from minicaffe import pycaffe as caffe
from minicaffe.pycaffe import modes
from minicaffe.pycaffe.turns import Turn

from .nets import AFFINE, write
from .test_python_layers import INPUT, layer

THREADS = 4
PATIENCE = 20  # seconds, after which a thread that waits is taken to wait for ever

CONVOLUTIONS = """
force_backward: true
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 16 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
  convolution_param { num_output: 16 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "conv2" top: "fc"
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
"""


def in_threads(work, count: int = THREADS) -> list:
    """work(0), work(1), ..., each in a thread; what one raises is raised."""
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(work, i) for i in range(count)]
        return [future.result(PATIENCE) for future in futures]


def test_every_thread_gets_what_it_would_get_alone():
    """Convolutions of all nets on a device gather their columns in the same workspace."""
    nets = [caffe.Net(write("net.prototxt", CONVOLUTIONS), caffe.TEST) for _ in range(THREADS)]
    rng = np.random.default_rng(1)
    images = [rng.standard_normal((1, 3, 32, 32)).astype(np.float32) for _ in nets]

    def results(i: int) -> tuple[np.ndarray, np.ndarray]:
        fc = nets[i].forward(data=images[i])["fc"].copy()
        return fc, nets[i].backward(fc=np.ones((1, 7)))["data"].copy()

    alone = [results(i) for i in range(THREADS)]

    def check(i: int) -> None:
        for _ in range(40):
            for got, wanted in zip(results(i), alone[i]):
                np.testing.assert_array_equal(got, wanted)

    in_threads(check)


def test_one_net_serves_several_threads():
    """What forward_all returns are copies, of one thread's batches alone."""
    net = caffe.Net(write("affine.prototxt", AFFINE), caffe.TEST)
    weight, bias = (blob.data for blob in net.params["ip"])

    def check(i: int) -> None:
        rng = np.random.default_rng(i)
        x, z = rng.standard_normal((10, 3)), rng.standard_normal((10, 2))
        for _ in range(20):
            np.testing.assert_allclose(
                net.forward_all(x=x, z=z)["y"], x @ weight.T + bias + z, rtol=1e-4, atol=1e-5
            )

    in_threads(check)


def test_threads_on_an_emulated_gpu(gpu):
    path = write("affine.prototxt", AFFINE)
    shared = modes.shared_device()

    def check(i: int) -> None:
        caffe.set_mode_gpu()  # threads begin in the mode CPU
        assert modes.shared_device() is shared
        net = caffe.Net(path, caffe.TEST)
        weight, bias = (blob.data for blob in net.params["ip"])
        for _ in range(5):
            x = np.full((4, 3), i, np.float32)
            y = net.forward(x=x, z=np.zeros((4, 2)))["y"]
            np.testing.assert_allclose(y, x @ weight.T + bias, rtol=1e-4, atol=1e-5)

    in_threads(check, 2)


def test_a_layer_may_wait_for_a_thread_that_runs_another_net(mode):
    """As a data layer does whose thread computes features."""
    other = caffe.Net(write("other.prototxt", AFFINE), caffe.TEST)
    made = caffe.Net(write("net.prototxt", INPUT + layer("asks", "Asks", "data")), caffe.TEST)
    finished = []

    def ask() -> None:
        thread = threading.Thread(target=lambda: finished.append(other.forward()), daemon=True)
        thread.start()
        thread.join(PATIENCE)

    made.layers[1].ask = ask
    made.forward()
    made.after_forward(lambda index: ask())
    made.forward()
    assert len(finished) == 4  # the layer twice, the hook for two layers


def test_a_layer_may_run_another_net_itself(mode):
    other = caffe.Net(write("other.prototxt", AFFINE), caffe.TEST)
    made = caffe.Net(write("net.prototxt", INPUT + layer("asks", "Asks", "data")), caffe.TEST)
    seen = []
    made.layers[1].ask = lambda: seen.append(other.forward(**inputs)["y"].copy())
    inputs = {"x": np.ones((4, 3)), "z": np.zeros((4, 2))}
    made.forward()
    weight, bias = (blob.data for blob in other.params["ip"])
    np.testing.assert_allclose(seen[0], np.ones((4, 3)) @ weight.T + bias, rtol=1e-5)


# -- turns


def free(turn: Turn) -> bool:
    """Whether another thread could have its turn now."""
    return in_threads(lambda i: turn._lock.acquire(blocking=False) and (turn._lock.release() or True), 1)[0]


def test_a_turn_is_had_by_one_thread_and_given_up_whole():
    turn = Turn()
    with turn, turn:
        assert not free(turn)
        with turn.given_up():
            assert free(turn)
            with turn:
                assert not free(turn)
            assert free(turn)
        assert not free(turn)
    assert free(turn)
    with turn.given_up():  # whose turn it is not, gives up nothing
        assert free(turn)


@pytest.mark.parametrize("given_up", [False, True])
def test_a_turn_ends_with_an_error(given_up):
    turn = Turn()
    with pytest.raises(KeyboardInterrupt), turn:
        with turn.given_up() if given_up else nullcontext():
            raise KeyboardInterrupt
    assert free(turn)
