#!/usr/bin/env bash
# Makes the golden repositories of format v1: what every later program must restore for ever.
#
#   tests/golden/make.sh REPO_BINARY
#
# Writes beside itself: v1-encrypted.tar and v1-plain.tar (the stores), v1.key (the key file of the
# first), v1-expected.tar (the saved trees, folders 1 and 2, and the streams stream-1 and stream-2).
# Run it only when v1 itself changed, which it may until 0.1.0 is tagged; then never again.
# shellcheck source=tests/golden/lib.bash
. "$(dirname "$0")/lib.bash"

write_tree() {
    mkdir -p tree/folder/deep "tree/empty folder"
    : >tree/empty
    echo "hello, world" >tree/folder/deep/hello
    echo "not UTF-8" >tree/$'bad \xff name'
    awk 'BEGIN { for (i = 0; i < 8000; ++i) printf "row %06d: %08x\n", i, i * 7919 }' |
        head -c 204800 >tree/text
    head -c 102400 /dev/urandom >tree/noise
    ln -s folder/deep/hello tree/link
    ln -s /nowhere/at/all tree/dangling
    chmod 0600 tree/text
    chmod 0755 tree/folder/deep/hello
    chmod 1777 "tree/empty folder"
    touch -h -d '1969-12-31 23:59:58.25 UTC' tree/folder/deep/hello
    touch -h -d '2026-01-02 03:04:05.123456789 UTC' tree/text tree/link tree/folder
}

change_tree() {
    echo "a row more" >>tree/text
    rm tree/dangling
    echo "new" >tree/folder/new
    touch -d '2026-02-03 04:05:06.000000001 UTC' tree/folder/new tree/text
}

run() { # name of the store, arguments of the program
    local key=()
    [ "$1" = v1-plain ] || key=(--key-file "$work/key")
    "$repo" -r "$1" --cache-dir "cache-$1" "${key[@]}" "${@:2}" >/dev/null
}

save() { # name of the store, number of the moment
    run "$1" snapshot --host golden --tag "moment-$2" --time "2026-0$2-10T12:00:00Z" \
        --stream "dump.sql=cat stream-$2" tree
}

# Unchanged files are stored once in the archive.
keep_expected() {
    mkdir -p expected
    cp -a --no-preserve=links tree "expected/$1"
    cp "stream-$1" expected/
}

write_tree
awk 'BEGIN { for (i = 0; i < 500; ++i) printf "insert into t values (%d);\n", i }' >stream-1
sed 's/(7)/(8)/' stream-1 >stream-2
run v1-encrypted init
run v1-plain init --encryption none
for moment in 1 2; do
    [ $moment = 1 ] || change_tree
    save v1-encrypted $moment
    save v1-plain $moment
    keep_expected $moment
done
ln -f expected/1/noise expected/2/noise

archive v1-encrypted v1-encrypted --format=ustar --mtime=@0
archive v1-plain v1-plain --format=ustar --mtime=@0
archive v1-expected expected --format=posix --pax-option=delete=atime,delete=ctime
cp key "$here/v1.key"
chmod 0644 "$here/v1.key"
