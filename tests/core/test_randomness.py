"""Random streams and Philox."""

import numpy as np
from numba import njit

from minicaffe.core.randomness import Stream
from minicaffe.device.cpu import CpuDevice
from minicaffe.philox import philox

# Known answers of Philox-4x32-10 from the generator's authors: counter and key of zeros, of ones, and of
# digits of pi.
KNOWN = {
    ((0, 0, 0, 0), (0, 0)): (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2): (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)): (
        0xD16CFE09,
        0x94FDCCEB,
        0x5001E420,
        0x24126EA1,
    ),
}


def test_known_answers_scalar_vector_and_compiled():
    with np.errstate(over="ignore"):
        for (counter, key), words in KNOWN.items():
            arguments = [np.uint32(v) for v in (*counter, *key)]
            assert tuple(int(w) for w in philox(*arguments)) == words
            assert tuple(int(w) for w in njit(philox)(*arguments)) == words
            vector = philox(*[np.full(3, v, np.uint32) for v in arguments[:4]], *arguments[4:])
            assert all((column == word).all() for column, word in zip(vector, words))


def test_streams_differ_by_seed_and_name_and_repeat():
    device = CpuDevice()

    def key(seed, name):
        return tuple(Stream(device, seed, name).data[:2])

    assert key(1, "a") == key(1, "a")
    assert len({key(1, "a"), key(2, "a"), key(1, "b"), key(1 + (1 << 32), "a")}) == 4


def test_seek_and_reseed():
    stream = Stream(CpuDevice(), 5, "drop")
    stream.seek(12)
    assert stream.data[2] == 12
    stream.reseed(6)
    assert stream.seed == 6 and stream.data[2] == 0
