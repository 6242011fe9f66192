#!/usr/bin/env bash
# Builds `repo` and shows its main job on a real tree of this machine: three snapshots with a change
# between them, a restore that is compared with the source, a full check. Fails when anything differs.
#
#   bench/demo.sh [FOLDER]    default: /usr/include and /usr/share/doc
#
# Works on a copy of FOLDER in a temporary folder ($TMPDIR or /tmp), which is removed at the end. That
# needs about three times the size of FOLDER for a while.
set -euo pipefail
export LC_ALL=C

usage="usage: bench/demo.sh [FOLDER]"
case $# in
    0) sources=(/usr/include /usr/share/doc) ;;
    1) sources=("$1") ;;
    *) echo "$usage" >&2 && exit 2 ;;
esac
for source in "${sources[@]}"; do
    [ -d "$source" ] || { echo "$source is not a folder; $usage" >&2 && exit 2; }
done
mapfile -t sources < <(realpath -- "${sources[@]}")
cd "$(dirname "$0")/.."
repo=$PWD/build/release/cli/repo

work=$(mktemp -d)
clean_up() {
    chmod -R u+rwX "$work"
    rm -rf "$work"
}
trap clean_up EXIT
tree=$work/tree
restored=$work/restored

fail() {
    echo "demo failed: $*" >&2
    exit 1
}

say() { printf '\n%s\n' "$*"; }

# --- the program ---

# Shows a command's output only if it fails.
quietly() {
    "$@" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "$*"
    }
}

build() {
    quietly .ci/setup
    [ -f build/release/build.ninja ] || quietly cmake --preset release
    quietly cmake --build build/release --target repo -j "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}"
}

# --- the tree ---

copy_sources() {
    mkdir "$tree"
    cp -a -- "${sources[@]}" "$tree"
    find "$tree" ! -type f ! -type d ! -type l -delete # diff could not compare them
    # A file is taken as unchanged only when it was settled for two seconds before the last snapshot.
    sleep 3
}

# Ordinary files of some size that we may write to, in the same order every time.
some_files() {
    find "$tree" -type f -size +4k -writable -print0 | sort -z | head -z -n 60
}

# Appends to 20 files, rewrites the middle of 20 others, deletes up to 20 and adds a folder of two.
change_tree() {
    local files file i size
    mapfile -d '' files < <(some_files)
    [ ${#files[@]} -ge 3 ] || fail "${sources[*]} holds fewer than three files of more than 4 KiB"
    for i in "${!files[@]}"; do
        file=${files[i]}
        size=$(stat -c %s -- "$file")
        case $((i % 3)) in
            0) echo "one more line" >>"$file" ;;
            1) printf 'rewritten' | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc status=none ;;
            2)
                [ -e "$work/deleted" ] || {
                    deleted=$file
                    cp -- "$file" "$work/deleted"
                }
                rm -- "$file"
                ;;
        esac
    done
    mkdir "$tree/new folder"
    head -c 1000000 /dev/urandom >"$tree/new folder/new file"
    cat -- "${files[0]}" "${files[1]}" >"$tree/new folder/two known files in one"
    sleep 3
}

# --- the main job ---

# The number called $1 of the JSON summary in $2.
number() {
    grep -o "\"$1\":[0-9.e+-]*" "$2" | cut -d : -f 2
}

# Makes a snapshot and prints a row of the table; its summary is left in $work/$1.json.
snapshot() {
    local name=$1 summary=$work/$1.json
    "$repo" snapshot --json "$tree" >"$summary"
    awk -v name="$name" -v tree="$(number total_bytes_processed "$summary")" \
        -v read="$(number bytes_read "$summary")" -v new="$(number data_added "$summary")" \
        -v stored="$(number data_added_packed "$summary")" \
        -v seconds="$(number total_duration "$summary")" 'BEGIN {
            mib = 1048576
            printf "%-10s %9.1f %9.1f %12.1f %9.1f %9.2f %7.0f\n", name, tree / mib, read / mib,
                new / mib, stored / mib, seconds, tree / mib / seconds
        }'
}

# Kind, mode, owner, time, size and link target of everything beneath $1, in order of names.
list_metadata() {
    (cd "$1" && find . -mindepth 1 \( -type d -printf '%P %y %m %U:%G %T@\0' \) -o \
        -printf '%P %y %m %U:%G %T@ %s %l\0') | sort -z
}

compare_trees() {
    diff -r --no-dereference "$tree" "$restored" || fail "what was restored has other contents"
    list_metadata "$tree" >"$work/metadata.tree"
    list_metadata "$restored" >"$work/metadata.restored"
    cmp -s "$work/metadata.tree" "$work/metadata.restored" || {
        diff <(tr '\0' '\n' <"$work/metadata.tree") <(tr '\0' '\n' <"$work/metadata.restored") >&2 || true
        fail "what was restored has other modes, owners or times"
    }
}

build
unset "${!REPO_@}"
export REPO_REPOSITORY=$work/repository REPO_KEY_FILE=$work/key REPO_CACHE_DIR=$work/cache

say "Copying ${sources[*]}"
copy_sources
"$repo" init -q

say "Snapshots (MiB): what the tree holds, what was read of it, what of that was new, and stored"
printf '%-10s %9s %9s %12s %9s %9s %7s\n' "" tree read new stored seconds MiB/s
snapshot first
change_tree
snapshot changed
snapshot unchanged
[ "$(number bytes_read "$work/unchanged.json")" = 0 ] || fail "the unchanged tree was read again"
# A few entries are always new: those of the folders above the tree, whose times change.
[ "$(number data_added "$work/unchanged.json")" -lt 65536 ] || fail "the unchanged tree was stored again"
"$repo" snapshots
"$repo" stats

say "Restoring the last snapshot elsewhere, and comparing it with the tree"
"$repo" restore "latest:$tree" -t "$restored"
compare_trees
echo "equal: contents, links, modes, owners, times"

say "Getting a deleted file back from the first snapshot"
"$repo" dump "latest~2:$deleted" | cmp - "$work/deleted" || fail "$deleted came back differently"
echo "equal: ${deleted#"$tree"/}"

say "Reading every byte of the repository"
"$repo" check --read-data
say "All is well."
