"""Elements of a sample kept or dropped by their random words, four words to a counter.

Counters lie in lanes of 64 bits, where the product of two 32-bit words has room.  A round takes the low half
of it where it lies, since a multiplication reads low halves alone, and shifts the high half down: only the
low halves of lanes mean anything.  After the last round the four words of a counter are put side by side, in
the order of the elements that take them.
"""

from __future__ import annotations

from ...philox import M0, M1, ROUNDS, W0, W1
from .builder import INT, Function
from .kernel import micro_kernel
from .machine import Machine

ARGUMENTS = (
    "count",  # elements; at least 1
    "quad",  # word 0 of the first counter, which the first four elements take
    "low",  # words 1
    "high",  # and 2 of all counters
    "key0",  # the key; key, words and counters are numbers below 2^32
    "key1",
    "limit",  # an element is dropped if its word is below; up to 2^32
    "scale",  # address of the factor of the others
    "x",  # addresses of the elements; y may be x
    "y",
)


@micro_kernel
def dropout(itemsize: int, machine: Machine) -> Function:
    """The address of the kernel with ARGUMENTS: y = x * scale where the word reaches the limit, else 0."""
    f = Function(ARGUMENTS, itemsize, machine)
    build, given = f.build, f.arguments
    lanes = machine.lanes(8)
    wide = 4 * lanes  # elements at a time, in as many registers as they need
    keys = [
        [
            f.integers(build.add(given[name], INT(i * int(step))), lanes, INT)
            for name, step in (("key0", W0), ("key1", W1))
        ]
        for i in range(ROUNDS)
    ]
    low, high = (f.integers(given[name], lanes, INT) for name in ("low", "high"))
    # A word reaches a limit above 0 if it is greater than the number before it.
    every = build.icmp_unsigned("==", f.integers(given["limit"], wide, INT), f.integers(INT(0), wide, INT))
    before = f.integers(build.sub(given["limit"], INT(1)), wide)
    scale, zero = f.broadcast(f.pointer("scale"), wide), f.zero(wide)

    def kept(i):
        """Which elements of block i are."""
        quads = build.add(given["quad"], build.mul(i, INT(lanes)))
        counter = (
            build.add(f.integers(quads, lanes, INT), f.counting(lanes, INT)),
            low,
            high,
            f.integers(INT(0), lanes, INT),
        )
        words = side_by_side(f, *rounds(f, counter, keys), lanes)
        return build.or_(build.icmp_unsigned(">", words, before), every)

    def whole(i, _):
        x, y = (f.at(f.pointer(name), (i, wide)) for name in ("x", "y"))
        f.store(build.select(kept(i), build.fmul(f.load(x, wide), scale), zero), y)
        return []

    blocks, rest = (build.udiv(given["count"], INT(wide)), build.urem(given["count"], INT(wide)))
    with build.if_then(build.icmp_signed(">", blocks, INT(0))):
        f.loop(blocks, [], whole)
    with build.if_then(build.icmp_signed(">", rest, INT(0))):
        x, y = (f.at(f.pointer(name), (blocks, wide)) for name in ("x", "y"))
        live = build.icmp_signed("<", f.counting(wide), f.integers(rest, wide))
        value = build.select(kept(blocks), build.fmul(f.load_where(live, x), scale), zero)
        f.store_where(live, value, y)
    return f


def rounds(f: Function, counter, keys):
    """The four words of philox.philox, each in the low half of its lane."""
    build = f.build
    c0, c1, c2, c3 = counter
    lanes = c0.type.count
    m0, m1, low, half = (f.integers(INT(int(n)), lanes, INT) for n in (M0, M1, 0xFFFFFFFF, 32))
    for k0, k1 in keys:
        p0, p1 = (build.mul(m, build.and_(c, low)) for m, c in ((m0, c0), (m1, c2)))
        c0 = build.xor(build.xor(build.lshr(p1, half), c1), k0)
        c2 = build.xor(build.xor(build.lshr(p0, half), c3), k1)
        c1, c3 = p1, p0
    return c0, c1, c2, c3


def side_by_side(f: Function, a, b, c, d, lanes: int):
    """a[0], b[0], c[0], d[0], a[1], ...: 32-bit words of what lies in low halves of lanes."""
    build = f.build
    low, half = (f.integers(INT(n), lanes, INT) for n in (0xFFFFFFFF, 32))
    pairs = [build.or_(build.and_(one, low), build.shl(other, half)) for one, other in ((a, b), (c, d))]
    both = f.shuffle(*pairs, [which * lanes + lane for lane in range(lanes) for which in range(2)])
    return build.bitcast(both, f.integers(INT(0), 4 * lanes).type)
