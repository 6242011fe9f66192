#!/bin/bash
# Builds the media corpus of the benchmarks out of Debian 12 packages, and changes a copy of it.
#
#   corpus.sh DIR            fill DIR/media (about 1.3 GB, 12,500 files); does nothing if complete
#   corpus.sh --change TREE  edit TREE in place, the same way every time
#
# The packages are unpacked, not installed. DIR/media.complete marks a whole corpus.
set -euo pipefail

packages=(
    supertuxkart-data openclipart-png plasma-workspace-wallpapers gnome-backgrounds
    sonic-pi-samples fluid-soundfont-gm wesnoth-1.16-music
)

build() {
    local dir=$1
    if [[ ! -e $dir/media.complete ]]; then
        rm -rf "${dir:?}/media" "$dir/packages"
        mkdir -p "$dir/media" "$dir/packages"
        # As root, apt downloads as user _apt, who may not be able to write here.
        (cd "$dir/packages" && apt-get -q -o APT::Sandbox::User=root download "${packages[@]}")
        for package in "$dir"/packages/*.deb; do
            dpkg-deb -x "$package" "$dir/media"
        done
        (cd "$dir/packages" && ls) >"$dir/media.versions"
        rm -rf "$dir/packages"
        touch "$dir/media.complete"
    fi
    find "$dir/media" -type f -printf '%s\n' |
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
    '' | -*) sed -n '2,7s/^# \?//p' "$0"; exit 2 ;;
    *) build "$1" ;;
esac
