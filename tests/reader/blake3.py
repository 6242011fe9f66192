# SPDX-License-Identifier: GPL-3.0-or-later
"""BLAKE3-256, unkeyed and keyed, in plain Python: slow, but short enough to check by eye."""

import struct

CHUNK = 1024  # bytes of a leaf of the hash tree
BLOCK = 64    # bytes that one compression takes in
MASK = 0xFFFFFFFF

CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED_HASH = 1, 2, 4, 8, 16

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
      0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)

# One round mixes the four columns of the state, then its four diagonals.
LINES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))

# Between two rounds the sixteen words of the block change places.
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)


def _schedule():
    """All mixing steps of the seven rounds: four places of the state, two words of the block."""
    order, steps = list(range(16)), []
    for _ in range(7):
        for i, line in enumerate(LINES):
            steps.append((*line, order[2 * i], order[2 * i + 1]))
        order = [order[p] for p in PERMUTATION]
    return tuple(steps)


STEPS = _schedule()


def _compress(chaining, block, counter, size, flags):
    """The compression function; returns the eight words of the next chaining value."""
    word = struct.unpack("<16I", block)
    v = [*chaining, *IV[:4], counter & MASK, counter >> 32, size, flags]
    for a, b, c, d, x, y in STEPS:
        va = (v[a] + v[b] + word[x]) & MASK
        vd = v[d] ^ va
        vd = (vd >> 16 | vd << 16) & MASK
        vc = (v[c] + vd) & MASK
        vb = v[b] ^ vc
        vb = (vb >> 12 | vb << 20) & MASK
        va = (va + vb + word[y]) & MASK
        vd ^= va
        vd = (vd >> 8 | vd << 24) & MASK
        vc = (vc + vd) & MASK
        vb ^= vc
        v[a], v[b], v[c], v[d] = va, (vb >> 7 | vb << 25) & MASK, vc, vd
    return tuple(v[i] ^ v[i + 8] for i in range(8))


def _leaf(data, key, flags, counter):
    """Arguments of the last compression of a chunk: the caller may add ROOT."""
    chaining, start = key, CHUNK_START
    while len(data) > BLOCK:
        chaining = _compress(chaining, data[:BLOCK], counter, BLOCK, flags | start)
        data, start = data[BLOCK:], 0
    block = bytes(data).ljust(BLOCK, b"\0")
    return chaining, block, counter, len(data), flags | start | CHUNK_END


def _subtree(data, key, flags, counter):
    """Arguments of the last compression of the tree over data, whose first chunk is counter."""
    if len(data) <= CHUNK:
        return _leaf(data, key, flags, counter)
    chunks = 1 << ((len(data) - 1) // CHUNK).bit_length() - 1  # left: the largest full tree
    cut = chunks * CHUNK
    left = _compress(*_subtree(data[:cut], key, flags, counter))
    right = _compress(*_subtree(data[cut:], key, flags, counter + chunks))
    return key, struct.pack("<16I", *left, *right), 0, BLOCK, flags | PARENT


def blake3(data, key=None):
    """The 32 bytes of BLAKE3 of data, keyed with the 32 bytes of key if there is one."""
    words = IV if key is None else struct.unpack("<8I", key)
    *last, flags = _subtree(memoryview(data), words, 0 if key is None else KEYED_HASH, 0)
    return struct.pack("<8I", *_compress(*last, flags | ROOT))


# Of the official vectors: the key (cut in two for the spell checker), then of each input its
# length, its hash, its keyed hash.
VECTOR_KEY = b"what" b"s the Elvish word for friend"
VECTORS = (
    (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
     "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"),
    (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
     "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b"),
    (1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
     "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e"),
    (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
     "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4"),
    (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
     "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69"),
    (3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3",
     "68dede9bef00ba89e43f31a6825f4cf433389fedae75c04ee9f0cf16a427c95a"),
    (6145, "f1323a8631446cc50536a9f705ee5cb619424d46887f3c376c695b70e0f0507f",
     "9ac301e9e39e45e3250a7e3b3df701aa0fb6889fbd80eeecf28dbc6300fbc539"),
)


def selftest():
    """Names of the known answers that differ, if any: the vectors and the well-known "abc"."""
    wrong = []
    for size, plain, keyed in VECTORS:
        data = bytes(i % 251 for i in range(size))
        if blake3(data).hex() != plain:
            wrong.append(f"BLAKE3 of {size} bytes")
        if blake3(data, VECTOR_KEY).hex() != keyed:
            wrong.append(f"keyed BLAKE3 of {size} bytes")
    if blake3(b"abc").hex() != "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85":
        wrong.append("BLAKE3 of abc")
    return wrong
