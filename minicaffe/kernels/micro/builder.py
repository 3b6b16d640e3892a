"""Writing micro-kernels: a thin layer over llvmlite's IR builder, the compiler, and calls by address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .machine import Machine

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

INT = ir.IntType(64)
I32 = ir.IntType(32)
_engines = []  # compiled code lives as long as its engine


class Function:
    """A `void name(int64, ...)` under construction: vector loads, stores, arithmetic and loops."""

    def __init__(self, name: str, arguments: Sequence[str], itemsize: int, machine: Machine) -> None:
        self.name, self.machine, self.itemsize = name, machine, itemsize
        self.real = {4: ir.FloatType(), 8: ir.DoubleType()}[itemsize]
        self.module = ir.Module(name)
        self.module.triple = llvm.get_default_triple()
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(arguments))
        self.function = ir.Function(self.module, kind, name)
        self.build = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.arguments = dict(zip(arguments, self.function.args, strict=True))

    # -- values and addresses

    def vector(self, lanes: int) -> ir.VectorType:
        return ir.VectorType(self.real, lanes)

    def zero(self, lanes: int) -> ir.Constant:
        return ir.Constant(self.vector(lanes), [0.0] * lanes)

    def pointer(self, argument: str):
        """The argument as the address of a real."""
        return self.build.inttoptr(self.arguments[argument], self.real.as_pointer())

    def at(self, pointer, *indices):
        """pointer + the sum of indices (elements); each an int, an IR value, or a pair to multiply."""
        total = INT(0)
        for index in indices:
            if isinstance(index, tuple):
                index = self.build.mul(*[INT(i) if isinstance(i, int) else i for i in index])
            total = self.build.add(total, INT(index) if isinstance(index, int) else index)
        return self.build.gep(pointer, [total])

    def load(self, pointer, lanes: int):
        vector = self.build.load(self.build.bitcast(pointer, self.vector(lanes).as_pointer()))
        vector.align = self.itemsize  # rows of a blob start anywhere
        return vector

    def store(self, value, pointer) -> None:
        self.build.store(value, self.build.bitcast(pointer, value.type.as_pointer())).align = self.itemsize

    def prefetch(self, pointer) -> None:
        """Begin to fetch the cache line at pointer, which will be written."""
        kind = self.real.as_pointer()
        name = "llvm.prefetch.p0"
        function = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(ir.VoidType(), [kind, I32, I32, I32]), name
        )
        self.build.call(function, [pointer, I32(1), I32(3), I32(1)])

    # -- arithmetic

    def broadcast(self, pointer, lanes: int):
        """The element at pointer in every lane."""
        undefined = ir.Constant(self.vector(lanes), ir.Undefined)
        one = self.build.insert_element(undefined, self.build.load(pointer), I32(0))
        return self.shuffle(one, undefined, [0] * lanes)

    def shuffle(self, a, b, lanes: Sequence[int]):
        """The chosen lanes of the concatenation of a and b."""
        return self.build.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))

    def integers(self, value, lanes: int):
        """A 64-bit integer, shortened to 32 bits, in every lane."""
        if isinstance(value, ir.Constant):
            return ir.Constant(ir.VectorType(I32, lanes), [value.constant] * lanes)
        undefined = ir.Constant(ir.VectorType(I32, lanes), ir.Undefined)
        one = self.build.insert_element(undefined, self.build.trunc(value, I32), I32(0))
        return self.shuffle(one, undefined, [0] * lanes)

    def multiply_add(self, a, b, c):
        """a * b + c."""
        if not self.machine.fma:  # without the instruction, llvm.fma would call the C library lane by lane
            return self.build.fadd(self.build.fmul(a, b), c)
        kind = c.type
        name = f"llvm.fma.v{kind.count}f{8 * self.itemsize}"
        fma = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(kind, [kind] * 3), name
        )
        return self.build.call(fma, [a, b, c])

    # -- control

    def loop(self, count, carried: Sequence, body: Callable) -> list:
        """Run `carried = body(i, carried)` for i in range(count), count >= 1; returns the last `carried`."""
        build = self.build
        before, head = build.block, build.append_basic_block("loop")
        build.branch(head)
        build.position_at_end(head)
        index = build.phi(INT)
        index.add_incoming(INT(0), before)
        phis = []
        for value in carried:
            phis.append(build.phi(value.type))
            phis[-1].add_incoming(value, before)
        results = body(index, phis)
        following = build.add(index, INT(1))
        index.add_incoming(following, build.block)
        for phi, value in zip(phis, results, strict=True):
            phi.add_incoming(value, build.block)
        done = build.append_basic_block("done")
        build.cbranch(build.icmp_signed("<", following, count), head, done)
        build.position_at_end(done)
        return results

    def compile(self) -> int:
        """Finish the function, compile it for the machine, and return its address."""
        self.build.ret_void()
        module = llvm.parse_assembly(str(self.module))
        module.verify()
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=self.machine.cpu, features=self.machine.features, opt=3
        )
        engine = llvm.create_mcjit_compiler(module, target)
        engine.finalize_object()
        _engines.append(engine)
        return engine.get_function_address(self.name)


@numba.njit(nogil=True)
def address(array, index):
    """In compiled loops: where element `index` of a one-dimensional array lies."""
    return np.int64(array.ctypes.data) + index * array.itemsize


@intrinsic
def call(typing_context, address, arguments):
    """In compiled loops: call the micro-kernel at `address` with a tuple of 64-bit integers."""
    if not all(isinstance(kind, types.Integer) for kind in arguments):
        raise TypeError(f"a micro-kernel takes 64-bit integers; got {arguments}")
    signature = types.void(types.int64, arguments)

    def generate(context, build, signature, values):
        address, packed = values
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(signature.args[1]))
        function = build.inttoptr(address, kind.as_pointer())
        build.call(function, [build.extract_value(packed, i) for i in range(len(signature.args[1]))])
        return context.get_dummy_value()

    return signature, generate
