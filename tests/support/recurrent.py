"""What the tests of LSTM, RNN and LSTMUnit share: sequences, cases, and the pass over time in NumPy."""

from __future__ import annotations

import numpy as np

from .laws import Case, distinct


def cont(shape, rng) -> np.ndarray:
    """Sequences that start and go on; sometimes neither quite, where exact gradients show."""
    return rng.choice([0.0, 1.0, 1.0, 0.6], shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def case(
    kind: str,
    steps: int,
    n: int,
    size: int,
    *,
    features: tuple[int, ...] = (3,),
    static: tuple[int, ...] | None = None,
    exposed: bool = False,
    rest: str = "",
) -> Case:
    """`static`: the axes of x_static behind the first.  A larger batch has more sequences; without states and
    x_static it has more steps."""
    states = {"LSTM": 2, "RNN": 1}[kind] * exposed
    shapes = [(steps, n, *features), (steps, n)] + ([(n, *static)] if static is not None else [])
    makers = [distinct, cont] + [distinct] * (states + (static is not None))
    growing = (1, 1, *([0] if static is not None else []), *[1] * states) if len(shapes) + states > 2 else ()
    flag = "expose_hidden: true" if exposed else ""
    return Case(
        f'type: "{kind}" recurrent_param {{ num_output: {size} {flag} {rest} }}',
        (*shapes, *[(1, n, size)] * states),
        tuple(makers),
        tops=1 + states,
        growing=growing,
    )


def cases(kind: str) -> list[Case]:
    """Bottoms in every role they can have."""
    return [
        case(kind, 3, 2, 4),
        case(kind, 1, 1, 1, features=(1,)),
        case(kind, 4, 3, 2, features=(2, 2), rest="debug_info: true"),
        case(kind, 2, 3, 5, static=(3,)),
        case(kind, 3, 2, 2, static=(2, 2), exposed=True),
        case(kind, 3, 4, 3, exposed=True),
        case(kind, 2, 2, 2, features=(), static=()),
    ]


def unrolled(step, bottoms: list, weights: list, size: int, states: int) -> tuple[np.ndarray, ...]:
    """Run step(z, *states) -> states over time, z the weighted sum: all h (T, N, D), and the last states.

    bottoms and weights as the layer has them, without what only RNN's output needs.
    """
    x, goes_on = bottoms[:2]
    steps, n = goes_on.shape
    w_x, bias, *w_static, w_h = weights
    static = bottoms[2].reshape(n, -1) @ w_static[0].T if w_static else 0
    start = bottoms[2 + len(w_static) :]
    now = [s[0] for s in start] if start else [np.zeros((n, size)) for _ in range(states)]
    every = []
    for t in range(steps):
        now = [goes_on[t][:, None] * s for s in now]
        z = x[t].reshape(n, -1) @ w_x.T + bias + static + now[0] @ w_h.T
        now = step(z, *now)
        every.append(now[0])
    return np.stack(every), *[s[None] for s in now]
