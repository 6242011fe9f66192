#!/usr/bin/env bash
# From an empty folder to restored files: the commands a user runs, compared with find and sha256sum.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

odd=$'new\nline'
not_utf8=$'caf\xe9'
longest=$(printf 'x%.0s' {1..255})

make_source() {
    mkdir -p src/empty src/a/b/c
    local documents=(/usr/share/doc/[a-l]*)
    cp -a "${documents[@]:0:40}" src || true
    seq 200000 >src/a/numbers
    head -c 3000000 /dev/urandom >src/a/random
    : >src/a/nothing
    echo 1 >"src/$odd"
    echo 2 >"src/$not_utf8"
    echo 3 >src/-rf
    echo 4 >"src/$longest"
    echo 5 >'src/ blank * ? [x] \ "'
    mkdir "src/a/$not_utf8" && echo 6 >"src/a/$not_utf8/$odd"
    truncate -s 5M src/a/hole && echo end >>src/a/hole
    ln -s a/numbers src/link
    ln -s /nowhere/at/all src/dangling
    ln -s $'to\xff\n' src/odd-link
    ln -s a src/folder-link
    mkfifo src/fifo
    chmod 4751 src/a/numbers
    chmod 1777 src/empty
    chmod 0400 src/a/random
    if is_root; then chown -h 12345:54321 src/a/b src/link src/a/random; fi
    touch -d '1969-12-31 23:59:58.123456789' src/a/nothing
    touch -d '2107-01-02 03:04:05.999999999' src/-rf
    touch -h -d '2001-02-03 04:05:06.000000007' src/link
    touch -d '1999-09-09 09:09:09.987654321' src/a/b/c src/empty
}

change_source() {
    echo changed >>src/a/numbers
    chmod 4751 src/a/numbers # writing took it away
    rm src/-rf src/dangling
    mv src/a/random src/a/b/moved
    ln -sfn b src/folder-link
    echo new >src/a/b/c/new
    chmod 0700 src/empty
}

make_source
cp -a src first

# Every way to give a key, at init and later.
echo 'correct horse' >passphrase
expect_code 0 repo init -r by-file -p passphrase
expect_output "made at by-file"
expect_code 0 env REPO_PASSWORD='correct horse' "$program" init -r by-environment
expect_code 0 repo init -r by-command --password-command 'echo "correct horse"'
expect_code 0 repo init -r by-key --key-file key
expect_equal "$(stat -c '%s %a' key)" "32 600"
for store in by-file by-environment by-command; do
    expect_code 0 repo snapshots -r "$store" -p passphrase
    expect_code 0 repo snapshots -r "$store" --password-command 'cat passphrase'
    expect_code 0 env REPO_PASSWORD='correct horse' "$program" snapshots -r "$store"
    expect_code 0 env REPO_PASSWORD_FILE=passphrase "$program" snapshots -r "$store"
    expect_code 0 env REPO_PASSWORD_COMMAND='cat passphrase' "$program" snapshots -r "$store"
done
expect_code 0 repo init -r by-both -p passphrase --key-file key
expect_code 0 repo snapshots -r by-both -p passphrase
expect_code 0 repo snapshots -r by-both --key-file key
expect_code 0 repo init -r plain --encryption none
expect_code 0 repo snapshots -r plain
echo by-key >name
expect_code 0 env REPO_REPOSITORY_FILE=name REPO_KEY_FILE=key "$program" snapshots
expect_output "0 snapshots"
expect_code 1 repo init -r by-key --key-file key
expect_error "already"
mkdir full && echo 1 >full/file
expect_code 1 repo init -r full --encryption none
expect_error "not empty"
[ ! -e full/config ] || fail "init wrote into a folder that is not empty"

export REPO_REPOSITORY=$work/by-key REPO_KEY_FILE=$work/key

# A dry run leaves no trace.
listing by-key >before
expect_code 0 repo snapshot -n -vv src
expect_output "dry run: nothing was saved"
expect_error "numbers"
listing by-key >after
cmp before after || fail "a dry run changed the repository"
expect_code 0 repo snapshots
expect_output "0 snapshots"

expect_code 0 repo snapshot src --tag one
expect_output " saved"
change_source
expect_code 0 repo snapshot --json src
expect_equal "$(field files_new) $(field dry_run)" "2 False"
expect_code 0 repo snapshots
expect_output "2 snapshots"
expect_output "$work/src"
expect_output one

expect_code 0 repo ls -l latest
expect_output "-rws"
expect_output "folder-link -> b"
expect_output 'new\x0aline'
expect_output 'caf\xe9'
expect_code 0 repo ls --no-recursion "latest:$work/src/a/b"
expect_lines out "$work/src/a/b/c" "$work/src/a/b/moved"
expect_equal "$(repo ls latest | wc -l)" "$(find src -printf . | wc -c | awk -v above="$(tr -dc / <<<"$work" | wc -c)" '{ print $1 + above }')"

# Both moments come back elsewhere, everything about them compared.
expect_code 0 repo restore latest~1 -t one --privileged
expect_same_tree first "one$work/src"
expect_code 0 repo restore latest -t two --verify --privileged
expect_output "verified"
expect_same_tree src "two$work/src"
expect_code 0 repo restore "latest:$work/src" -t three --sparse --privileged
expect_same_tree src three
[ "$(stat -c %b three/a/hole)" -lt 1024 ] || fail "--sparse left no hole"
expect_code 0 repo restore "latest:$work/src/a/numbers" -t single
cmp src/a/numbers single/numbers
expect_code 0 repo restore latest -t picked -i "$work/src/a/**" -e numbers
(cd "picked$work/src" && find . -maxdepth 2 -type f | sort) >picked-files
expect_lines picked-files ./a/hole ./a/nothing

# In place: a dry run says what it would do, the real one does it.
cp -a src kept
damage() {
    printf 'X' | dd of=src/a/numbers bs=1 seek=700000 conv=notrunc status=none
    chmod 0600 "src/$odd"
    rm -r src/a/b/c "src/$not_utf8"
    rm src/link && mkdir src/link
    echo extra >src/extra && mkdir -p src/extra-folder/deep && echo extra >src/extra-folder/deep/file
    chmod 0600 src/a/b/moved && truncate -s 10 src/a/b/moved
    touch -d 2000-01-01 src/a/hole
}
damage
listing src >before
expect_code 0 repo restore --privileged "latest:$work/src" -t src --delete -n -vv
expect_output "dry run: nothing was changed"
listing src >after
cmp before after || fail "a dry run changed the target"
expect_code 1 repo restore --privileged "latest:$work/src" -t src
expect_error "a folder is in the way"
[ -e src/extra ] || fail "restore without --delete removed a file"
expect_code 0 repo restore --privileged "latest:$work/src" -t src --delete --verify
expect_same_tree kept src
expect_code 0 repo restore --privileged "latest:$work/src" -t src --delete --json
expect_equal "$(field files_restored) $(field bytes_restored) $(field files_deleted)" "0 0 0"
printf 'X' | dd of=src/a/b/moved conv=notrunc status=none 2>/dev/null || chmod 0444 src/a/b/moved
expect_code 0 repo restore --privileged "latest:$work/src" -t src # a file that its owner may not write to
expect_same_tree kept src

# What is there may be kept.
echo mine >src/a/numbers
expect_code 0 repo restore --privileged "latest:$work/src" -t src --overwrite never
expect_equal "$(cat src/a/numbers)" mine
expect_code 0 repo restore --privileged "latest:$work/src" -t src --overwrite if-newer
expect_equal "$(cat src/a/numbers)" mine
expect_code 0 repo restore --privileged "latest:$work/src" -t src --overwrite if-changed
expect_same_tree kept src

# One file, or a folder as tar.
repo cat "latest:$work/src/a/numbers" | cmp - src/a/numbers
repo cat latest "$work/src/$odd" | cmp - "src/$odd"
repo cat "latest:$work/src/$not_utf8" | cmp - "src/$not_utf8"
repo dump "latest:$work/src/a/b/moved" | cmp - src/a/b/moved
expect_code 1 repo cat "latest:$work/src/a"
repo dump "latest:$work/src" >src.tar
tar tvf src.tar >/dev/null
mkdir untarred
tar xpf src.tar --numeric-owner -C untarred
(cd untarred && find . -name numbers) >where
untarred=untarred/$(sed -n 's|/a/numbers$||p' where)
expect_same_tree src "$untarred"

# With hard links and attributes.
mkdir linked
seq 20000 >linked/one
ln linked/one linked/other
attribute() { python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "user.note").decode())' "$1"; }
if python3 -c 'import os; os.setxattr("linked/one", "user.note", b"seen\n=1")' 2>/dev/null; then
    expect_code 0 repo snapshot linked
    repo dump "latest:$work/linked" | tar xp --xattrs --xattrs-include='*' -C untarred
    [ untarred/linked/one -ef untarred/linked/other ] || fail "two files of one"
    cmp linked/one untarred/linked/other
    expect_equal "$(attribute untarred/linked/other)" $'seen\n=1'
    expect_code 0 repo forget --allow-many latest
else
    skip "attributes in tar: none can be set here"
fi

expect_code 0 repo stats
expect_output "2, "
expect_code 0 repo stats --json
expect_equal "$(field snapshots_count)" 2
expect_code 0 repo check
expect_output "no errors were found"
listing by-key >before
expect_code 0 repo check --read-data
expect_output "no errors were found"
listing by-key >after
cmp before after || fail "check changed the repository"
# Nothing changed, nothing saved. In a system folder, for the folders above it are saved too, and
# there is always somebody who changes the one for temporary files.
documents=(/usr/share/doc/*/)
if [ -d "${documents[0]}" ]; then
    expect_code 0 repo snapshot -q "${documents[0]}"
    before=$(snapshot_ids)
    expect_code 0 repo snapshot --skip-if-unchanged "${documents[0]}"
    expect_output "unchanged: no snapshot was made"
    expect_equal "$(snapshot_ids)" "$before"
else
    skip "--skip-if-unchanged: there is no /usr/share/doc"
fi

expect_code 0 repo version
expect_output "repository format 1"
expect_code 0 repo --help
for command in init snapshot snapshots ls cat dump restore check stats version; do
    expect_code 0 repo "$command" --help
    expect_output "Usage"
done
echo "all as expected"
