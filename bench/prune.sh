#!/usr/bin/env bash
# Measures a collection: a repository half of whose data nobody needs any more, beside restic's.
#
#   bench/prune.sh              10 GB of files that do not compress; needs 30 GB of room
#
# MEGABYTES (10240) is the size, WORK a folder with room for three times that (a new temporary one, removed
# at the end), REPO_BIN the program (build/release/cli/repo). Two snapshots: of all files, and without a random half
# of them; the first is forgotten, and what then takes time is prune with at most 5 % unused. restic is left out
# when it is not installed. The last rows: first snapshots of other files, alone and while a prune runs.
# shellcheck source=bench/lib.bash
. "$(dirname "$0")/lib.bash"

clean_up() {
    rm -rf "$work/files" "$work/other" "$work/repository" "$work/restic" "$work/cache"
    remove_own_work
}
trap clean_up EXIT
megabytes=${MEGABYTES:-10240}
export RESTIC_REPOSITORY=$work/restic RESTIC_PASSWORD=measured RESTIC_CACHE_DIR=$work/restic-cache

# make_files FOLDER MEGABYTES SEED: files of 20 KB to 2 MB.
make_files() {
    python3 - "$@" <<'PYTHON'
import os, random, sys
folder, left, draw = sys.argv[1], int(sys.argv[2]) << 20, random.Random(int(sys.argv[3]))
number = 0
while left > 0:
    size = min(draw.randint(20_000, 2_000_000), left)
    os.makedirs(f"{folder}/{number % 100}", exist_ok=True)
    with open(f"{folder}/{number % 100}/{number}", "wb") as out:
        out.write(draw.randbytes(size))
    left -= size
    number += 1
PYTHON
}

remove_half() {
    python3 - "$work/files" <<'PYTHON'
import os, random, sys
draw = random.Random(2)
for folder, _, names in sorted(os.walk(sys.argv[1])):
    for name in sorted(names):
        if draw.random() < 0.5:
            os.remove(f"{folder}/{name}")
PYTHON
}

size_of() { du -sm "$1" | cut -f 1; }

make_files "$work/files" "$megabytes" 1
"$repo" init -q
"$repo" snapshot -q "$work/files"
if command -v restic >/dev/null; then
    restic init -q
    restic backup -q "$work/files"
fi
remove_half
live=$(size_of "$work/files")
"$repo" snapshot -q "$work/files"
"$repo" forget -q latest~1
echo "needed: $live MiB of $megabytes"
cp -a "$work/repository" "$work/again"
timed "repo prune" "$repo" prune --max-unused 5%
echo "repo holds $(size_of "$work/repository") MiB"
"$repo" check
if [ -d "$work/restic" ]; then
    restic backup -q "$work/files"
    restic forget -q --keep-last 1
    timed "restic prune" restic prune -q --max-unused 5%
    echo "restic holds $(size_of "$work/restic") MiB"
fi

rm -rf "$work/repository" "$work/cache" "$work/restic"
mv "$work/again" "$work/repository"
for i in 1 2 3 4 5 6; do make_files "$work/other/$i" $((megabytes / 20)) "$((2 + i))"; done
"$repo" snapshots -q >/dev/null
for i in 1 2 3; do timed "repo snapshot of others" "$repo" snapshot -q "$work/other/$i"; done
"$repo" prune -q --max-unused 5% &
for i in 4 5 6; do timed "the same while prune runs" "$repo" snapshot -q "$work/other/$i"; done
wait
"$repo" prune -q
"$repo" check
