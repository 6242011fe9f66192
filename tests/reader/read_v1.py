#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads repositories of format version 1, written from docs/format.md alone.

  read_v1.py REPO [--key-file F | --password-file F] list
  read_v1.py REPO [...] restore SNAPSHOT TARGET    SNAPSHOT: the first digits of an id
  read_v1.py REPO [...] check
  read_v1.py selftest

It shares nothing with the program: it is there to show that the document is complete. It is slow
and keeps whole blocks in memory. format_v1.py has the sections of the document, in its order; here
is what puts them together.
"""

import argparse
import collections
import datetime
import functools
import os
import stat
import sys

import blake3 as blake3_module
import format_v1 as v1
import libraries
from blake3 import blake3
from format_v1 import DATA, ENCRYPTED, META, NONE, Damage, Refused, Wire, require, subkey


def show(name):
    """Bytes of a name or text, for a person."""
    return name.decode("utf-8", "backslashreplace")


# ---------------------------------------------------------------- objects and keys

Credential = collections.namedtuple("Credential", "kind secret")  # the kind is that of a slot

LABELS = {v1.SESSION: b"coffre-session", v1.SNAPSHOT: b"coffre-snapshot",
          v1.FORGET: b"coffre-forget", v1.LOG: b"coffre-gclog", v1.BUNDLE: b"coffre-index"}


class Store:
    """Reads single objects of a repository."""

    def __init__(self, root, credential):
        self.root = root
        body = self.read_checked("config")
        self.prefix = v1.read_prefix(body[:65])
        self.id, self.mode = self.prefix.repository_id, self.prefix.mode
        self.masters = self.unlock(credential)
        self.config = v1.read_config(v1.open_seal(
            self.mode, self.key(b"coffre-config"), self.authenticated("config", body[:65]),
            body[65:], "config"))
        pairs = (libraries.x25519_public(self.key(b"coffre-box")),
                 libraries.ed25519_public(self.key(b"coffre-sign")))
        require(pairs == (self.config.box_key, self.config.sign_key), "config",
                "public keys are not those of the master secret")

    @functools.cached_property
    def all_names(self):
        """The names of all objects, in order."""
        found = []
        for folder, _, files in os.walk(self.root):
            found += [os.path.relpath(os.path.join(folder, file), self.root) for file in files]
        return sorted(found)

    def names(self, kind):
        return [name for name in self.all_names if v1.kind_of(name) == kind]

    def read(self, name):
        """The bytes of an object, whose header fits."""
        path, kind = os.path.join(self.root, name), v1.kind_of(name)
        require(os.path.exists(path), name, "is missing")
        most = v1.PACK_SIZE if kind == v1.PACK else v1.OBJECT_SIZE
        require(os.path.getsize(path) <= most, name, "is larger than its limit")
        with open(path, "rb") as file:
            data = file.read()
        v1.check_header(data, kind, name)
        return data

    def read_checked(self, name):
        """The bytes of an object before the checksum at its end."""
        data = self.read(name)
        require(len(data) >= 16, name, "is too short")
        return v1.check_sum(data, name)

    def authenticated(self, name, clear):
        return v1.authenticated_data(v1.kind_of(name), self.id, name, clear)

    def open(self, name):
        """The content of a sealed object, and the data that its seal is bound to."""
        body = self.read_checked(name)
        clear = body[:12]
        require(clear[8:] == bytes([1, 0, 0, 0]), name, "states another epoch than 1")
        authenticated = self.authenticated(name, clear)
        key = self.key(LABELS[v1.kind_of(name)])
        return v1.open_seal(self.mode, key, authenticated, body[12:], name), authenticated

    def open_signed(self, name):
        """The content of a signed object."""
        content, authenticated = self.open(name)
        return v1.check_signature(self.config.sign_key, authenticated, content, name)

    def key(self, label):
        return subkey(self.masters[1], label)

    def unlock(self, credential):
        """The master secrets, by epoch."""
        if self.mode == NONE:
            require(not self.names(v1.KEY), "keys", "are there, but nothing is encrypted")
            return {1: self.prefix.public_master}
        if credential is None:
            raise Refused("the repository is encrypted: give --key-file or --password-file")
        slots = [(name, self.read_slot(name)) for name in self.names(v1.KEY)]
        require(len(slots) <= v1.SLOTS, "keys", "are too many")
        for name, slot in sorted(slots, key=lambda each: -each[1].epochs):
            masters = self.try_slot(name, slot, credential)
            if masters:
                return masters
        raise Refused("no key slot fits this key file or passphrase")

    def read_slot(self, name):
        return v1.read_slot(self.read_checked(name), name)

    def try_slot(self, name, slot, credential):
        """The master secrets from this slot, or None if its commitment does not fit."""
        if slot.kind != credential.kind:
            return None
        if slot.kind == v1.PASSPHRASE:
            slot_key = libraries.argon2id(credential.secret, slot.salt, slot.passes, slot.kib)
            if slot_key is None:
                raise Refused(f"{name}: Argon2id needs {slot.kib} KiB of memory")
        else:
            slot_key = subkey(credential.secret, b"coffre-key-file" + slot.salt)
        if v1.slot_commitment(slot_key, self.id, slot.prefix) != slot.commitment:
            return None
        content = v1.open_seal(ENCRYPTED, subkey(slot_key, b"coffre-slot-seal"),
                               self.authenticated(name, slot.prefix), slot.secrets, name)
        return v1.read_masters(content, slot.epochs, name)


# ---------------------------------------------------------------- chunks, lists, trees

CACHED_BLOCKS = 32

Copy = collections.namedtuple("Copy", "pack block chunk")


class Repository(Store):
    """Knows which snapshots count and where chunks are."""

    def __init__(self, root, credential):
        super().__init__(root, credential)
        self.chunk_keys = {kind: subkey(self.config.id_key, b"coffre-id-" + name)
                           for kind, name in v1.KIND_NAMES.items()}
        self.cut_key = subkey(self.config.id_key, b"coffre-id-cut")
        self.cutter = v1.Cutter(self.config.chunker_key, *self.config.sizes)
        self.packs, self.copies = {}, {DATA: {}, META: {}}
        self.session_keys, self.blocks = {}, collections.OrderedDict()
        self.load()

    def load(self):
        """Takes in the log, the forgets, the slots and the bundles."""
        self.log = v1.Log(v1.read_log_record(self.open_signed(name), name)
                          for name in reversed(self.names(v1.LOG)))
        for name in self.names(v1.FORGET):
            v1.check_forget(self.open_signed(name), name)
        slots = list(filter(None, map(self.open_slot, self.names(v1.SNAPSHOT))))
        replaced = {each.was for each in slots}
        counting = [each for each in slots if each.id not in replaced]
        self.snapshots = sorted(counting, key=lambda snapshot: snapshot.time)
        for name in self.names(v1.BUNDLE):
            for pack in v1.read_bundle(self.open(name)[0], self.mode, name):
                self.add_pack(pack, name)

    def open_slot(self, name):
        """The snapshot in a slot, or None if it is killed, forgotten or closed."""
        content, authenticated = self.open(name)
        if content[:1] == b"\0":
            body = v1.check_signature(self.config.sign_key, authenticated, content, name)
            require(len(body) == 1, name, "bytes left over")
            return None
        session = name.removeprefix("snapshots/")
        snapshot = v1.read_snapshot(content[1:], session, name)
        gone = session in self.log.closed or f"forgets/{session}" in self.all_names
        return None if gone else snapshot

    def add_pack(self, pack, bundle):
        """Takes in a pack from a bundle; more than one bundle may have it."""
        if pack.id() in self.log.swept:
            return
        known = self.packs.setdefault(pack.name, pack)
        require(known == pack, bundle, f"describes {pack.name} otherwise than another bundle")
        if known is not pack:
            return
        for block in pack.blocks:
            for chunk in block.chunks:
                self.copies[pack.kind].setdefault(chunk.id, []).append(Copy(pack, block, chunk))

    # Blocks and chunks

    def plaintext(self, pack, block):
        """The plaintext of a block, each of whose chunks has been compared with its id."""
        place, what = (pack.name, block.offset), f"{pack.name}, block at {block.offset}"
        if place not in self.blocks:
            plain = self.read_block(pack, block, what)
            for chunk in block.chunks:
                found = blake3(plain[chunk.offset:chunk.end()], self.chunk_keys[pack.kind])
                require(found == chunk.id, what, f"chunk {chunk.id.hex()} has another id")
            self.blocks[place] = plain
        self.blocks.move_to_end(place)
        if len(self.blocks) > CACHED_BLOCKS:
            self.blocks.popitem(last=False)
        return self.blocks[place]

    def read_block(self, pack, block, what):
        """Opens the seal, then decompresses."""
        with open(os.path.join(self.root, pack.name), "rb") as file:
            file.seek(block.offset)
            content = file.read(block.stored)
        require(len(content) == block.stored, what, "the pack ends early")
        if self.mode == ENCRYPTED:
            key = self.session_key(pack, block.key)
            binding = self.id + bytes([pack.kind]) + key.id
            content = v1.open_block(key.cipher, self.session_keys[key], binding, content, what)
        prefix = b"".join(self.base(pack.kind, base, block.depth) for base in block.bases)
        return v1.decompress(block.codec, content, block.plain, prefix, what)

    def session_key(self, pack, number):
        """The WrappedKey of a block, with this number in its pack's directory; unwraps it."""
        first = pack.keys[number - 1]
        same = [key for key in pack.keys if key.id == first.id and key.wrap == v1.UNDER_MASTER]
        what = f"{pack.name}, key {first.id.hex()}"
        require(same, what, "is not wrapped under a master secret")
        key = same[0]
        if key not in self.session_keys:
            require(key.epoch in self.masters, what, f"is of the unknown epoch {key.epoch}")
            master = self.masters[key.epoch]
            self.session_keys[key] = v1.open_session_key(master, self.id, key, what)
        return key

    def base(self, kind, name, depth):
        """The plaintext of a base of a delta of this depth."""
        for copy in self.copies[kind].get(name, []):
            if copy.block.depth < depth:
                return self.chunk_of(copy)
        raise Damage(f"base {name.hex()}: no copy serves a delta of depth {depth}")

    def chunk(self, kind, name):
        """The plaintext of a chunk; copies in condemned packs serve when there is no other."""
        copies = self.copies[kind].get(name)
        require(copies, f"{show(v1.KIND_NAMES[kind])} chunk {name.hex()}", "is in no pack")
        return self.chunk_of(min(copies, key=lambda copy: copy.pack.id() in self.log.condemned))

    def chunk_of(self, copy):
        return self.plaintext(copy.pack, copy.block)[copy.chunk.offset:copy.chunk.end()]

    # Lists and trees

    def leaves(self, content, what):
        """The entries of level 0 beneath a content, in order."""
        for entry in content.entries:
            if content.level == 0:
                yield entry
            else:
                below = v1.read_recipe(self.chunk(META, entry.id), content.level - 1, entry.weight,
                                       f"{what}: recipe {entry.id.hex()}")
                yield from self.leaves(v1.Content(content.level - 1, below), what)

    def chunks_of_file(self, node, what):
        """Yields the entry and the plaintext of each chunk of a file; checks the file's hash."""
        whole = libraries.Xxh128()
        for entry in self.leaves(node.content, what):
            data = self.chunk(DATA, entry.id)
            require(len(data) == entry.weight, what, f"chunk {entry.id.hex()} has another weight")
            whole.update(data)
            yield entry, data
        require(whole.digest() == node.hash, what, "hash of the file differs")

    def pieces_of_directory(self, node, what):
        """The entries of a directory's pieces and their nodes; checks order and digest."""
        entries, pieces = list(self.leaves(node.content, what)), []
        for entry in entries:
            piece = f"{what}: piece {entry.id.hex()}"
            pieces.append(v1.read_piece(self.chunk(META, entry.id), piece))
            require(len(pieces[-1]) == entry.weight, piece, "has another weight")
        nodes = [node for piece in pieces for node in piece]
        require(v1.ascending([node.name for node in nodes]), what, "names are out of order")
        digest = blake3(b"".join(v1.digest_form(node) for node in nodes))
        require(digest == node.digest, what, "digest of the directory differs")
        return entries, pieces


# ---------------------------------------------------------------- list

def time_text(ns):
    seconds, rest = divmod(ns, 10**9)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{moment.isoformat()}{f'.{rest:09}' if rest else ''}Z"


def list_snapshots(repo):
    for each in repo.snapshots:
        tags, paths = (",".join(map(show, texts)) for texts in (each.tags, each.paths))
        print(each.id, time_text(each.time), show(each.host), tags, paths, sep="\t")


# ---------------------------------------------------------------- restore

class Restorer:
    """Writes the tree of one snapshot into a new folder."""

    def __init__(self, repo):
        self.repo, self.linked = repo, {}

    def restore(self, node, path):
        """Restores a node, whatever its kind, under this path."""
        place = node.device, node.inode
        if node.kind != v1.DIRECTORY and node.links > 1:
            if place in self.linked:
                os.link(self.linked[place], path, follow_symlinks=False)
                return
            self.linked[place] = path
        if node.kind == v1.FILE:
            self.file(node, path)
        elif node.kind == v1.DIRECTORY:
            self.directory(node, path)
        elif node.kind == v1.SYMLINK:
            os.symlink(node.target, path)
        elif not self.special(node, path):
            return
        self.properties(node, path)

    def directory(self, node, path):
        os.makedirs(path, exist_ok=True)
        for piece in self.repo.pieces_of_directory(node, show(path))[1]:
            for each in piece:
                self.restore(each, os.path.join(path, each.name))

    def file(self, node, path):
        """Writes the content around the holes."""
        spans, left = v1.content_spans(node), 0
        with open(path, "xb") as file:
            file.truncate(node.size)
            for _, data in self.repo.chunks_of_file(node, show(path)):
                while data:
                    if not left:
                        offset, left = next(spans)
                        file.seek(offset)
                    part, data = data[:left], data[left:]
                    file.write(part)
                    left -= len(part)

    def special(self, node, path):
        """Makes a fifo, socket or device; false if this user may not."""
        kind = {v1.FIFO: stat.S_IFIFO, v1.SOCKET: stat.S_IFSOCK, v1.CHARACTER_DEVICE: stat.S_IFCHR,
                v1.BLOCK_DEVICE: stat.S_IFBLK}[node.kind]
        try:
            os.mknod(path, kind | 0o600, node.number)
            return True
        except PermissionError:
            print(f"read_v1: {show(path)}: only root makes devices", file=sys.stderr)
            return False

    def properties(self, node, path):
        """Owner, attributes, mode and time, in the order in which none undoes another."""
        if os.geteuid() == 0:
            os.chown(path, *node.owner, follow_symlinks=False)
        for name, value in node.attributes:
            try:
                os.setxattr(path, name, value, follow_symlinks=False)
            except OSError as error:
                print(f"read_v1: {show(path)}: {show(name)}: {error.strerror}", file=sys.stderr)
        if node.kind != v1.SYMLINK:
            os.chmod(path, node.mode)
        if not node.flags & v1.ABOVE:
            time = node.mtime[0] * 10**9 + node.mtime[1]
            os.utime(path, ns=(time, time), follow_symlinks=False)


def restore(repo, first_digits, target):
    found = [each for each in repo.snapshots if each.id.startswith(first_digits)]
    if len(found) != 1:
        raise Refused(f"{len(found)} snapshots start with {first_digits}")
    if os.path.exists(target) and os.listdir(target):
        raise Refused(f"{target} is not empty")
    Restorer(repo).restore(found[0].root, os.fsencode(target))


# ---------------------------------------------------------------- check

class Checker:
    """Reads everything that a repository holds."""

    def __init__(self, repo):
        self.repo, self.counts = repo, collections.Counter()
        self.seen_directories, self.seen_cuts, self.recipe_ids = set(), set(), {}

    def check(self):
        self.frames()
        for name in self.repo.names(v1.KEY):
            self.slot_info(name)
        for name in self.repo.names(v1.SESSION):
            v1.check_session(self.repo.open(name)[0], name)
        for name in self.repo.names(v1.PACK):
            self.pack(name)
        for snapshot in self.repo.snapshots:
            self.snapshot(snapshot)
        return self.counts

    def frames(self):
        """What needs no key, of every object."""
        for name in self.repo.all_names:
            kind = v1.kind_of(name)
            require(kind or v1.is_left_alone(name), name, "is not the name of an object")
            if kind is None:
                continue
            if kind == v1.PACK:
                v1.check_pack_frame(self.repo.read(name), name)
            elif kind == v1.PARITY:
                self.repo.read(name)
            else:
                self.repo.read_checked(name)
            self.counts["objects"] += 1
        for name in self.repo.packs:
            require(name in self.repo.all_names, name, "is in a bundle, but missing")

    def slot_info(self, name):
        slot = self.repo.read_slot(name)
        content = v1.open_seal(ENCRYPTED, self.repo.key(b"coffre-slot-info"),
                               self.repo.authenticated(name, slot.prefix), slot.info, name)
        v1.check_slot_info(content, name)

    def pack(self, name):
        """The header, the directory, which must be the one in the bundle, and all blocks."""
        repo, data, what = self.repo, self.repo.read(name), f"{name}, directory"
        start, end = v1.check_pack_frame(data, name)
        sealed = v1.open_seal(repo.mode, repo.key(b"coffre-index"),
                              repo.authenticated(name, data[:32]), data[start:end], what)
        pack = v1.Pack(name, data[16:32], len(data), v1.unpad(sealed, what))
        v1.read_directory(pack, repo.mode, what)
        require(data[8] == pack.kind and not any(data[9:16]), name, "header does not fit")
        blocks_end = v1.padme(pack.end()) if repo.mode == ENCRYPTED else pack.end()
        require(start == blocks_end, name, "blocks and padding do not end at the directory")
        require(repo.packs.get(name, pack) == pack, name, "a bundle describes it otherwise")
        for block in pack.blocks if pack.id() not in repo.log.swept else ():
            if block.bases and pack.id() in repo.log.condemned:
                continue  # its bases may have been condemned with it
            repo.plaintext(pack, block)
            self.counts["blocks"] += 1
            self.counts["chunks"] += len(block.chunks)
        self.counts["packs"] += 1

    def snapshot(self, snapshot):
        what = f"snapshots/{snapshot.id}"
        names = self.directory(snapshot.root, what, 0)
        require(names is None or names.issuperset(snapshot.streams), what,
                "a stream is not at the root")
        self.counts["snapshots"] += 1

    def directory(self, node, what, depth):
        """All beneath a directory; returns the names in it, or None if it was seen before."""
        require(depth <= v1.TREE_DEPTH, what, "is too deep")
        self.counts["directories"] += 1
        seen = node.content.level, *node.content.entries, node.digest
        if seen in self.seen_directories:
            return None
        self.seen_directories.add(seen)
        entries, pieces = self.repo.pieces_of_directory(node, what)
        nodes = [each for piece in pieces for each in piece]
        cut = v1.cut_lists(nodes, lambda each: blake3(each.name, self.repo.cut_key),
                           lambda each: each.encoded)
        require([len(piece) for piece in cut] == [len(piece) for piece in pieces], what,
                "its pieces end elsewhere than the document says")
        self.lists(node, entries, what)
        for each in nodes:
            self.node(each, f"{what}/{show(each.name)}", depth + 1)
        return {each.name for each in nodes}

    def node(self, node, what, depth):
        if node.kind == v1.DIRECTORY:
            self.directory(node, what, depth)
        elif node.kind == v1.FILE:
            self.file(node, what)
        else:
            self.counts["others"] += 1

    def file(self, node, what):
        """The hash, the cuts and the lists of a file."""
        chunks, entries = self.repo.chunks_of_file(node, what), []
        for entry, data in chunks:
            if entries:
                self.cut(*before, what, False)
            entries.append(entry)
            before = entry, data
        if entries:
            self.cut(*before, what, True)
        self.lists(node, entries, what)
        self.counts["files"] += 1
        self.counts["bytes"] += node.size

    def cut(self, entry, data, what, is_last):
        """A chunk ends at its first cut; the last one of a file may have none."""
        if (entry.id, is_last) not in self.seen_cuts:
            found = self.repo.cutter.cut(data)
            require(found == len(data) or is_last and found is None, what,
                    f"chunk {entry.id.hex()} is cut elsewhere than the document says")
            self.seen_cuts.add((entry.id, is_last))

    def lists(self, node, entries, what):
        require(v1.build_content(entries, self.recipe_id) == node.content, what,
                "its lists end elsewhere than the document says")

    def recipe_id(self, data):
        if data not in self.recipe_ids:
            self.recipe_ids[data] = blake3(data, self.repo.chunk_keys[META])
        return self.recipe_ids[data]


# ---------------------------------------------------------------- selftest

def expect(found, wanted, what):
    if found != wanted:
        raise Damage(f"selftest: {what}: {found} instead of {wanted}")


def varint_of(digits):
    """Decodes; None if it is refused."""
    try:
        wire = Wire(bytes.fromhex(digits), "selftest")
        value = wire.varint()
        wire.end()
        return value
    except Damage:
        return None


def test_wire():
    for value, digits in ((0, "00"), (-1, "01"), (1, "02"), (-2, "03"), (64, "8001")):
        expect(v1.signed(value).hex(), digits, f"signed {value}")
        expect(Wire(bytes.fromhex(digits), "selftest").signed(), value, f"signed {value}")
    for digits in ("8000", "80", "ffffffffffffffffff02", "8080808080808080808001"):
        expect(varint_of(digits), None, f"varint {digits}")
    expect(varint_of("ffffffffffffffffff01"), v1.U64, "the largest varint")
    sizes = 0, 1, 2, 9, 17, 100, 1000
    expect([v1.padme(size) for size in sizes], [0, 1, 2, 10, 18, 104, 1024], "Padme")


def xorshift(count):
    """The data of the chunker's vectors."""
    s, out = 42, bytearray()
    for _ in range(count):
        s ^= s << 13 & v1.U64
        s ^= s >> 7
        s ^= s << 17 & v1.U64
        out.append(s >> 56)
    return bytes(out)


def test_cutter():
    cutter = v1.Cutter(b"\1" * 32, 64, 256, 2048)
    expect(cutter.factors, [19207, 26571, 57465, 46557, 36063], "A1..A5")
    expect(cutter.plus, 57088, "C")
    expect(cutter.strength_key.hex(), "836bd8224e14dabc49908eb3e28e54f7", "SipHash key")
    wanted = [366, 264, 300, 427, 478, 484, 271, 98, 279, 458, 312, 326, 304, 314, 385, 406]
    data, lengths = xorshift(sum(wanted) + 2048), []
    for _ in wanted:
        lengths.append(cutter.cut(data))
        data = data[lengths[-1]:]
    expect(lengths, wanted, "lengths of chunks")


def selftest():
    expect(blake3_module.selftest(), [], "known answers that differ")
    test_wire()
    test_cutter()
    print("selftest: BLAKE3, numbers, padding and cuts agree with their known answers")


# ---------------------------------------------------------------- command line

def read_credential(key_file, password_file):
    """The secret in one of the two files; None if both are None."""
    if key_file:
        with open(key_file, "rb") as file:
            secret = file.read()
        if len(secret) != 32:
            raise Refused(f"{key_file} has not 32 bytes")
        return Credential(v1.KEY_FILE, secret)
    if password_file:
        with open(password_file, "rb") as file:
            return Credential(v1.PASSPHRASE, file.read().removesuffix(b"\n"))
    return None


def parse_arguments():
    parser = argparse.ArgumentParser(description="Reads repositories of format version 1.")
    parser.add_argument("repository", metavar="REPO")
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument("--key-file")
    secret.add_argument("--password-file")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    commands.add_parser("check")
    restoring = commands.add_parser("restore")
    restoring.add_argument("snapshot")
    restoring.add_argument("target")
    return parser.parse_args()


def run():
    if sys.argv[1:] == ["selftest"]:
        selftest()
        return
    arguments = parse_arguments()
    credential = read_credential(arguments.key_file, arguments.password_file)
    repo = Repository(arguments.repository, credential)
    if arguments.command == "list":
        list_snapshots(repo)
    elif arguments.command == "restore":
        restore(repo, arguments.snapshot, arguments.target)
    else:
        counts = Checker(repo).check()
        print("check:", ", ".join(f"{count} {what}" for what, count in counts.items()))


def main():
    sys.setrecursionlimit(8 * v1.TREE_DEPTH)
    try:
        run()
    except (Damage, Refused, OSError) as problem:
        sys.exit(f"read_v1: {problem}")


if __name__ == "__main__":
    main()
