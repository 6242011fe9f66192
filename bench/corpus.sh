#!/bin/bash
# Builds the corpora of the benchmarks, and changes a copy of one.
#
#   corpus.sh DIR [KIND]     fill DIR/KIND; does nothing if it is complete
#   corpus.sh --change TREE  edit TREE in place, the same way every time
#
# media   images, music and models of Debian 12 packages: about 1.3 GB, 12,500 files (the default)
# source  the Linux source of Debian 12: about 1.3 GB, 78,600 small files
# sql     a dump of a database, 500 MB
# large   one file of 10 GB that does not compress
#
# Packages are unpacked, not installed. DIR/KIND.complete marks a whole corpus.
set -euo pipefail

packages=(
    supertuxkart-data openclipart-png plasma-workspace-wallpapers gnome-backgrounds
    sonic-pi-samples fluid-soundfont-gm wesnoth-1.16-music
)

# As root, apt downloads as user _apt, who may not be able to write here.
download() {
    mkdir -p "$1"
    (cd "$1" && apt-get -q -o APT::Sandbox::User=root download "${@:2}")
}

build_media() {
    local package
    download "$1.packages" "${packages[@]}"
    for package in "$1".packages/*.deb; do dpkg-deb -x "$package" "$1"; done
    (cd "$1.packages" && ls) >"$1.versions"
    rm -rf "$1.packages"
}

build_source() {
    download "$1.packages" linux-source-6.1
    dpkg-deb --fsys-tarfile "$1".packages/*.deb | tar -xO ./usr/src/linux-source-6.1.tar.xz | tar -xJ -C "$1"
    (cd "$1.packages" && ls) >"$1.versions"
    rm -rf "$1.packages"
}

build_sql() {
    python3 "$(dirname "$0")/sql_dump.py" >"$1/day0.sql"
}

build_large() {
    head -c 10000000000 /dev/zero | openssl enc -aes-256-ctr -K 00 -iv 00 >"$1/video.bin" 2>/dev/null
}

build() {
    local dir=$1 kind=$2
    if [[ ! -e $dir/$kind.complete ]]; then
        rm -rf "${dir:?}/$kind" "$dir/$kind.packages"
        mkdir -p "$dir/$kind"
        "build_$kind" "$dir/$kind"
        touch "$dir/$kind.complete"
    fi
    find "$dir/$kind" -type f -printf '%s\n' |
        awk '{ bytes += $1 } END { printf "%d files, %.0f bytes\n", NR, bytes }'
}

# Appends a byte to 50 files, rewrites 4 KiB in the middle of 200 others, removes 50 others and
# adds 100 new ones of 1 KiB to 1 MiB; in a tree of fewer than 1,000 files proportionally fewer.
change() {
    python3 - "$1" <<'PYTHON'
import os, random, sys

tree = os.fsencode(sys.argv[1])
rng = random.Random(20240229)
files = sorted(path for folder, _, names in os.walk(tree)
               for path in (os.path.join(folder, name) for name in names)
               if os.path.isfile(path) and not os.path.islink(path))
scale = min(1.0, len(files) / 1000)

def some(count, suitable=lambda path: True):
    """Draws `count` files, each drawn once only."""
    pool = [path for path in files if suitable(path)]
    chosen = rng.sample(pool, min(len(pool), round(count * scale)))
    taken = set(chosen)
    files[:] = [path for path in files if path not in taken]
    return chosen

rewritten = some(200, lambda path: os.path.getsize(path) >= 12288)
for path in rewritten:
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2 - 2048)
        file.write(rng.randbytes(4096))
appended = some(50)
for path in appended:
    with open(path, "ab") as file:
        file.write(rng.randbytes(1))
removed = some(50)
for path in removed:
    os.remove(path)
added = round(100 * scale)
folder = os.path.join(tree, b"added")
os.makedirs(folder)
for number in range(added):
    with open(os.path.join(folder, b"%03d.bin" % number), "wb") as file:
        file.write(rng.randbytes(rng.randrange(1 << 10, 1 << 20)))
print(f"changed: {len(appended)} appended, {len(rewritten)} rewritten, "
      f"{added} added, {len(removed)} removed")
PYTHON
}

case ${1:-} in
    --change) change "${2:?corpus.sh --change TREE}" ;;
    '' | -*) sed -n '2,13s/^# \?//p' "$0"; exit 2 ;;
    *)
        case ${2:-media} in
            media | source | sql | large) build "$1" "${2:-media}" ;;
            *) echo "corpus.sh: no such kind: $2" >&2; exit 2 ;;
        esac
        ;;
esac
