#!/usr/bin/env bash
# Measures copies into a second repository with other keys, beside restic's.
#
#   bench/copy.sh FOLDER        a folder of real files; needs five times its size of room
#
# WORK is a folder with that room (a new temporary one, removed at the end), REPO_BIN the program
# (build/release/cli/repo), ROUNDS (3) how often each is done: the medians are printed. Rows: the first copy, and one of a
# second snapshot after a hundredth of the files was touched. restic is left out when it is not installed; its second
# repository takes the first one's chunker, as its manual advises.
# shellcheck source=bench/lib.bash
. "$(dirname "$0")/lib.bash"

[ $# = 1 ] || {
    echo "usage: bench/copy.sh FOLDER" >&2
    exit 2
}
clean_up() {
    rm -rf "$work/files" "$work/repository" "$work/second" "$work/restic" "$work/restic2" "$work/kept" "$work/cache" "$work/restic-cache"
    remove_own_work
}
trap clean_up EXIT
export RESTIC_PASSWORD=measured RESTIC_FROM_PASSWORD=measured RESTIC_CACHE_DIR=$work/restic-cache

touch_some() {
    local file
    find "$work/files" -type f | sort | awk 'NR % 100 == 1' |
        while IFS= read -r file; do head -c 1000 /dev/urandom >>"$file"; done
}

# rounds NAME RESET COMMAND...: the medians of ROUNDS rows of timed.
rounds() {
    local name=$1 reset=$2 i
    shift 2
    for ((i = 0; i < ${ROUNDS:-3}; ++i)); do
        "$reset"
        timed "$name" "$@"
    done | sort -k "$(($(wc -w <<<"$name") + 1))" -n | awk '{ row[NR] = $0 } END { print row[int((NR + 1) / 2)] }'
}

new_second() {
    rm -rf "$work/second"
    "$repo" init -q -r "$work/second"
}
new_restic2() {
    rm -rf "$work/restic2"
    restic init -q -r "$work/restic2" --from-repo "$work/restic" --copy-chunker-params
}
# As it was after the first snapshot was copied.
keep() {
    rm -rf "$work/kept"
    cp -a "$1" "$work/kept"
    kept=$1
}
put_back() {
    rm -rf "$kept"
    cp -a "$work/kept" "$kept"
    "$repo" snapshots -q -r "$work/second" --accept-rollback >/dev/null
}

cp -a "$1" "$work/files"
echo "$(du -sm "$work/files" | cut -f 1) MiB in $(find "$work/files" -type f | wc -l) files"
"$repo" init -q
"$repo" snapshot -q "$work/files"
rounds "repo copy" new_second "$repo" copy -q -r "$work/second" --from "$work/repository"
if command -v restic >/dev/null; then
    restic init -q -r "$work/restic"
    restic backup -q -r "$work/restic" "$work/files"
    rounds "restic copy" new_restic2 restic copy -q -r "$work/restic2" --from-repo "$work/restic"
fi
touch_some
"$repo" snapshot -q "$work/files"
keep "$work/second"
rounds "repo copy of a day" put_back "$repo" copy -q -r "$work/second" --from "$work/repository"
if command -v restic >/dev/null; then
    restic backup -q -r "$work/restic" "$work/files"
    keep "$work/restic2"
    rounds "restic copy of a day" put_back restic copy -q -r "$work/restic2" --from-repo "$work/restic"
fi
rm -rf "$work/kept"
"$repo" check -q -r "$work/second" --read-data
