"""Loops dealt to threads: parallel kernels are compiled as serial ones, and one launcher runs all of them.

Numba compiles a function with a parallel loop several times over, which takes two to four times as long as
the same function without threads.  So here a parallel kernel

    def scale(x, y, factor):
        zero = x.dtype.type(0)
        for i in prange(x.size):
            y[i] = max(zero, factor * x[i])

is read as `loops(part, parts, me, x, y, factor)`, in which the loop runs over one of `parts` equal shares of
its range, and what stands before it is done by every part; `me` is the number of the thread.  Compiled code
for it is

    scale(launcher, team, threads, x, y, factor)  puts its arguments into a block of memory, and calls
    launcher(team, threads, thunk, block, bytes)  team.run, which has the threads do, for all parts
    thunk(block, part, parts, me)                 this: the arguments are taken out, and loops called

What comes before the loop only computes values with names, since every part does it; what comes after it is
done once, behind the last part.  A kernel with other loops over prange than one such runs on one thread.
"""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler import compile_internal
from numba.core.targetconfig import ConfigStack
from numba.extending import intrinsic, register_jitable

from .builder import I32, INT

THUNK = ir.FunctionType(ir.VoidType(), [INT] * 4)
LAUNCHER = ir.FunctionType(ir.VoidType(), [INT] * 5)


@register_jitable
def worker() -> int:
    """In the loop of a parallel kernel: the number of the thread that runs it, below that of all threads."""
    return 0  # without threads


def entry(function: Callable) -> Callable:
    """`function` with three more parameters in front: the addresses of launcher and team, and the number of
    threads.  It is to be compiled; what it deals, `loops`, is made when it is."""
    names = list(inspect.signature(function).parameters)
    scope = {"deal": _dealer(function)}
    text = f"def {function.__name__}(_launcher, _team, _threads, {', '.join(names)}):\n"
    text += f"    deal(_launcher, _team, _threads, ({', '.join(names)},))\n"
    exec(compile(text, function.__code__.co_filename, "exec"), scope)
    made = scope[function.__name__]
    made.__module__, made.__doc__ = function.__module__, function.__doc__
    return made


def loops(function: Callable) -> tuple[Callable, Callable | None] | None:
    """A parallel kernel without threads: as a function of (part, parts, me, *its parameters), and as one of
    its parameters that does what comes after the loop, if anything does.  None if it is not of that kind."""
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError:  # it was typed in
        return None
    tree = ast.parse(textwrap.dedent("".join(lines)))
    ast.increment_lineno(tree, first - 1)
    (definition,) = tree.body
    dealt = [node for node in ast.walk(definition) if _is_dealt(node)]
    if len(dealt) != 1 or dealt[0] not in definition.body:
        return None
    (loop,) = dealt
    at = definition.body.index(loop)
    before, after = definition.body[:at], definition.body[at + 1 :]
    rest = _made(function, definition, [], copy.deepcopy([*before, *after])) if after else None
    name = loop.target.id
    share, own = ast.parse(SHARE.format(name=name, count=ast.unparse(loop.iter.args[0]))).body
    own.body += [_ByUnsigned(name).visit(statement) for statement in loop.body]
    return _made(function, definition, ["_part", "_parts", "_me"], [*before, share, own]), rest


def _made(function: Callable, definition: ast.FunctionDef, more: list[str], body: list[ast.stmt]) -> Callable:
    """The function with another body, and with `more` parameters in front of its own."""
    names = [ast.arg(name) for name in (*more, *(argument.arg for argument in definition.args.args))]
    arguments = ast.arguments([], names, kwonlyargs=[], kw_defaults=[], defaults=[])
    made = ast.copy_location(ast.FunctionDef(function.__name__, arguments, body, []), definition)
    if hasattr(made, "type_params"):  # since Python 3.12
        made.type_params = []
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    closed = {name: cell.cell_contents for name, cell in cells.items()}
    scope = {**function.__globals__, **closed, "_signed": np.int64, "_unsigned": np.uint64}
    module = ast.fix_missing_locations(ast.Module([made], []))
    exec(compile(module, function.__code__.co_filename, "exec"), scope)
    return scope[function.__name__]


# What takes the place of the loop.  Numba looks at every index that is signed whether it counts from the end,
# which keeps a loop from becoming vector code.
SHARE = """
_count = {count}
for _at in range(_unsigned(_part * _count // _parts), _unsigned((_part + 1) * _count // _parts)):
    {name} = _signed(_at)
"""


def _is_dealt(node: ast.AST) -> bool:
    """Whether this is a loop over prange."""
    return (
        isinstance(node, ast.For)
        and isinstance(node.iter, ast.Call)
        and isinstance(node.iter.func, ast.Name)
        and node.iter.func.id == "prange"
    )


class _ByUnsigned(ast.NodeTransformer):
    """x[i] for the loop's variable i becomes x[_at], and worker() becomes _me."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.slice, ast.Name) and node.slice.id == self.name:
            node.slice.id = "_at"
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == worker.__name__:
            return ast.Name("_me", ast.Load())
        return node


def _dealer(function: Callable) -> Callable:
    """`deal(launcher, team, threads, arguments)` for compiled code: runs all parts of a kernel's loop."""

    @intrinsic
    def deal(typing_context, launcher, team, threads, arguments):
        def generate(context, build, signature, values):
            *place, packed = values
            kinds = signature.args[3].types
            arguments = cgutils.unpack_tuple(build, packed, len(kinds))
            cut = loops(function)
            if cut is None:
                _call(context, build, function, kinds, arguments)
            else:
                share, rest = cut
                _launch(context, build, share, kinds, arguments, *place)
                if rest is not None:
                    _call(context, build, rest, kinds, arguments)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, arguments), generate

    return deal


def _unowned(context, build, kind, value):
    """The same value, whose arrays nobody owns.  Numba counts the references to what owns an array wherever
    one is sliced; threads that slice the same arrays would wait for each other at every count.  The caller
    keeps what the arrays lie in."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, build, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for i, inner in enumerate(kind.types):
            part = _unowned(context, build, inner, build.extract_value(value, i))
            value = build.insert_value(value, part, i)
    return value


def _launch(context, build, share, kinds, arguments, launch, team, threads) -> None:
    """Run all parts of `share`, of (part, parts, me, *arguments)."""
    fields = [context.get_value_type(kind) for kind in kinds]
    block = cgutils.alloca_once(build, ir.LiteralStructType([*fields, I32]))
    for i, (kind, value) in enumerate(zip(kinds, arguments)):
        build.store(_unowned(context, build, kind, value), cgutils.gep_inbounds(build, block, 0, i))
    failed = cgutils.gep_inbounds(build, block, 0, len(kinds))
    build.store(I32(0), failed)
    thunk = _thunk(context, build.module, share, kinds, block.type)
    run, nbytes = build.inttoptr(launch, LAUNCHER.as_pointer()), context.get_abi_sizeof(block.type.pointee)
    build.call(run, [team, threads, build.ptrtoint(thunk, INT), build.ptrtoint(block, INT), INT(nbytes)])
    with cgutils.if_unlikely(build, cgutils.is_not_null(build, build.load(failed))):
        message = f"{share.__name__}: the arrays do not fit the geometry"
        context.call_conv.return_user_exc(build, ValueError, (message,))


def _thunk(context, module, share, kinds, block_type) -> ir.Function:
    """What the launcher calls: the arguments out of the block, one part of the loop; a part that fails leaves
    a note in the block's last field."""
    described = _compiled_into(context, share, (*[types.int64] * 3, *kinds))
    thunk = ir.Function(module, THUNK, f"{described.llvm_func_name}.part")
    thunk.linkage = "internal"
    build = ir.IRBuilder(thunk.append_basic_block())
    address, part, parts, me = thunk.args
    block = build.inttoptr(address, block_type)
    values = [build.load(cgutils.gep_inbounds(build, block, 0, i)) for i in range(len(kinds))]
    target = context.declare_function(module, described)
    arguments = [part, parts, me, *values]
    status, _ = context.call_conv.call_function(build, target, types.none, described.argtypes, arguments)
    with cgutils.if_unlikely(build, status.is_error):
        build.store(I32(1), cgutils.gep_inbounds(build, block, 0, len(kinds)))
    build.ret_void()
    return thunk


def _call(context, build, function: Callable, kinds, arguments) -> None:
    """Call a function in the code that is being made."""
    described = _compiled_into(context, function, tuple(kinds))
    target = context.declare_function(build.module, described)
    status, _ = context.call_conv.call_function(build, target, types.none, described.argtypes, arguments)
    with cgutils.if_unlikely(build, status.is_error):
        context.call_conv.return_status_propagate(build, status)


def _compiled_into(context, function: Callable, kinds: tuple):
    """Compile a function into the code that is being made, to be optimized with it once; its descriptor."""
    flags = ConfigStack.top_or_none().copy()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    library = context.active_code_library
    return compile_internal(
        context.typing_context, context, library, function, kinds, types.none, flags, {}
    ).fndesc
