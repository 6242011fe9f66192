# SPDX-License-Identifier: GPL-3.0-or-later
"""Format version 1, section by section as in docs/format.md: bytes to values.

Nothing here knows of files or folders. Whatever is not as the document says raises Damage.
"""

import collections
import hashlib
import re
import struct
from dataclasses import dataclass, field

import libraries
from blake3 import blake3


class Damage(Exception):
    """Something that the document does not allow; the message names the object."""


class Refused(Exception):
    """Nothing is wrong with the bytes, but this reader cannot read them."""


def require(condition, what, problem):
    """Raises Damage of the object or part called what, unless the condition holds."""
    if not condition:
        raise Damage(f"{what}: {problem}")


# ---------------------------------------------------------------- Wire

U64 = (1 << 64) - 1


class Wire:
    """Takes values off the front of a part; refuses every encoding but the one."""

    def __init__(self, data, what):
        self.data, self.at, self.what = bytes(data), 0, what

    def require(self, condition, problem):
        require(condition, self.what, problem)

    def take(self, size):
        self.require(size <= len(self.data) - self.at, f"ends early, at byte {len(self.data)}")
        self.at += size
        return self.data[self.at - size:self.at]

    def unsigned(self, size):
        return int.from_bytes(self.take(size), "little")

    def u8(self):
        return self.unsigned(1)

    def u32(self):
        return self.unsigned(4)

    def u64(self):
        return self.unsigned(8)

    def varint(self, most=U64):
        value, shift, byte = 0, 0, 0x80
        while byte & 0x80:
            self.require(shift < 70, "a varint of more than 64 bits")
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
        self.require(byte or shift == 7, "a varint that could be shorter")
        self.require(value <= most, f"the number {value} is above its limit {most}")
        return value

    def signed(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    ns = signed

    def sized(self, most):
        return self.take(self.varint(most))

    def text(self, most=64 << 10):  # "other texts" in section Limits
        return self.sized(most)

    def id16(self):
        return self.take(16)

    def id32(self):
        return self.take(32)

    def choice(self, *values):
        """A byte that is one of the values."""
        value = self.u8()
        self.require(value in values, f"the unknown value {value} at byte {self.at - 1}")
        return value

    def flag(self):
        return self.choice(0, 1)

    def time(self):
        return self.signed(), self.varint(999_999_999)

    def list(self, read, most, least=0):
        count = self.varint(most)
        self.require(count >= least, f"a list of {count}, which is less than {least}")
        return [read() for _ in range(count)]

    def optional(self, read):
        return read() if self.flag() else None

    def end(self):
        self.require(self.at == len(self.data), f"{len(self.data) - self.at} bytes left over")


def varint(value):
    """This and the next two encode, for what is hashed: recipes, digests, authenticated data."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def signed(value):
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def sized(data):
    return varint(len(data)) + data


def ascending(names):
    return all(a < b for a, b in zip(names, names[1:]))


# ---------------------------------------------------------------- Objects

CONFIG, KEY, PACK, BUNDLE, SESSION, SNAPSHOT, FORGET, LOG, PARITY = range(1, 10)

ID = "[0-9a-f]{32}"
NAMES = {
    CONFIG: re.compile("config"),
    KEY: re.compile(f"keys/{ID}"),
    PACK: re.compile(r"packs/([0-9a-f]{2})/\1[0-9a-f]{30}"),
    BUNDLE: re.compile(f"bundles/{ID}"),
    SESSION: re.compile(f"sessions/{ID}([.]([1-9][0-9]*|published))?"),
    SNAPSHOT: re.compile(f"snapshots/{ID}"),
    FORGET: re.compile(f"forgets/{ID}"),
    LOG: re.compile("gclog/0[0-9]{15}"),
    PARITY: re.compile(r"parity/([0-9a-f]{2})/\1[0-9a-f]{30}"),
}


def kind_of(name):
    """The kind of object that has this name, or None."""
    return next((kind for kind, form in NAMES.items() if form.fullmatch(name)), None)


def is_left_alone(name):
    """Of a name that is no object's: whether it may be there all the same."""
    return name == "reserve" or name.startswith("quarantine/") or \
        any(part.startswith(".") for part in name.split("/"))


def header(kind):
    return b"coffre" + bytes([1, kind])


def check_header(data, kind, what):
    require(data[:6] == b"coffre" and len(data) >= 8, what, "is no object of this format")
    require(data[6] > 0, what, "states version 0")
    if data[6] > 1:
        raise Refused(f"{what}: has version {data[6]}; this reader, which knows 1, is too old")
    require(data[7] == kind, what, f"states kind {data[7]} instead of {kind}")


def check_sum(data, what):
    """The last 8 bytes of most objects: XXH3-64 of all before."""
    body, stated = data[:-8], data[-8:]
    require(libraries.xxh3_64(body) == stated, what, "checksum differs")
    return body


NONE, ENCRYPTED = 0, 1
SEAL_SIZE = {NONE: 32, ENCRYPTED: 24 + 16}


def open_seal(mode, key, authenticated, sealed, what):
    """The content of a seal."""
    require(len(sealed) >= SEAL_SIZE[mode], what, "is too short for its seal")
    if mode == NONE:
        content, stated = sealed[:-32], sealed[-32:]
        require(blake3(authenticated + content) == stated, what, "seal does not fit")
        return content
    content = libraries.open_xchacha(key, sealed[:24], authenticated, sealed[24:])
    require(content is not None, what, "seal does not open")
    return content


def authenticated_data(kind, repository_id, name, clear):
    return header(kind) + repository_id + sized(name.encode()) + clear


def check_signature(public_key, authenticated, content, what):
    """Splits the content of a signed object; returns what was signed."""
    require(len(content) >= 64, what, "is too short for its signature")
    body, signature = content[:-64], content[-64:]
    require(libraries.verify_ed25519(public_key, authenticated + body, signature), what,
            "signature does not fit")
    return body


def padme(size):
    if size < 2:
        return size
    e = size.bit_length() - 1
    unit = 1 << max(e - e.bit_length(), 0)  # e.bit_length() is floor(log2 e) + 1
    return -(-size // unit) * unit


def unpad(padded, what):
    """The content of pad(content)."""
    wire = Wire(padded, what)
    content = wire.take(wire.u32())
    wire.require(len(padded) == padme(wire.at), "padding has the wrong length")
    wire.require(not any(padded[wire.at:]), "padding is not zeros")
    return content


# ---------------------------------------------------------------- Limits

KIB, MIB = 1 << 10, 1 << 20

CHUNK_PLAIN = 8 * MIB
BLOCK_PLAIN, BLOCK_STORED = 16 * MIB, 17 * MIB
PACK_SIZE, OBJECT_SIZE = 128 * MIB, 256 * MIB
PACK_BLOCKS, BLOCK_CHUNKS = 1_048_576, 262_144
PACK_KEYS, WRAPPED_SIZE = 4_096, 256
DELTA_DEPTH, DELTA_BASES = 8, 64
BUNDLE_PACKS = 65_536
LIST_ENTRIES = 1_024  # of a recipe, and nodes of a piece
INLINE_ENTRIES = 32
CONTENT_LEVELS = 8
NAME_SIZE = 255  # of a node or an attribute
TARGET_SIZE = 64 * KIB
OWNER_SIZE = 1_024
ATTRIBUTES, ATTRIBUTE_VALUE, ATTRIBUTES_SIZE = 4_096, MIB, 2 * MIB
HOLES = 65_536
FILE_SIZE = (1 << 63) - 1
TREE_DEPTH = 16_384
TEXTS = 1_048_576  # in a list
POINT_VALUE = MIB
FAILURES = 1_000
LOG_IDS = 16_777_216
SEALED_SLOT = 256 * KIB
SECRETS, SLOTS = 1_024, 10_000


# ---------------------------------------------------------------- Keys

DATA, META = 1, 2
KIND_NAMES = {DATA: b"data", META: b"meta"}


def subkey(key, label):
    return hashlib.blake2b(label, key=key, digest_size=32).digest()


def slot_commitment(slot_key, repository_id, prefix):
    """What bytes 37 to 68 of a slot's prefix must be; they count as zeros here."""
    return subkey(slot_key, b"coffre-slot-commitment" + repository_id + prefix[:37] + bytes(32))


def open_session_key(master, repository_id, key, what):
    """The session key in a WrappedKey of wrap type 1."""
    wrap = subkey(master, b"coffre-wrap-" + KIND_NAMES[key.kind])
    binding = b"coffre-wrap" + repository_id + key.id + bytes([key.kind, key.cipher]) + \
        key.epoch.to_bytes(4, "little") + bytes([key.wrap])
    return open_seal(ENCRYPTED, wrap, binding, key.wrapped, what)


# ---------------------------------------------------------------- Chunking

class Cutter:
    """Cuts contents into chunks."""

    def __init__(self, chunker_key, least, average, most):
        self.least, self.average, self.most = least, average, most
        self.bits = min(12, average.bit_length() - 1 - 2)
        attempt = 0
        self.draw(chunker_key, attempt)
        while any(self.is_candidate(self.hash_of_run(value)) for value in range(256)):
            attempt += 1
            self.draw(chunker_key, attempt)

    def draw(self, chunker_key, attempt):
        drawn = subkey(chunker_key, b"coffre-chunker" + attempt.to_bytes(4, "little"))
        *factors, self.plus = struct.unpack("<6H", drawn[:12])
        self.factors = [factor | 1 for factor in factors]
        self.strength_key = drawn[12:28]

    def hash_of_run(self, value):
        h = 257 * value
        for factor in self.factors:
            h += factor * h
        return (h + self.plus) & 0xFFFF

    def is_candidate(self, value):
        return value >> (16 - self.bits) == 0

    def hashes(self, b):
        """H[63], H[64], ... of a chunk b."""
        h = [low + 256 * high for low, high in zip(b, b[1:])]
        for factor, back in zip(self.factors, (2, 4, 8, 16, 32)):
            h = [new + factor * old & 0xFFFF for new, old in zip(h[back:], h)]
        return [value + self.plus & 0xFFFF for value in h]

    def strength(self, window):
        return int.from_bytes(libraries.siphash(self.strength_key, window)[4:], "little")

    def limit(self, n):
        """What the strength must be below for a chunk of n bytes; all factors are powers of two."""
        scaled = 1 << (32 + self.bits)
        return scaled // (4 * self.average) if n <= self.average else scaled * 4 // self.average

    def cut(self, data):
        """Length of the first chunk of data, or None if only the end of the data ends it."""
        data = bytes(data[:self.most])
        skipped = self.least - 64  # so the first hash is that of the chunk of the least length
        for n, value in enumerate(self.hashes(data[skipped:]), self.least):
            if n < self.most and self.is_candidate(value):
                if self.strength(data[n - 64:n]) < self.limit(n):
                    return n
        return self.most if len(data) == self.most else None


# ---------------------------------------------------------------- Blocks

RAW, COMPRESSED, DELTA = 0, 1, 2
AES_GCM, CHACHA = 1, 2


AEADS = {AES_GCM: libraries.AES_256_GCM, CHACHA: libraries.CHACHA20_POLY1305}


def open_block(cipher, key, authenticated, stored, what):
    """The content of a sealed block: salt, ciphertext, tag."""
    require(len(stored) >= 40, what, "is too short for its seal")
    salt, text, tag = stored[:24], stored[24:-16], stored[-16:]
    block_key = subkey(key, b"coffre-block-1" + bytes([cipher]) + salt)
    content = libraries.open_aead(AEADS[cipher], block_key, bytes(12), authenticated, text, tag)
    require(content is not None, what, "seal does not open")
    return content


def decompress(codec, content, size, prefix, what):
    """The plaintext of a block, from its content and the plaintexts of its bases."""
    if codec == RAW:
        require(len(content) == size, what, "has another size than its directory says")
        return content
    require(libraries.is_one_frame(content, size), what, "is not one zstd frame of its size")
    plain = libraries.decompress(content, size, prefix)
    require(plain is not None, what, "does not decompress")
    return plain


# ---------------------------------------------------------------- config

@dataclass
class Prefix:
    """The unsealed start of the config."""
    repository_id: bytes
    mode: int
    public_master: bytes


def read_prefix(clear):
    wire = Wire(clear, "config")
    wire.take(8)
    prefix = Prefix(wire.id16(), wire.choice(NONE, ENCRYPTED), b"")
    features = wire.u64()
    if features:
        raise Refused(f"config: requires the unknown features {features:#x}")
    prefix.public_master = wire.take(32)
    wire.require(any(prefix.public_master) == (prefix.mode == NONE),
                 "public master key does not fit the mode")
    return prefix


@dataclass
class Config:
    """The secrets of the config."""
    chunker_key: bytes
    id_key: bytes
    sizes: list
    box_key: bytes
    sign_key: bytes
    made: int


def read_config(content):
    wire = Wire(content, "config")
    config = Config(wire.id32(), wire.id32(), [wire.u32() for _ in range(3)], wire.id32(),
                    wire.id32(), wire.ns())
    wire.end()
    least, average, most = config.sizes
    wire.require(64 <= least < average < most <= CHUNK_PLAIN, "sizes of chunks out of range")
    wire.require(average >= 256 and average & (average - 1) == 0, "average is no power of two")
    return config


# ---------------------------------------------------------------- keys

PASSPHRASE, KEY_FILE = 1, 2


@dataclass
class Slot:
    """The unsealed part of a key slot, and its two seals."""
    kind: int
    passes: int
    kib: int
    epochs: int
    salt: bytes
    commitment: bytes
    prefix: bytes
    secrets: bytes = b""
    info: bytes = b""


def read_slot(body, name):
    wire = Wire(body, name)
    wire.take(8)
    slot = Slot(wire.choice(PASSPHRASE, KEY_FILE), wire.u32(), wire.u32(), wire.u32(), wire.id16(),
                wire.id32(), body[:69])
    slot.secrets, slot.info = wire.sized(SEALED_SLOT), wire.sized(SEALED_SLOT)
    wire.end()
    wire.require(1 <= slot.epochs <= SECRETS, "number of master secrets out of range")
    if slot.kind == PASSPHRASE:
        wire.require(1 <= slot.passes <= 16, "passes of Argon2id out of range")
        wire.require(8 <= slot.kib <= 4_194_304, "memory of Argon2id out of range")
    else:
        wire.require(slot.passes == slot.kib == 0, "a key file needs no Argon2id")
    return slot


def read_masters(content, epochs, name):
    """The master secrets, by epoch, of which there must be this many."""
    wire = Wire(content, name)
    masters = wire.list(lambda: (wire.u32(), wire.id32()), SECRETS, 1)
    wire.end()
    wire.require([epoch for epoch, _ in masters] == list(range(1, epochs + 1)),
                 "epochs are not 1, 2, 3, ...")
    return dict(masters)


def check_slot_info(content, name):
    wire = Wire(content, name)
    wire.text(), wire.text()  # label, host
    wire.ns()
    wire.end()


# ---------------------------------------------------------------- packs

FOOTER = struct.Struct("<QIQI8s8s")
SPAN = 64 * KIB  # bytes beneath one entry of the checksum table


def check_pack_frame(pack, name):
    """What anyone can check without a key; returns where the sealed directory starts and ends."""
    require(72 <= len(pack) <= PACK_SIZE, name, "has a wrong size")
    directory, size, table, entries, stated, magic = FOOTER.unpack(pack[-40:])
    require(magic == b"coffre.\n", name, "footer is not one")
    covered = pack[table:-16]  # the table and the footer's first 24 bytes
    require(libraries.xxh3_64(covered) == stated, name, "checksum of the table differs")
    require(directory >= 32 and directory + size == table and
            table + 8 * entries + 40 == len(pack) and entries == -(-table // SPAN), name,
            "parts do not fill it")
    for i in range(entries):
        span = pack[i * SPAN:min((i + 1) * SPAN, table)]
        found = pack[table + 8 * i:table + 8 * i + 8]
        require(libraries.xxh3_64(span) == found, name, f"checksum of span {i} differs")
    return directory, table


UNDER_MASTER, SEALED_BOX, UNDER_CLIENT = 1, 2, 3  # wrap types

WrappedKey = collections.namedtuple("WrappedKey", "id kind cipher epoch wrap wrapped")
Block = collections.namedtuple("Block", "offset stored plain codec key depth bases chunks")


class Chunk(collections.namedtuple("Chunk", "offset size id")):
    """A chunk's place in the plaintext of its block."""

    def end(self):
        return self.offset + self.size


@dataclass
class Pack:
    """A pack as its directory describes it."""
    name: str
    session: bytes
    size: int
    directory: bytes
    kind: int = 0
    keys: list = field(default_factory=list)
    blocks: list = field(default_factory=list)

    def id(self):
        return bytes.fromhex(self.name[-32:])

    def end(self):
        """Where the last block ends."""
        return self.blocks[-1].offset + self.blocks[-1].stored if self.blocks else 32


def read_wrapped_key(wire):
    key = WrappedKey(wire.id16(), wire.choice(DATA, META), wire.choice(AES_GCM, CHACHA), wire.u32(),
                     wire.choice(UNDER_MASTER, SEALED_BOX, UNDER_CLIENT), wire.sized(WRAPPED_SIZE))
    wire.require(any(key.id), "a key id is zero")
    if key.wrap == UNDER_MASTER:
        wire.require(len(key.wrapped) == 72, "a wrapped key has a wrong size")
    return key


def read_chunks(wire, plain):
    """The chunks of a block with a plaintext of this size."""
    chunks, end = [], 0
    for _ in range(wire.varint(BLOCK_CHUNKS)):
        chunks.append(Chunk(end + wire.varint(), wire.varint(CHUNK_PLAIN), wire.id32()))
        end = chunks[-1].end()
    wire.require(chunks, "a block without chunks")
    wire.require(end <= plain, "a chunk is not within its block")
    return chunks


def check_block_key(wire, pack, number, mode):
    """A block's key is the first with its id, and there is one just when blocks are sealed."""
    wire.require((number > 0) == (mode == ENCRYPTED), "a block's key does not fit the mode")
    if number:
        key = pack.keys[number - 1]
        first = next(i for i, each in enumerate(pack.keys, 1) if each.id == key.id)
        wire.require(first == number, "a block's key is not the first with its id")
        wire.require(key.kind == pack.kind, "a block's key is of the other kind")


def read_block(wire, pack, mode):
    """A block of a pack, after those that pack.blocks has."""
    offset = pack.end() + wire.varint()
    stored, plain = wire.varint(BLOCK_STORED), wire.varint(BLOCK_PLAIN)
    wire.require(offset + stored <= pack.size, "a block is not within its pack")
    codec, key = wire.choice(RAW, COMPRESSED, DELTA), wire.varint(len(pack.keys))
    check_block_key(wire, pack, key, mode)
    depth, bases = 0, []
    if codec == DELTA:
        depth = wire.choice(*range(1, DELTA_DEPTH + 1))
        bases = wire.list(wire.id32, DELTA_BASES, 1)
    return Block(offset, stored, plain, codec, key, depth, bases, read_chunks(wire, plain))


def read_directory(pack, mode, what):
    """Fills a Pack from its directory's bytes."""
    wire = Wire(pack.directory, what)
    pack.kind = wire.choice(DATA, META)
    pack.keys = wire.list(lambda: read_wrapped_key(wire), PACK_KEYS)
    for _ in range(wire.varint(PACK_BLOCKS)):
        pack.blocks.append(read_block(wire, pack, mode))
    wire.end()
    return pack


# ---------------------------------------------------------------- bundles

def read_bundle(content, mode, what):
    """The packs of a bundle."""
    wire = Wire(unpad(content, what), what)

    def read():
        pack_id = wire.id16().hex()
        pack = Pack(f"packs/{pack_id[:2]}/{pack_id}", wire.id16(), wire.varint(PACK_SIZE),
                    wire.sized(OBJECT_SIZE))
        return read_directory(pack, mode, f"{what}, directory of {pack.name}")

    packs = wire.list(read, BUNDLE_PACKS)
    wire.end()
    return packs


# ---------------------------------------------------------------- Lists

Content = collections.namedtuple("Content", "level entries")
Entry = collections.namedtuple("Entry", "weight id")


def read_entry(wire):
    entry = Entry(wire.varint(), wire.id32())
    wire.require(entry.weight > 0, "an entry without weight")
    return entry


def read_content(wire):
    level = wire.choice(*range(CONTENT_LEVELS + 1))
    entries = wire.list(lambda: read_entry(wire), INLINE_ENTRIES, 1 if level else 0)
    wire.require(total(entries) <= U64, "a content weighs more than 64 bits")
    return Content(level, entries)


def total(entries):
    return sum(entry.weight for entry in entries)


def read_recipe(data, level, weight, what):
    """The entries of a recipe, which are of this level and weigh this much."""
    wire = Wire(data, what)
    wire.require(wire.u8() == ord("R"), "is no recipe")
    wire.require(wire.u8() == level, f"its entries are not of level {level}")
    entries = wire.list(lambda: read_entry(wire), LIST_ENTRIES, 1)
    wire.end()
    wire.require(total(entries) == weight <= U64, f"weighs {total(entries)} instead of {weight}")
    return entries


def write_recipe(level, entries):
    body = b"".join(varint(entry.weight) + entry.id for entry in entries)
    return b"R" + bytes([level]) + varint(len(entries)) + body


PIECE_SIZE = MIB  # of its nodes; the last one may be partly beyond


def cut_lists(items, identity, size=lambda item: 0):
    """Cuts where lists end; identity(item) has the 8 bytes that decide."""
    current, taken = [], 0
    for item in items:
        current.append(item)
        taken += size(item)
        ends = len(current) == LIST_ENTRIES or taken >= PIECE_SIZE
        if len(current) >= 64 and not ends:
            ends = int.from_bytes(identity(item)[:8], "little") < 1 << 56
        if ends:
            yield current
            current, taken = [], 0
    if current:
        yield current


def build_content(entries, name_of):
    """The content that a writer makes of the entries of level 0.

    The document tells it entry by entry. It comes to this: while a level has too many entries for
    a content, cut it into recipes, which are the entries of the next.
    """
    level = 0
    while len(entries) > INLINE_ENTRIES:
        entries = [Entry(total(part), name_of(write_recipe(level, part)))
                   for part in cut_lists(entries, lambda entry: entry.id)]
        level += 1
    return Content(level, entries)


# ---------------------------------------------------------------- Trees

FILE, DIRECTORY, SYMLINK, FIFO, SOCKET, CHARACTER_DEVICE, BLOCK_DEVICE = range(1, 8)
OUTPUT, CHANGED, PARTIAL, ABOVE = 1, 2, 4, 8


@dataclass
class Node:
    """One entry of a directory. Fields of other kinds of nodes keep their defaults."""
    name: bytes
    kind: int = 0
    flags: int = 0
    mode: int = 0
    owner: tuple = ()
    owner_names: tuple = ()
    mtime: tuple = ()
    ctime: tuple = ()
    inode: int = 0
    device: int = 0
    links: int = 0
    attributes: list = field(default_factory=list)
    size: int = 0
    hash: bytes = b""
    content: Content = None
    holes: list = field(default_factory=list)
    digest: bytes = b""
    target: bytes = b""
    number: int = 0
    encoded: int = 0  # bytes that it takes


def read_attributes(wire):
    attributes = wire.list(lambda: (wire.text(NAME_SIZE), wire.sized(ATTRIBUTE_VALUE)), ATTRIBUTES)
    names = [name for name, _ in attributes]
    wire.require(all(name and 0 not in name for name in names), "no name of an attribute")
    wire.require(ascending(names), "attributes are out of order")
    taken = sum(len(name) + len(value) for name, value in attributes)
    wire.require(taken <= ATTRIBUTES_SIZE, "attributes are too large")
    return attributes


def read_file_fields(wire, node):
    node.size, node.hash = wire.varint(FILE_SIZE), wire.take(16)
    node.content = read_content(wire)
    node.holes = wire.list(lambda: (wire.varint(), wire.varint()), HOLES)
    wire.require(all(size > 0 for _, size in node.holes), "an empty hole")
    wire.require(all(gap > 0 for gap, _ in node.holes[1:]), "holes that touch")
    wire.require(sum(map(sum, node.holes)) <= node.size, "a hole is not within its file")
    missing = sum(size for _, size in node.holes)
    wire.require(total(node.content.entries) + missing == node.size,
                 "content and holes do not add up to the size")


def check_flags(wire, node):
    """What the flags of a node say of the node."""
    wire.require(node.kind == FILE or not node.flags & OUTPUT, "no file, but a command's output")
    wire.require(node.kind == DIRECTORY or not node.flags & (PARTIAL | ABOVE),
                 "no directory, but flags of one")
    places = node.inode, node.device, node.links
    if node.flags & OUTPUT:
        wire.require(node.mode == 0o600 and node.mtime == node.ctime and places == (0, 0, 1),
                     "not as a command's output is")
    if node.flags & ABOVE:
        wire.require(node.mtime == node.ctime == (0, 0) and places == (0, 0, 1),
                     "not as a folder above the paths is")


def read_node(wire):
    start = wire.at
    node = Node(wire.text(NAME_SIZE))
    wire.require(node.name not in (b"", b".", b"..") and not set(node.name) & set(b"/\0"),
                 f"the forbidden name {node.name!r}")
    node.kind, node.flags = wire.choice(*range(FILE, BLOCK_DEVICE + 1)), wire.varint(15)
    node.mode = wire.varint(0o7777)
    node.owner = wire.varint((1 << 32) - 1), wire.varint((1 << 32) - 1)
    node.owner_names = wire.text(OWNER_SIZE), wire.text(OWNER_SIZE)
    node.mtime, node.ctime = wire.time(), wire.time()
    node.inode, node.device, node.links = wire.varint(), wire.varint(), wire.varint()
    check_flags(wire, node)
    node.attributes = read_attributes(wire)
    if node.kind == FILE:
        read_file_fields(wire, node)
    elif node.kind == DIRECTORY:
        node.content, node.digest = read_content(wire), wire.id32()
    elif node.kind == SYMLINK:
        node.target = wire.text(TARGET_SIZE)
        wire.require(0 not in node.target, "a target with NUL")
    elif node.kind in (CHARACTER_DEVICE, BLOCK_DEVICE):
        node.number = wire.varint()
    node.encoded = wire.at - start
    return node


def read_piece(data, what):
    wire = Wire(data, what)
    wire.require(wire.u8() == ord("T"), "is no piece of a directory")
    nodes = wire.list(lambda: read_node(wire), LIST_ENTRIES, 1)
    wire.end()
    return nodes


def content_spans(node):
    """The (offset, size) of what lies between a file's holes."""
    at = 0
    for gap, size in node.holes:
        if gap:
            yield at, gap
        at += gap + size
    if at < node.size:
        yield at, node.size - at


def digest_form(node):
    """What the digest of a directory says of one node."""
    seconds, nanoseconds = (0, 0) if node.flags & OUTPUT else node.mtime
    parts = [sized(node.name), bytes([node.kind]), varint(node.mode), *map(varint, node.owner),
             *map(sized, node.owner_names), signed(seconds), varint(nanoseconds),
             varint(len(node.attributes))]
    parts += [sized(name) + sized(value) for name, value in node.attributes]
    if node.kind == FILE:
        parts += [varint(node.size), varint(len(node.holes))]
        parts += [varint(gap) + varint(size) for gap, size in node.holes] + [node.hash]
    elif node.kind == DIRECTORY:
        parts.append(node.digest)
    elif node.kind == SYMLINK:
        parts.append(sized(node.target))
    elif node.kind in (CHARACTER_DEVICE, BLOCK_DEVICE):
        parts.append(varint(node.number))
    return b"".join(parts)


# ---------------------------------------------------------------- snapshots

@dataclass
class Snapshot:
    """A slot that holds a snapshot; of its last fields only what this reader uses."""
    id: str
    root: Node
    paths: list
    streams: list
    tags: list
    host: bytes
    time: int
    was: str  # None when it stands in no other's place


def read_snapshot(content, session, what):
    """A snapshot, from its content after the first byte."""
    wire = Wire(content, what)

    def text_list():
        return wire.list(wire.text, TEXTS)

    root = read_node(wire)
    wire.require(root.kind == DIRECTORY and root.name == b"root", "root is no directory `root`")
    paths, streams, tags = text_list(), text_list(), text_list()
    host, _user, _program = wire.text(), wire.text(), wire.text()
    time, _began, _ended = wire.ns(), wire.ns(), wire.ns()
    wire.id16(), wire.varint(), wire.id16()  # writer, sequence, previous
    wire.optional(wire.id16)  # parent
    was = wire.optional(wire.id16)
    wire.flag()
    for _ in range(12):
        wire.varint()
    failures = wire.varint()
    listed = wire.list(lambda: (wire.text(), wire.text()), FAILURES)
    wire.require(len(listed) <= failures, "lists more failures than it counts")
    point = wire.list(lambda: (wire.text(), wire.text(POINT_VALUE)), TEXTS)
    wire.require(ascending([key for key, _ in point]), "point section is out of order")
    wire.end()
    wire.require(all(path.startswith(b"/") for path in paths), "a path is not absolute")
    tops = {path.split(b"/")[1] for path in paths}
    wire.require(tops.isdisjoint(streams), "a stream has the name of a path's first component")
    return Snapshot(session, root, paths, streams, tags, host, time, was.hex() if was else None)


# ---------------------------------------------------------------- sessions

def check_session(content, name):
    wire = Wire(content, name)
    wire.text(), wire.text()  # host, boot id
    wire.varint(), wire.varint(), wire.varint()  # pid namespace, pid, start
    wire.ns()
    beat, (_, _, said) = wire.varint(), name.partition(".")
    wire.require(said == "published" or beat == int(said or 0), "states another beat than its name")
    wire.end()


# ---------------------------------------------------------------- gclog

CONDEMN, SWEEP, CHECKPOINT, WAIT = 1, 2, 3, 4


Record = collections.namedtuple("Record", "name kind packs slots")


def read_log_record(content, name):
    wire = Wire(content, name)
    kind = wire.choice(CONDEMN, SWEEP, CHECKPOINT, WAIT)
    packs, _bundles, slots = (wire.list(wire.id16, LOG_IDS) for _ in range(3))
    wire.end()
    wire.require(kind in (CHECKPOINT, WAIT) or not slots, "has slots, and no use for them")
    wire.require(kind != WAIT or not packs, "waits, and has packs")
    return Record(name, kind, set(packs), slots)


class Log:
    """What the records of the collection log, in their order, add up to: from the last checkpoint on."""

    def __init__(self, records):
        """The records, the last one first; no more are taken than count."""
        self.condemned, self.swept, self.closed = set(), set(), set()
        self.mended = False  # a repair may have put a checkpoint in the place of any record
        for record in reversed(list(self.needed(records))):
            self.add(record)

    @staticmethod
    def needed(records):
        number = None
        for record in records:
            is_next = number is None or int(record.name[-16:]) == number - 1
            require(is_next, record.name, "a record after it is missing")
            number = int(record.name[-16:])
            yield record
            if record.kind == CHECKPOINT:
                return
        require(not number, "gclog/", "the first record is missing")

    def add(self, record):
        if record.kind == CONDEMN:
            self.condemned = record.packs
        elif record.kind == SWEEP:
            require(self.mended or self.condemned.issuperset(record.packs), record.name,
                    "sweeps what was not condemned")
            self.condemned = set()
            self.swept |= record.packs
        elif record.kind == CHECKPOINT:
            self.condemned, self.mended = set(), True
            self.swept |= record.packs
            self.closed |= {slot.hex() for slot in record.slots}


# ---------------------------------------------------------------- forgets

def check_forget(content, name):
    wire = Wire(content, name)
    wire.ns()
    wire.text()
    wire.end()
