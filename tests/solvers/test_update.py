"""The update kernels: formulas, clipping, and the same result on every device."""

import numpy as np
import pytest

from minicaffe.kernels import update

from ..support.devices import each_device


def arrays(device, *hosts):
    out = []
    for host in hosts:
        array = device.empty(np.shape(host))
        device.put(np.asarray(host, np.float64), array)
        out.append(array)
    return out


def hyper_of(*settings) -> np.ndarray:
    """The array hyper that begins with these settings."""
    return np.concatenate([settings, np.zeros(update.HYPER - len(settings))])


@each_device
@pytest.mark.parametrize("l1", [0, 1])
def test_sgd(device, l1):
    rng = np.random.default_rng(0)
    w, dw, h = (rng.standard_normal(192) for _ in range(3))
    w[5] = 0
    rates, decays = np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.0, 3.0])
    hyper = hyper_of(0.1, 0.9, 0.05, 0.5)
    on = arrays(device, w, dw, h, rates, decays, hyper)
    device.bind(update).sgd_update(*on, 192, l1)
    pull = np.sign(w) if l1 else w
    g = 0.5 * dw + 0.05 * np.repeat(decays, 64) * pull
    wanted = 0.9 * h + 0.1 * np.repeat(rates, 64) * g
    np.testing.assert_allclose(device.get(on[2]), wanted, rtol=1e-12)
    np.testing.assert_allclose(device.get(on[0]), w - wanted, rtol=1e-12)


@each_device
@pytest.mark.parametrize(
    "clip, passes, scale", [(1e9, 1, 1), (1e9, 4, 0.25), (2, 1, 2), (2, 4, 0.5), (0, 1, 0)]
)
def test_clip(device, clip, passes, scale):
    """scale is stated for a gradient of norm 1, and so times the norm where clipping acts."""
    dw = np.random.default_rng(1).standard_normal(10048)
    norm = np.sqrt((dw**2).sum())
    on, partial, hyper = arrays(device, dw, np.zeros(3), hyper_of())
    kernels = device.bind(update)
    kernels.square_sums(on, partial, dw.size)
    kernels.clip_scale(partial, hyper, 3, clip, passes)
    host = device.get(hyper)
    assert host[update.NORM] == pytest.approx(norm, rel=1e-12)
    assert host[update.SCALE] == pytest.approx(scale / norm if clip < norm else scale, rel=1e-12)


def run(device, kernel: str, slots: int, l1: int, hyper):
    """An update on random arrays, one element of w and one gradient 0: (w, g, history before), (w, history)
    after, and the rates."""
    rng = np.random.default_rng(3)
    w, dw = rng.standard_normal((2, 192))
    history = rng.uniform(0.1, 1, (slots, 192))
    w[5] = dw[5] = history[:, 5] = 0
    rates, decays = np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.0, 3.0])
    on = arrays(device, w, dw, *history, rates, decays, hyper)
    getattr(device.bind(update), kernel)(*on, 192, l1)
    g = hyper[update.SCALE] * dw + hyper[update.DECAY] * np.repeat(decays, 64) * (np.sign(w) if l1 else w)
    after = [device.get(a) for a in on]
    return (w, g, history), (after[0], after[2 : 2 + slots]), hyper[update.RATE] * np.repeat(rates, 64)


HYPER = hyper_of(0.1, 0.9, 0.05, 0.5, 0, 0.99, 1e-3, 0.7)


@each_device
@pytest.mark.parametrize("l1", [0, 1])
def test_nesterov(device, l1):
    (w, g, (h,)), (after, history), rate = run(device, "nesterov_update", 1, l1, HYPER)
    new = 0.9 * h + rate * g
    np.testing.assert_allclose(history[0], new, rtol=1e-12)
    np.testing.assert_allclose(after, w - 1.9 * new + 0.9 * h, rtol=1e-12)


@each_device
@pytest.mark.parametrize("delta", [1e-3, 0])
@pytest.mark.parametrize("kernel", ["adagrad_update", "rmsprop_update"])
def test_divided_by_past_squares(device, kernel, delta):
    hyper = HYPER.copy()
    hyper[update.DELTA] = delta
    (w, g, (h,)), (after, history), rate = run(device, kernel, 1, 0, hyper)
    new = h + g**2 if kernel == "adagrad_update" else 0.99 * h + 0.01 * g**2
    np.testing.assert_allclose(history[0], new, rtol=1e-12)
    step = np.divide(g, np.sqrt(new) + delta, out=np.zeros(192), where=g != 0)
    np.testing.assert_allclose(after, w - rate * step, rtol=1e-12)


@each_device
@pytest.mark.parametrize("delta", [1e-3, 0])
def test_adadelta(device, delta):
    hyper = HYPER.copy()
    hyper[update.DELTA] = delta
    (w, g, (h, s)), (after, history), rate = run(device, "adadelta_update", 2, 0, hyper)
    squares = 0.9 * h + 0.1 * g**2
    v = np.zeros(192)
    v[g != 0] = (g * np.sqrt((s + delta) / np.maximum(squares + delta, 1e-300)))[g != 0]
    np.testing.assert_allclose(history, [squares, 0.9 * s + 0.1 * v**2], rtol=1e-12)
    np.testing.assert_allclose(after, w - rate * v, rtol=1e-12)


@each_device
@pytest.mark.parametrize("l1", [0, 1])
def test_adam(device, l1):
    (w, g, (m, v)), (after, history), rate = run(device, "adam_update", 2, l1, HYPER)
    m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
    np.testing.assert_allclose(history, [m, v], rtol=1e-12)
    np.testing.assert_allclose(after, w - 0.7 * rate * m / (np.sqrt(v) + 1e-3), rtol=1e-12)


@each_device
def test_adamw(device):
    """The decay is not in the means, and passes by the division."""
    rng = np.random.default_rng(1)
    w, dw, m = rng.normal(size=(3, 192))
    v = rng.random(192)
    rates, decays = np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.0, 3.0])
    on = arrays(device, w, dw, m, v, rates, decays, HYPER)
    device.bind(update).adamw_update(*on, 192)
    after, _, means, squares = (device.get(a) for a in on[:4])
    g, rate, decay = 0.5 * dw, 0.1 * np.repeat(rates, 64), 0.05 * np.repeat(decays, 64)
    m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
    np.testing.assert_allclose([means, squares], [m, v], rtol=1e-12)
    wanted = w - rate * decay * w - 0.7 * rate * m / (np.sqrt(v) + 1e-3)
    np.testing.assert_allclose(after, wanted, rtol=1e-12)


@each_device
def test_blend_and_swap(device):
    w, mean = np.random.default_rng(1).normal(size=(2, 192))
    on = arrays(device, w, mean)
    device.bind(update).blend(*on, 192, 0.75)
    np.testing.assert_allclose(device.get(on[1]), 0.75 * mean + 0.25 * w, rtol=1e-12)
    device.bind(update).swap(*on, 192)
    np.testing.assert_array_equal(device.get(on[1]), w)
    np.testing.assert_allclose(device.get(on[0]), 0.75 * mean + 0.25 * w, rtol=1e-12)


# -- the verdict


@each_device
@pytest.mark.parametrize("loss, partial, good", [([1, -2], [3, 4], True), ([1, np.nan], [3, 4], False),
                                                 ([np.inf], [1], False), ([1], [1, np.inf, 2], False),
                                                 ([1], [np.nan], False), ([0], [], True)])  # fmt: skip
def test_judge(device, loss, partial, good):
    """A bad loss or gradient holds; those before it are counted.  A loss is noted, or looked at last."""
    on, sums, hyper = arrays(device, loss, partial, hyper_of())
    kernels, fine = device.bind(update), arrays(device, np.ones(300))[0]
    for noted in (True, False):
        for array, squares in [(fine, fine), (on, sums), (fine, fine)]:
            if noted:
                kernels.note_nonfinite(array, hyper, array.size)
            outcomes = fine if noted else array
            kernels.judge(squares, outcomes, hyper, squares.size, outcomes.size)
        found = device.get(hyper)
        assert found[update.GOOD] == (3 if good else 1) and found[update.HALT] == (not good)
        assert found[update.BAD] == (noted and not np.isfinite(loss).all())
        device.put(hyper_of(), hyper)


@each_device
def test_the_sum_of_squares_may_be_larger_than_float32(device):
    sums, outcomes, hyper = arrays(device, [3e38] * 4, [1, 2], hyper_of())
    device.bind(update).judge(sums, outcomes, hyper, 4, 2)
    assert device.get(hyper)[update.GOOD] == 1


UPDATES = [name for name in vars(update) if name.endswith("_update")]


@each_device
@pytest.mark.parametrize("name", UPDATES)
def test_nothing_is_updated_after_a_bad_gradient(device, name):
    assert len(UPDATES) == 7
    hyper = HYPER.copy()
    hyper[update.HALT] = 1
    count = len(getattr(update, name).parameters) - (4 if name == "adamw_update" else 5)
    state = arrays(device, *np.random.default_rng(2).standard_normal((count, 128)))
    before = [device.get(array) for array in state]
    rates = arrays(device, np.ones(2), np.ones(2), hyper)
    getattr(device.bind(update), name)(*state, *rates, 128, *([] if name == "adamw_update" else [0]))
    for array, was in zip(state, before):
        np.testing.assert_array_equal(device.get(array), was)
