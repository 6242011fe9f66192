#!/usr/bin/env bash
# Makes the golden repository of format v1 that has a life behind it: two keys, a second master secret, a
# snapshot that was forgotten and collected, one that is pinned, a writer that was killed, files of
# many chunks, holes and links.
#
#   tests/golden/make-lived.sh REPO_BINARY
#
# Writes beside itself: v1-lived.tar (the store), v1-lived.key and v1-lived.pass (each opens it), and
# v1-lived-expected.tar (the saved trees, folders 1 and 2, and the streams stream-1 and stream-2). When
# to run it: as make.sh.
# shellcheck source=tests/golden/lib.bash
. "$(dirname "$0")/lib.bash"
export REPO_REPOSITORY=$work/v1-lived REPO_CACHE_DIR=$work/cache REPO_KEY_FILE=$work/key

lines() { # first, last
    seq -f 'line %07g of a file that has many chunks' "$1" "$2"
}

write_tree() {
    mkdir -p tree/folder tree/many
    lines 1 4000 >tree/long
    (cd tree/many && seq -f 'file %03g' 1 150 | xargs -d '\n' touch)
    echo "two names" >tree/folder/first
    ln tree/folder/first tree/second
    mkfifo tree/pipe
    truncate -s 300000 tree/sparse
    printf 'in the middle' | dd of=tree/sparse bs=1 seek=131072 conv=notrunc status=none
    lines 20001 20500 >tree/goes-away
}

change_tree() {
    sed -i 's/^line 0002000/line 2000 is another/' tree/long
}

save() { # number of the moment
    "$repo" snapshot -q --host lived --tag "moment-$1" --time "2026-0$1-10T12:00:00Z" \
        --stream "dump.sql=cat stream-$1" tree
}

keep_expected() { # number of the moment
    mkdir -p expected
    cp -a tree "expected/$1"
    cp "stream-$1" expected/
}

# Leaves a session that nobody goes on with.
kill_a_writer() {
    # shellcheck disable=SC2016  # for the command's own shell
    "$repo" snapshot -q --stream 'deadly=until ls v1-lived/sessions/* ; do sleep 0.1; done; kill -9 $PPID' \
        2>/dev/null || true
}

# Its only snapshot is given up; what only that one needed is collected when another is there.
give_up_and_collect() {
    "$repo" forget -q --allow-many "$(cat given-up)"
    "$repo" prune -q --max-unused 0%
    "$repo" prune -q --max-unused 0%
}

new_keys() {
    echo "a passphrase for all times" >pass
    "$repo" key rekey -q --new-key-file "$work/newer-key" --drop-other-keys
    mv newer-key key
    "$repo" key add -q --new-password-file pass
}

write_tree
seq -f 'insert into t values (%g);' 1 400 >stream-1
sed 's/(7)/(8)/' stream-1 >stream-2
cp stream-1 stream-3
"$repo" init -q --chunk-size 4K
save 3
"$repo" snapshots --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])' >given-up
rm tree/goes-away
save 1
"$repo" tag -q --pin "latest@2026-01-11"
keep_expected 1
give_up_and_collect
kill_a_writer
new_keys
change_tree
save 2
keep_expected 2
"$repo" prune -q --max-unused 0%
"$repo" check -q --read-data

archive v1-lived v1-lived --format=ustar --mtime=@0
archive v1-lived-expected expected --format=posix --sparse --pax-option=delete=atime,delete=ctime
cp key "$here/v1-lived.key"
cp pass "$here/v1-lived.pass"
chmod 0644 "$here/v1-lived.key"
