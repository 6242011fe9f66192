#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The golden repositories, read by a reader that knows the document docs/format.md only.
#
#   tests/reader/run.sh
#
# All repositories must list, pass the reader's check, and restore to the expected trees; damage to
# any object must be noticed. Says what is wrong, then a line of counts; exit code 1 if anything is.
set -uo pipefail
cd "$(dirname "$0")" || exit
golden=../golden
export PYTHONDONTWRITEBYTECODE=1

work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
failures=0 restored=0 damages=0

fail() {
    echo "reader: $*" >&2
    failures=$((failures + 1))
}

# repository: what opens it, in $key
find_key() {
    case $1 in
        plain) key=() ;;
        encrypted) key=("$golden/v1.key") ;;
        lived) key=("$golden/v1-lived.key") ;;
    esac
}

read_v1() { # repository, its own arguments
    local key
    find_key "$1"
    python3 read_v1.py "$work/$1" ${key:+--key-file "${key[0]}"} "${@:2}"
}

unpack() { # archive, folder
    mkdir "$work/$2" &&
        tar --warning=no-timestamp -xpf "$golden/$1.tar" -C "$work/$2" || exit
}

# Kind, mode, time of change, size unless a folder's, target of a link, name: of all in a tree. Not
# of its top: make.sh changes the second one's time when it links an unchanged file.
facts() {
    find "$1" -mindepth 1 \( -type d -printf '%y %m %T@ - ' -o -printf '%y %m %T@ %s ' \) \
        -printf '%l %P\n' | LC_ALL=C sort
}

same_tree() { # expected, restored; two pipes are never the same for diff
    diff -r --no-dereference -x pipe "$1" "$2" && diff <(facts "$1") <(facts "$2")
}

check_snapshot() { # repository, id, its tag, its path
    local target="$work/out-$1-$3" moment=${3#moment-} expected=$work/expected
    [ "$1" != lived ] || expected=$work/lived-expected
    read_v1 "$1" restore "${2:0:12}" "$target" || fail "$1: $3 cannot be restored"
    same_tree "$expected/$moment" "$target$4" || fail "$1: the tree of $3 differs"
    cmp "$expected/stream-$moment" "$target/dump.sql" || fail "$1: the stream of $3 differs"
    restored=$((restored + 1))
}

check_repository() { # repository
    local id tag path count before=$restored
    while IFS=$'\t' read -r id _ _ tag path; do
        check_snapshot "$1" "$id" "$tag" "$path"
    done < <(read_v1 "$1" list)
    [ $((restored - before)) = 2 ] || fail "$1: lists $((restored - before)) snapshots, not 2"
    read_v1 "$1" check >/dev/null || fail "$1: check fails"
    local key
    find_key "$1"
    cp -r "$work/$1" "$work/damaged-$1"
    if count=$(python3 damage.py "$work/damaged-$1" "${key[@]}"); then
        damages=$((damages + count))
    else
        fail "$1: damage is not noticed"
    fi
}

unpack v1-encrypted encrypted
unpack v1-plain plain
unpack v1-lived lived
unpack v1-expected expected
unpack v1-lived-expected lived-expected
python3 read_v1.py selftest >/dev/null || fail "selftest fails"
check_repository encrypted
check_repository plain
check_repository lived
cmp <(python3 read_v1.py "$work/lived" --password-file "$golden/v1-lived.pass" list) <(read_v1 lived list) ||
    fail "lived: the passphrase shows something else"

echo "reader: $restored snapshots restored as expected, $damages damages noticed, $failures failures"
[ "$failures" = 0 ]
