#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows that `read_v1.py check` notices damage.

  damage.py COPY [KEY_FILE]

Changes one byte at a time in each object of a copy of a repository, and puts it back. First as it
comes: checksums notice. Then with all checksums set right again: seals and ids must notice.
"""

import os
import sys

import format_v1 as v1
import libraries
from read_v1 import Checker, Repository, read_credential


def plain_places(data):
    """Bytes to change without mending anything: magic, version, kind, middle, end."""
    return 0, 6, 7, len(data) // 2, len(data) - 1


def mended_places(name, data, credential):
    """Bytes to change where only what lies beneath the checksums can notice."""
    if v1.kind_of(name) == v1.PACK:
        start, end = v1.check_pack_frame(data, name)
        in_block = 32 + (start - 32) // 4  # not in the padding: it is less than an eighth
        return 8, 9, 16, in_block, (start + end) // 2
    if v1.kind_of(name) == v1.KEY and v1.read_slot(data[:-8], name).kind != credential.kind:
        return 8, 16, len(data) - 9  # nobody else can read the secrets in it
    return 8, 16, len(data) // 2, len(data) - 9


def mend(name, data):
    """The same bytes with fitting checksums."""
    if v1.kind_of(name) != v1.PACK:
        return data[:-8] + libraries.xxh3_64(data[:-8])
    table = v1.FOOTER.unpack(data[-40:])[2]
    spans = (data[i:min(i + v1.SPAN, table)] for i in range(0, table, v1.SPAN))
    covered = b"".join(map(libraries.xxh3_64, spans)) + data[-40:-16]
    return data[:table] + covered + libraries.xxh3_64(covered) + data[-8:]


def damages(name, data, credential):
    """What to put in place of an object's bytes; with each, a word on it."""
    def changed(place):
        return data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1:]

    for place in plain_places(data):
        yield f"byte {place}", changed(place)
    for place in mended_places(name, data, credential):
        yield f"byte {place}, checksums mended", mend(name, changed(place))


def complaint(root, credential):
    """What check says against a repository, or None."""
    try:
        Checker(Repository(root, credential)).check()
    except (v1.Damage, v1.Refused) as problem:
        return str(problem)
    return None


def main():
    root, key_file = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    credential, count = read_credential(key_file, None), 0
    for name in filter(v1.kind_of, Repository(root, credential).all_names):
        path = os.path.join(root, name)
        with open(path, "rb") as file:
            whole = file.read()
        for where, data in damages(name, whole, credential):
            with open(path, "wb") as file:
                file.write(data)
            said = complaint(root, credential)
            if said is None:
                sys.exit(f"damage: {name}, {where}: not noticed")
            if name not in said and not said.startswith("no key slot fits"):
                sys.exit(f"damage: {name}, {where}: taken for another object's: {said}")
            count += 1
        with open(path, "wb") as file:
            file.write(whole)
    print(count)


if __name__ == "__main__":
    main()
