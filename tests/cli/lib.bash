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
top=$work # $work may be a folder beneath, later
cd "$work"
mounts=()   # whole paths
children=() # that must not outlive the script

clean_up() {
    local i
    cd /
    for i in "${children[@]}"; do kill -KILL "$i" 2>/dev/null || true; done
    for ((i = ${#mounts[@]} - 1; i >= 0; --i)); do
        umount "${mounts[i]}" || umount -l "${mounts[i]}"
    done
    chmod -R u+rwX "$top" 2>/dev/null || true
    rm -rf "$top" || true
}
trap clean_up EXIT

# Nothing of the caller's settings or terminal reaches the program.
for variable in "${!REPO_@}"; do unset "$variable"; done
unset variable
export REPO_CACHE_DIR=$work/cache TZ=UTC LC_ALL=C
exec </dev/null

repo() { "$program" "$@"; }

# From now on the program is a copy that others may run: they may not reach the folder it was built in.
share_program() {
    chmod a+x "$top"
    cp "$program" "$top/program"
    program=$top/program
}

fail() {
    echo "FAILED: ${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*" >&2
    exit 1
}

skip() { echo "skipped: $*"; }

# The whole script: CTest is told by this code (tests/CMakeLists.txt).
skip_all() {
    skip "$*"
    exit 77
}

# wait_until SECONDS COMMAND...: asks again and again, not longer than that.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for: $*"
        sleep 0.02
    done
}

# What changed within two seconds before a snapshot is read again by the next one. Waits until that
# is past for everything that was changed so far.
wait_until_settled() {
    local until=$(($(date +%s) + 3))
    wait_until 30 eval "[ \$(date +%s) -ge $until ]"
}

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

# All there is to know about what lies beneath a folder, found without the program. Few processes: thousands of trees
# are compared.
listing() {
    (
        cd "$1"
        find . -mindepth 1 \( -type d -printf '%y %m %U %G %T@ %P\0' -o -printf '%y %m %U %G %s %T@ %P -> %l\0' \) \
            -type f -exec sha256sum -z {} + | sort -z
    ) | tr '\0\n' '\n\001'
}

# expect_same_tree EXPECTED FOUND
expect_same_tree() { expect_listed "$1" "$2" <(listing "$1"); }

# expect_listed EXPECTED FOUND FILE: as above, with what `listing` has said of the one that is expected.
expect_listed() {
    diff "$3" <(listing "$2") >"$work/difference" || {
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
    mounts+=("$(readlink -f "$1")")
}

# work_on_ext4 SIZE: goes on in a file system of its own, in memory, which takes large attributes.
# False where that is not allowed: the working folder stays what it is.
work_on_ext4() {
    local image=$work/memory/image folder=$work/ext4
    command -v mkfs.ext4 >/dev/null && mount_tmpfs "$work/memory" "$1" || return 1
    truncate -s "$1" "$image"
    mkfs.ext4 -q -F -O ea_inode -i 8192 -m 0 "$image" >/dev/null 2>&1 || return 1
    mkdir "$folder"
    mount -o loop,nodiscard "$image" "$folder" 2>/dev/null || return 1
    mounts+=("$folder")
    work=$folder
    export REPO_CACHE_DIR=$work/cache
    cd "$work"
}

# require_strace CALL PATH COMMAND...: skips the script unless strace sees the command's CALL on PATH.
require_strace() {
    local call=$1 path=$2
    shift 2
    command -v strace >/dev/null || skip_all "strace is not installed (.ci/setup tests)"
    strace -f -qq -o "$work/trace" -P "$path" -e "trace=$call" "$@" >/dev/null 2>&1 || true
    grep -q "$call" "$work/trace" || skip_all "strace cannot follow the program (try it as root)"
}

# stop_at CALL N PATH COMMAND...: starts it and returns when it has done its Nth CALL on PATH and
# stands still. Nothing else happens to it until go_on.
stop_at() {
    local call=$1 n=$2 path=$3
    shift 3
    rm -f "$work/trace"
    strace -f -o "$work/trace" -P "$path" -e "trace=$call" -e "inject=$call:signal=STOP:when=$n" \
        "$@" >"$work/out" 2>"$work/err" &
    tracer=$!
    children+=("$tracer")
    wait_until 60 eval "grep -qs 'stopped by SIGSTOP' '$work/trace' || ! kill -0 $tracer 2>/dev/null"
    # Any of its threads; all stand still.
    stopped=$(sed -n '/stopped by SIGSTOP/{s/ .*//p;q}' "$work/trace")
    [ -n "$stopped" ] || fail "ended before it was stopped at $call $n of $path: $(tail -n 3 "$work/err")"
    children+=("$stopped")
}

# go_on CODE: what was stopped goes on, and ends with it.
go_on() {
    local expected=$1 code=0
    kill -CONT "$stopped"
    wait "$tracer" || code=$?
    children=()
    [ "$code" = "$expected" ] || {
        tail -n 20 "$work/out" "$work/err" >&2
        fail "exit code $code, expected $expected, after it went on"
    }
}
