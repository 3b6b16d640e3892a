"""Writing micro-kernels: a thin layer over llvmlite's IR builder, the compiler, and calls by address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .machine import Machine

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

INT = ir.IntType(64)
I32 = ir.IntType(32)
AHEAD = 4096  # bytes, a page: measured at 0.5 to 8 KB


class Function:
    """A `void f(int64, ...)` under construction: vector loads, stores, arithmetic and loops."""

    def __init__(self, arguments: Sequence[str], itemsize: int, machine: Machine) -> None:
        self.machine, self.itemsize = machine, itemsize
        self.real = {4: ir.FloatType(), 8: ir.DoubleType()}[itemsize]
        self.module = ir.Module()
        self.module.triple = llvm.get_default_triple()
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(arguments))
        self.function = ir.Function(self.module, kind, "f")
        self.build = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.arguments = dict(zip(arguments, self.function.args, strict=True))

    # -- values and addresses

    def vector(self, lanes: int) -> ir.VectorType:
        return ir.VectorType(self.real, lanes)

    def constant(self, value: float, lanes: int) -> ir.Constant:
        return ir.Constant(self.vector(lanes), [value] * lanes)

    def zero(self, lanes: int) -> ir.Constant:
        return self.constant(0.0, lanes)

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

    def entry(self, argument: str, index):
        """Element `index` of the table of int64 at the argument's address."""
        table = self.build.inttoptr(self.arguments[argument], INT.as_pointer())
        return self.build.load(self.build.gep(table, [index]))

    def load(self, pointer, lanes: int):
        vector = self.build.load(self.build.bitcast(pointer, self.vector(lanes).as_pointer()))
        vector.align = self.itemsize  # rows of a blob start anywhere
        return vector

    def store(self, value, pointer) -> None:
        self.build.store(value, self.build.bitcast(pointer, value.type.as_pointer())).align = self.itemsize

    def load_where(self, live, pointer):
        """The lanes for which `live` is true, 0 in the others, which are not read."""
        element = pointer.type.pointee
        kind = ir.VectorType(element, live.type.count)
        pointer = self.build.bitcast(pointer, kind.as_pointer())
        bytes_each = 4 if element is I32 else self.itemsize
        return self.intrinsic("masked.load", kind, pointer, I32(bytes_each), live, ir.Constant(kind, None))

    def store_where(self, live, value, pointer) -> None:
        """Only the lanes for which `live` is true."""
        pointer = self.build.bitcast(pointer, value.type.as_pointer())
        self.intrinsic(
            "masked.store", value.type, value, pointer, I32(self.itemsize), live, result=ir.VoidType()
        )

    def store_inside(self, value, pointer, first, end) -> None:
        """Of lanes that are elements first, first + 1, ... of a row, those from 0 to end - 1.

        A masked store is slow where vectors have no registers for masks: all lanes are stored at once where
        they are inside, and those of the last vector in pieces of half its length, a quarter, and so on.
        """
        build, lanes = self.build, value.type.count
        count = build.sub(end, first)
        behind = build.icmp_signed(">=", first, INT(0))
        whole = build.and_(behind, build.icmp_signed(">=", count, INT(lanes)))
        with build.if_else(whole) as (all_inside, otherwise):
            with all_inside:
                self.store(value, pointer)
            with otherwise:
                if self.machine.vector_bytes == 64:
                    self.store_where(self.below(first, end, lanes), value, pointer)
                    return
                with build.if_else(behind) as (last, early):
                    with last:
                        self._store_pieces(value, pointer, self.greater(count, INT(0)))
                    with early:
                        self.store_where(self.below(first, end, lanes), value, pointer)

    def _store_pieces(self, value, pointer, count) -> None:
        """The first `count` lanes, fewer than there are."""
        build, lanes, done = self.build, value.type.count, INT(0)
        half = 1 << (lanes - 1).bit_length() >> 1  # of the next power of two
        value = self.shuffle(value, value, [min(lane, lanes - 1) for lane in range(max(1, 2 * half))])
        while half:
            low, high = (self.shuffle(value, value, range(i, i + half)) for i in (0, half))
            some = build.and_(count, INT(half))
            taken = build.icmp_signed("!=", some, INT(0))
            with build.if_then(taken):
                self.store(low, self.at(pointer, done))
            value, done, half = build.select(taken, high, low), build.add(done, some), half // 2

    def prefetch(self, pointer, *, ahead: int = AHEAD, write: bool = False) -> None:
        """Fetch the cache line `ahead` bytes behind pointer, which need not exist, to be read or written
        before long.  A processor fetches a stream by itself, but stops at the end of each page."""
        build = self.build
        place = build.gep(build.bitcast(pointer, ir.IntType(8).as_pointer()), [INT(ahead)])
        declared = ir.FunctionType(ir.VoidType(), [place.type, I32, I32, I32])
        name = "llvm.prefetch.p0"
        function = self.module.globals.get(name) or ir.Function(self.module, declared, name)
        build.call(function, [place, I32(int(write)), I32(3), I32(1)])  # into all caches; data

    def intrinsic(self, name: str, kind: ir.VectorType, *arguments, result=None):
        """What LLVM's own function `name` for vectors of `kind` gives; `result` unless it is one of them."""
        element = "i32" if kind.element is I32 else f"f{8 * self.itemsize}"
        name = f"llvm.{name}.v{kind.count}{element}" + ".p0" * name.startswith("masked")
        declared = ir.FunctionType(result or kind, [value.type for value in arguments])
        function = self.module.globals.get(name) or ir.Function(self.module, declared, name)
        return self.build.call(function, arguments)

    # -- arithmetic

    def broadcast(self, pointer, lanes: int):
        """The element at pointer in every lane."""
        undefined = ir.Constant(self.vector(lanes), ir.Undefined)
        one = self.build.insert_element(undefined, self.build.load(pointer), I32(0))
        return self.shuffle(one, undefined, [0] * lanes)

    def shuffle(self, a, b, lanes: Sequence[int]):
        """The chosen lanes of the concatenation of a and b."""
        return self.build.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))

    def integers(self, value, lanes: int, kind: ir.IntType = I32):
        """A 64-bit integer, shortened to `kind`, in every lane."""
        if isinstance(value, ir.Constant):
            return ir.Constant(ir.VectorType(kind, lanes), [value.constant] * lanes)
        undefined = ir.Constant(ir.VectorType(kind, lanes), ir.Undefined)
        one = value if kind is INT else self.build.trunc(value, kind)
        return self.shuffle(self.build.insert_element(undefined, one, I32(0)), undefined, [0] * lanes)

    def counting(self, lanes: int, kind: ir.IntType = I32, step: int = 1) -> ir.Constant:
        """0, step, 2 * step, ... in the lanes."""
        return ir.Constant(ir.VectorType(kind, lanes), [step * lane for lane in range(lanes)])

    def multiply_add(self, a, b, c):
        """a * b + c."""
        if not self.machine.fma:  # without the instruction, llvm.fma would call the C library lane by lane
            return self.build.fadd(self.build.fmul(a, b), c)
        return self.intrinsic("fma", c.type, a, b, c)

    def below(self, first, end, lanes: int):
        """Which of first, first + 1, ... are from 0 to end - 1."""
        numbers = self.build.add(self.integers(first, lanes), self.counting(lanes))
        return self.build.icmp_unsigned("<", numbers, self.integers(end, lanes))

    def in_turns(self, vectors: Sequence):
        """Lane 0 of each, lane 1 of each, ...: one long vector."""
        lanes, joined = vectors[0].type.count, vectors[0]
        for other in vectors[1:]:  # a shuffle takes two of one length
            size = joined.type.count
            longer = self.shuffle(other, other, [min(lane, lanes - 1) for lane in range(size)])
            joined = self.shuffle(joined, longer, range(size + lanes))
        turns = [i * lanes + lane for lane in range(lanes) for i in range(len(vectors))]
        return self.shuffle(joined, joined, turns)

    def lesser(self, a, b):
        """The lesser of two signed integers."""
        return self.build.select(self.build.icmp_signed("<", a, b), a, b)

    def greater(self, a, b):
        """The greater of two signed integers."""
        return self.build.select(self.build.icmp_signed(">", a, b), a, b)

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

    def compile(self, symbol: str) -> bytes:
        """Finish the function, and compile it for the machine: an object file, in which it has this name."""
        self.build.ret_void()
        self.function.name = symbol
        module = llvm.parse_assembly(str(self.module))
        module.verify()
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=self.machine.cpu, features=self.machine.features, opt=3
        )
        return target.emit_object(module)


@intrinsic
def address(typing_context, array, index):
    """In compiled loops: where element `index` of a one-dimensional array lies."""

    def generate(context, build, signature, values):
        kind, counts = signature.args
        start = build.ptrtoint(context.make_array(kind)(context, build, values[0]).data, INT)
        offset = build.mul(context.cast(build, values[1], counts, types.int64), INT(kind.dtype.bitwidth // 8))
        return build.add(start, offset)

    return types.int64(array, index), generate


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
