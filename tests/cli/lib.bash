# What the scripts of this folder share: a working folder of their own, and what they may expect.
# Sourced by each as its first step; "$1" is the program.
# shellcheck shell=bash

set -Eeuo pipefail
trap 'echo "FAILED: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND" >&2' ERR

[ $# = 1 ] || {
    echo "usage: bash $0 /path/to/repo" >&2
    exit 2
}
program=$(readlink -f "$1")
# Physical, so that paths in a snapshot are the same text as paths here.
work=$(readlink -f "$(mktemp -d "${TMPDIR:-/tmp}/coffre-cli.XXXXXX")")
cd "$work"
mounts=()

clean_up() {
    local mount
    for mount in "${mounts[@]}"; do umount "$mount" || true; done
    cd /
    chmod -R u+rwX "$work" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

# Nothing of the caller's settings or terminal reaches the program.
for variable in "${!REPO_@}"; do unset "$variable"; done
unset variable
export REPO_CACHE_DIR=$work/cache TZ=UTC LC_ALL=C
exec </dev/null

repo() { "$program" "$@"; }

fail() {
    echo "FAILED: ${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*" >&2
    exit 1
}

skip() { echo "skipped: $*"; }

# expect_code N COMMAND...: its output is left in $work/out and $work/err.
expect_code() {
    local expected=$1 code=0
    shift
    "$@" >"$work/out" 2>"$work/err" || code=$?
    [ "$code" = "$expected" ] || {
        tail -n 20 "$work/out" "$work/err" >&2
        fail "exit code $code, expected $expected: $*"
    }
}

# The last command's standard output (error) holds this text.
expect_output() { expect_text "$work/out" "$1"; }
expect_error() { expect_text "$work/err" "$1"; }
expect_text() {
    grep -qF -e "$2" "$1" || {
        tail -n 20 "$1" >&2
        fail "no \"$2\" in ${1##*/}"
    }
}

expect_no_output() { [ ! -s "$work/out" ] || fail "unexpected on standard output: $(head -c 400 "$work/out")"; }
expect_no_error() { [ ! -s "$work/err" ] || fail "unexpected on standard error: $(head -c 400 "$work/err")"; }

expect_equal() { [ "$1" = "$2" ] || fail "\"$1\", expected \"$2\""; }

# The file's lines are these, in any order.
expect_lines() {
    local file=$1
    shift
    diff <(sort "$file") <(printf '%s\n' "$@" | sort) >&2 || fail "the lines of ${file##*/} differ"
}

# All there is to know about what lies beneath a folder, found without the program.
listing() {
    (
        cd "$1"
        find . -mindepth 1 -type d -printf '%y %m %U %G %T@ %P\0' | sort -z
        find . -mindepth 1 ! -type d -printf '%y %m %U %G %s %T@ %P -> %l\0' | sort -z
        find . -type f -print0 | sort -z | xargs -0 -r sha256sum -z --
    ) | tr '\0\n' '\n\001'
}

# expect_same_tree EXPECTED FOUND
expect_same_tree() {
    diff <(listing "$1") <(listing "$2") >"$work/difference" || {
        head -n 20 "$work/difference" | cat -v >&2
        fail "$2 differs from $1"
    }
}

# A repository with a key file, which the following commands use.
new_repository() {
    export REPO_REPOSITORY=$work/$1 REPO_KEY_FILE=$work/$1.key
    repo init -q
}

# field NAME: of the JSON document in $work/out (of its last line).
field() { tail -n 1 "$work/out" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# The full ids of all snapshots, oldest first.
snapshot_ids() { repo snapshots --json | python3 -c 'import json, sys; [print(s["id"]) for s in json.load(sys.stdin)]'; }

is_root() { [ "$(id -u)" = 0 ]; }

# mount_tmpfs FOLDER SIZE: false where that is not allowed.
mount_tmpfs() {
    mkdir -p "$1"
    is_root && mount -t tmpfs -o "size=$2" tmpfs "$1" 2>/dev/null || return 1
    mounts+=("$1")
}
