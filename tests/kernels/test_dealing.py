"""Loops dealt to threads: every iteration is run once, whatever the number of parts."""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import pkgutil
import textwrap
import threading
from collections.abc import Callable

import numba
import numpy as np
import pytest
from numba import prange

import minicaffe.kernels
from minicaffe.kernels.cpu import Loops
from minicaffe.kernels.micro import dealing
from minicaffe.kernels.micro.dealing import worker
from minicaffe.kernels.registry import KernelSpec
from minicaffe.kernels.team import PARTS
from minicaffe.kernels.threads import limited


def count(x, rows, stop):
    if stop:
        return
    one = x.dtype.type(1)
    for i in prange(x.size // rows):
        for j in range(rows):
            x[i * rows + j] += one
        x[i] += 0 * i  # by the loop's variable itself


def reshapes(x, rows):
    x = x.reshape(rows, 2)
    for i in prange(rows):
        x[i, 0] = 1


def two(x, y):
    for i in prange(x.size):
        x[i] = 2
    for i in prange(x.size):
        x[i] += 1
    y[0] += x.sum()


def nested(x, y):
    for k in range(3):
        for i in prange(x.size):
            x[i] = k + 1
    y[0] += x.sum()


def sums(x, y):
    count = x.size
    for i in prange(count):
        x[i] = 3
    for i in range(count):
        y[0] += x[i]


COUNT = Loops(count, parallel=True)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [3, 33, 600])
def test_every_iteration_is_run_once(size, threads):
    x = np.zeros(size, np.float32)
    limited(threads, COUNT, (x, 3, False))
    np.testing.assert_array_equal(x, 1)


def test_the_parts_are_equal_shares_in_order():
    (loops, rest), seen = dealing.loops(count), []
    assert rest is None
    for part in range(3):
        x = np.zeros(11, np.float32)
        loops(part, 3, 0, x, 1, False)
        seen.append(x.nonzero()[0].tolist())
    assert seen == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]]


def test_a_part_may_have_nothing_to_do():
    x = np.zeros(6, np.float32)
    COUNT(x, 3, True)
    np.testing.assert_array_equal(x, 0)


def test_what_fails_in_a_part_is_an_error():
    with pytest.raises(ValueError, match="reshapes: the arrays do not fit the geometry"):
        Loops(reshapes, parallel=True)(np.zeros(9, np.float32), 4)


@pytest.mark.parametrize("function, dealt", [(sums, True), (two, False), (nested, False)])
def test_what_comes_after_the_loop_is_done_once_and_other_kernels_have_one_thread(function, dealt):
    assert (dealing.loops(function) is not None) == dealt
    x, y = np.zeros(7, np.float32), np.ones(1, np.float32)
    Loops(function, parallel=True)(x, y)
    assert (x == 3).all() and y[0] == 22


def test_the_loop_becomes_vector_code():
    def scale(x, y):
        for i in prange(x.size):
            y[i] = x[i] + x[i]

    code = numba.njit(dealing.loops(scale)[0])
    code.compile((*[numba.int64] * 3, numba.float32[::1], numba.float32[::1]))
    assert " x float> " in code.inspect_llvm(code.signatures[0])


def name_workers(x, n):
    for i in prange(x.size):
        total = 1.0
        for _ in range(n):  # takes time
            total = math.sqrt(total + 1)
        x[i] = worker() if total > 0 else -1


def test_threads_take_parts_as_they_come():
    """Each by its own number; with more threads than processors none has all parts."""
    loops, x = Loops(name_workers, parallel=True), np.zeros(PARTS)
    limited(1, loops, (x, 10))
    assert set(x) == {0}
    limited(3, loops, (x, 200_000))
    assert set(x) <= {0, 1, 2} and len(set(x)) > 1


def test_loops_of_several_threads_of_python():
    """One has the team, the others run theirs by themselves."""
    arrays = [np.zeros(9000, np.float32) for _ in range(4)]

    def work(x: np.ndarray) -> None:
        for _ in range(300):
            limited(3, COUNT, (x, 3, False))

    running = [threading.Thread(target=work, args=(x,)) for x in arrays]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for x in arrays:
        np.testing.assert_array_equal(x, 300)


def names(nodes, context) -> set[str]:
    """The names that are read (ast.Load) or bound (ast.Store) in statements; x += 1 reads x as well."""
    found = set()
    for node in (node for statement in nodes for node in ast.walk(statement)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            found.add(node.id)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def wrong(function) -> list[str]:
    """What of a function would not be right in parts: every part does what stands before its loop, with
    variables of its own, and none of these are there behind it."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    if dealing.loops(function) is None:
        return []
    at = next(i for i, node in enumerate(definition.body) if dealing._is_dealt(node))
    before, loop, after = definition.body[:at], definition.body[at], definition.body[at + 1 :]
    found = []
    for node in (node for statement in before for node in ast.walk(statement)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            found.append("writes an array before its loop")
        if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
            found.append("calls what may write before its loop")
    outside = names(before, ast.Store) | {argument.arg for argument in definition.args.args}
    inside = names(loop.body, ast.Store) | names([loop.target], ast.Store)
    found += [f"changes {name} of outside its loop" for name in sorted(inside & outside)]
    behind = names(after, ast.Load) - outside - names(after, ast.Store)
    found += [f"reads {name} of its loop behind it" for name in sorted(inside & behind)]
    return found


def dealt() -> dict[str, Callable]:
    """All functions of the package that have a loop over prange to be dealt."""
    found = {}
    for info in pkgutil.walk_packages(minicaffe.kernels.__path__, "minicaffe.kernels."):
        for name, value in vars(importlib.import_module(info.name)).items():
            if isinstance(value, KernelSpec) and value.parallel:
                found[f"{info.name}.{name}"] = value.python
            elif isinstance(value, Loops) and value.parallel:
                found[f"{info.name}.{name}"] = value.py_func
    return found


def test_no_kernel_leaves_to_its_parts_what_only_one_may_do():
    found = {name: wrong(function) for name, function in dealt().items()}
    assert len(found) > 50
    assert {name: faults for name, faults in found.items() if faults} == {}


def clears_first(x, y):
    y[0] = 0
    for i in prange(x.size):
        x[i] = 1


def calls_first(x, y):
    y.fill(0)
    for i in prange(x.size):
        x[i] = 1


def sums_across(x, y):
    total = x.dtype.type(0)
    for i in prange(x.size):
        total += x[i]
    y[0] = total


def last_across(x, y):
    for i in prange(x.size):
        last = x[i]
    y[0] = last


FAULTS = [
    (clears_first, "writes an array before its loop"),
    (calls_first, "calls what may write before its loop"),
    (sums_across, "changes total of outside its loop"),
    (last_across, "reads last of its loop behind it"),
]


@pytest.mark.parametrize("function, fault", FAULTS)
def test_what_parts_may_not_do_is_found(function, fault):
    assert wrong(function) == [fault]
    assert wrong(sums) == [], "what stands behind the loop is done once"
