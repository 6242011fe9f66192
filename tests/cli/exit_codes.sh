#!/usr/bin/env bash
# Each way to fail has its exit code, and a sentence on standard error that says what to do.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

# Waits for a program in the background, at most 20 s; its exit code is in `code`.
await() {
    timeout 20 tail --pid="$1" -s 0.1 -f /dev/null || {
        kill -KILL "$1"
        fail "$2"
    }
    code=0
    wait "$1" || code=$?
}

flip_byte() {
    local old
    old=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059  # an octal escape
    printf "\\$(printf %o $((old ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

expect_no_error_text() {
    if grep -qF -e "$1" err; then fail "\"$1\" in $(cat err)"; fi
}

largest_pack() { find "$1/packs" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2; }

mkdir -p src/sub
head -c 4000000 /dev/urandom >src/numbers
echo one >src/sub/one

# 2: wrong usage, before anything is touched.
expect_code 2 repo
expect_error "subcommand"
expect_code 2 repo no-such-command
expect_error "--help"
expect_code 2 repo snapshots --no-such-option
expect_error "no-such-option"
expect_code 2 repo snapshots
expect_error "no repository named: use -r FOLDER or REPO_REPOSITORY"
expect_code 2 repo restore -r somewhere
expect_error "target"
expect_code 2 repo init -r somewhere --encryption perhaps
expect_code 2 repo init -r somewhere --encryption none --chunk-size 64Q
expect_error "write 500, 64K, 10M or 2G"
expect_code 2 repo init -r somewhere --encryption none --chunk-size 96K
expect_error "a power of two from 256 to 1M"
[ ! -e somewhere ] || fail "wrong usage made a repository"

new_repository main
expect_code 2 repo snapshot src --exclude-larger-than huge
expect_error "is not a size: write"
expect_code 2 repo snapshot src --time yesterday
expect_error "is not a time: write"
expect_code 2 repo ls latest@noon
expect_error "is not a time: write"
expect_code 2 repo ls latest^1
expect_error "latest~N"
expect_code 2 repo snapshot src -e '[a-'
expect_error "is not closed"
expect_code 2 repo snapshot src --compression extreme
expect_error "off, fast, auto, better or max"
expect_code 2 repo snapshot src --stream nothing
expect_error "NAME=COMMAND"
expect_code 2 repo snapshots -p passphrase --password-command 'echo x'
expect_error "exclude each other"
expect_code 2 env REPO_PROGRESS_FPS=often "$program" snapshot src
expect_error "REPO_PROGRESS_FPS"
expect_code 2 env REPO_PROGRESS_FPS=5abc "$program" snapshot src
expect_code 2 repo snapshot src --force --skip-if-unchanged
expect_error "exclude each other"
long_text=$(head -c 70000 /dev/zero | tr '\0' t)
for option in "snapshot src --tag" "snapshot src --host" "tag latest --add" "tag latest --set"; do
    # shellcheck disable=SC2086
    expect_code 2 repo $option "$long_text"
    expect_error "at most 65536 bytes"
done
for option in "snapshot src --tag" "tag latest --add" "tag latest --set"; do
    # shellcheck disable=SC2086
    expect_code 2 repo $option ''
    expect_error "at least one character"
done
expect_code 2 repo tag latest --set a --add b
expect_code 2 repo forget latest --reason repair
expect_code 0 repo snapshots
expect_output "0 snapshots"

# 0 and 1.
expect_code 0 repo snapshot src
expect_no_error
first=$(snapshot_ids)
expect_code 2 repo restore -t out-folder -i ''
expect_error "pattern"
[ ! -e out-folder ] || fail "wrong usage made a folder"
expect_code 1 repo ls ffff
expect_error "see \`repo snapshots\`"
expect_code 1 repo cat latest:/no/such/file
expect_error "/no/such/file"
expect_code 1 repo ls latest:/no/such/folder
expect_error "see \`repo ls\`"
expect_code 2 repo snapshot
expect_error "name a path or a stream"
expect_code 2 repo snapshot --stdin-from-command
expect_error "write nothing but the command, after --"
expect_code 2 repo snapshot src --stdin-from-command -- echo hello
expect_code 1 repo ls latest@2020-01-01
expect_error "none is that old; the oldest is ${first:0:8} of 20"
for command in ls cat "restore -t out-folder"; do
    # shellcheck disable=SC2086
    expect_code 1 repo $command latest:src
done
expect_error "its paths begin with /, as in latest:$work/src"
expect_code 1 repo snapshot vanished
expect_error "none of the paths exists"
if [ -w /dev/full ]; then
    code=0
    repo cat "latest:$work/src/numbers" >/dev/full 2>err || code=$?
    expect_equal "$code" 1
    expect_error "standard output cannot be written"
fi

# 3: what can be read is saved, what cannot is named.
expect_code 3 repo snapshot vanished src
expect_error "$work/vanished: No such file"
expect_error "1 source could not be read whole; the rest is saved"
expect_code 3 repo snapshot -n src gone
! grep -q 'the rest is saved' err || fail "a dry run saves nothing"
expect_code 2 repo snapshot src --stdin-filename db.sql
repo cat "latest:$work/src/numbers" | cmp - src/numbers
expect_code 0 repo snapshots
expect_output "(incomplete)"
expect_code 0 repo forget --keep-last 1 --allow-many --dry-run
expect_output "(incomplete)"
expect_code 0 repo restore latest -q --target incomplete
expect_error "this snapshot is incomplete: 1 source could not be read whole when it was made"
if is_root; then
    skip "unreadable file: root reads everything"
else
    echo secret >src/secret && chmod 0 src/secret
    expect_code 3 repo snapshot src
    expect_error "$work/src/secret: Permission denied"
    rm -f src/secret
fi

# 10: no repository.
expect_code 10 repo snapshots -r missing
expect_error "repo init"
mkdir nothing
expect_code 10 repo check -r nothing
expect_error "repo init"
expect_error "nothing: no repository there"
expect_code 10 repo copy --from nothing
expect_error "the source (--from): nothing: no repository there"
expect_code 10 repo copy --from main -r nothing
expect_error "the destination (-r): nothing: no repository there"
# A config that is lost is no reason to make a repository over what is there.
cp -a main no-config
rm no-config/config no-config/reserve
expect_code 20 repo snapshots -r no-config
expect_error "no-config: the object \"config\" is lost"
expect_error "Bring the file \`config\` back from a copy"
expect_code 20 repo check --scrub -r no-config
expect_error "is lost"
expect_no_error_text "check --read-data"
expect_code 20 repo init -r no-config
expect_error "from a copy"
diff -r main/keys no-config/keys
if is_root; then
    skip "a folder without permission: root enters everything"
else
    mkdir -m 0 barred
    expect_code 1 repo snapshots -r barred
    expect_error "barred: cannot open the repository: Permission denied"
fi

# A repository within what it saves is left out.
mkdir -p around/inner
expect_code 0 repo -r around/inner/store init -q
touch around/inner/kept
expect_code 0 repo -r around/inner/store snapshot around
expect_error "around/inner/store: the repository is left out"
expect_code 0 repo -r around/inner/store ls latest
expect_output "around/inner/kept"
! grep -q around/inner/store out || fail "the repository is saved into itself"
expect_code 0 repo -r around/inner/store snapshot -q around
expect_no_error
ln -s around/inner by_link
expect_code 0 repo -r around/inner/store snapshot -q by_link/
expect_code 0 repo -r around/inner/store ls latest
! grep -q inner/store out || fail "the repository is saved into itself, by another name"
expect_code 0 repo init -q -r off
expect_code 0 repo copy -q -r off --from around/inner/store
expect_code 1 repo -r off restore "latest:$work/around" -t around --delete
expect_error "inner/store: is a repository: it is not deleted"
[ -e around/inner/store/config ] || fail "the repository was deleted by a restore from its copy"
rm -r around off by_link
expect_code 0 repo snapshot -n . -e "$work/main"
expect_no_error
# Numbers add up with hard links, too.
mkdir links
echo linked >links/a
ln links/a links/b
expect_code 0 repo snapshot -n links
expect_output "files     2: 1 new, 0 changed, 0 unmodified, 1 hard links to these"

expect_code 2 repo cat "latest:$work/src" file
expect_error "named twice"

# 11: cannot be used.
cp -a main newer
printf '\377' | dd of=newer/config bs=1 seek=6 conv=notrunc status=none
expect_code 20 repo snapshots -r newer # nothing else is of a later version
expect_error "config: its version is damaged"
printf '\377' | dd of=newer/config bs=1 seek=100 conv=notrunc status=none
expect_code 11 repo snapshots -r newer
expect_error "version"
expect_error "newer program"
env -u REPO_KEY_FILE "$program" init -q -r plain --encryption none
expect_code 11 repo snapshots -r plain
expect_error "not encrypted, but a key was given"

# 12: the wrong key or none.
expect_code 12 env -u REPO_KEY_FILE "$program" snapshots
expect_error "neither a passphrase nor a key file was given"
expect_error "--key-file"
expect_code 12 env -u REPO_KEY_FILE "$program" init -r another
expect_error "--encryption none"
[ ! -e another/config ] || fail "init without a key made a repository"
expect_code 12 env -u REPO_KEY_FILE REPO_PASSWORD=wrong "$program" snapshots
expect_error "Give the passphrase"
head -c 32 /dev/urandom >other.key
expect_code 12 repo snapshots --key-file other.key
expect_error "--key-file"
env -u REPO_KEY_FILE REPO_PASSWORD=right "$program" init -q -r by-passphrase
expect_code 12 env -u REPO_KEY_FILE REPO_PASSWORD=wrong "$program" check -r by-passphrase
expect_error "Give the passphrase"
expect_code 12 env -u REPO_KEY_FILE "$program" snapshots --password-command false
expect_error "password command failed"
expect_code 12 env -u REPO_KEY_FILE "$program" snapshots --password-command true
expect_error "passphrase is empty"
expect_code 12 env -u REPO_KEY_FILE "$program" snapshots -p no-such-file
expect_error "no-such-file: cannot read the passphrase"

# 20: damage is found, named, and does not spread.
cp -a main damaged
pack=$(largest_pack damaged)
flip_byte "$pack" 1000
expect_code 0 repo check -r damaged
expect_code 20 repo check -r damaged --read-data
expect_error "${pack##*/}"
expect_code 20 repo restore -r damaged "$first" -t from-damaged
expect_error "${work#/}/src/numbers"
cmp src/sub/one "from-damaged$work/src/sub/one"
[ ! -e "from-damaged$work/src/numbers" ] || fail "a damaged file was left behind"
expect_code 20 repo cat -r damaged "$first:$work/src/numbers"
expect_error "\`repo check --read-data\` lists all that is damaged"
expect_no_error_text "Nothing was changed"
rm "$pack"
expect_code 20 repo check -r damaged
expect_error "${pack##*/}: is missing"
# What may be meant and cannot be read is named; an older one is not taken for it.
cp -a main damaged-slot
slot=$(find damaged-slot/snapshots -type f -printf "%f\n" | tail -n 1)
flip_byte "damaged-slot/snapshots/$slot" 60
expect_code 20 repo restore -r damaged-slot --cache-dir slot-cache latest -t from-slot
expect_error "$slot"
[ ! -e from-slot ] || fail "something was restored"
for command in snapshots stats "tag --add x --host $(hostname)" "find x" "log $work/src" status; do
    # shellcheck disable=SC2086
    expect_code 20 repo -r damaged-slot --cache-dir slot-cache $command
    expect_error "$slot"
done

cp -a main damaged-config
flip_byte damaged-config/config 60
expect_code 20 repo snapshots -r damaged-config
expect_error "config"
expect_error "Bring the file \`config\` back from a copy"

# 21: a full disk costs nothing that was there, and room cures it.
if mount_tmpfs disk 24m; then
    (
        export REPO_REPOSITORY=$work/disk/store
        repo init -q
        expect_code 0 repo snapshot src
        head -c 8000000 /dev/urandom >disk/ballast
        mkdir large
        for i in 1 2 3 4; do head -c 5000000 /dev/urandom >large/$i; done
        expect_code 21 repo snapshot large
        expect_error "What was saved before is whole. Make room and run it again"
        expect_code 0 repo check --read-data
        expect_code 0 repo restore latest -t after-full
        expect_same_tree src "after-full$work/src"
        # To give up and to remove takes a little room, which was kept.
        dd if=/dev/zero of=disk/rest bs=4k 2>/dev/null || true
        expect_code 21 repo snapshot large
        expect_code 0 repo prune --max-unused unlimited
        rm disk/rest disk/ballast
        mount -o remount,size=64m "$work/disk"
        expect_code 0 repo snapshot large
        expect_code 0 repo check --read-data
        expect_code 0 repo restore latest -t after-room
        expect_same_tree large "after-room$work/large"
        # A pack whose needed rest finds no room elsewhere stays, and it is told.
        mkdir mixed
        head -c 5500000 /dev/urandom >mixed/stays
        head -c 1500000 /dev/urandom >mixed/goes
        expect_code 0 repo snapshot mixed
        rm mixed/goes
        expect_code 0 repo snapshot mixed
        repo forget -q latest~1
        dd if=/dev/zero of=disk/rest bs=4k 2>/dev/null || true
        expect_code 21 repo prune --max-unused 0% --json
        expect_error "partly needed packs stay as they are: make room, or run prune again"
        expect_output '"lacked_room":true'
        rm disk/rest
        expect_code 0 repo prune --max-unused 0% --json
        expect_output '"lacked_room":false'
        expect_code 0 repo check --read-data
    )
    mount_tmpfs small 1m
    expect_code 21 repo restore "latest:$work/src" -t small/one
    expect_code 0 repo snapshot large/1
    expect_code 21 repo restore latest -t small/two
    expect_error "No space left"
    expect_error "small/two: no room is left for what is to be restored"
    expect_error "Make room and run it again: until then files may be restored in part."
    expect_no_error_text "is whole"
    # The first file that finds no room is the last one that is tried.
    mkdir many
    for i in {100..399}; do head -c 20000 /dev/urandom >"many/$i"; done
    expect_code 0 repo snapshot many
    expect_code 21 repo restore "latest:$work/many" -t small/many
    expect_equal "$(grep -c "No space left" err)" 1
    for file in small/many/*; do cmp "$file" "many/${file##*/}"; done
    # So does a full cache folder: it is named.
    mount_tmpfs small-cache 100k
    expect_code 21 repo snapshot --cache-dir "$work/small-cache" many
    expect_error "cache folder $work/small-cache"
    expect_error "Make room"
else
    skip "full disk: tmpfs cannot be mounted here"
fi

# 22: a stream is whole or there is no snapshot.
before=$(snapshot_ids)
expect_code 22 repo snapshot --stdin-from-command -- sh -c 'echo half; exit 7'
expect_error "exit code 7"
expect_error "No snapshot was made."
expect_code 22 repo snapshot --stream good='echo all' --stream bad='echo half; kill -9 $$' src
expect_error "\"bad\""
expect_error "signal 9"
expect_code 22 repo snapshot --stdin-from-command -- /no/such/program
expect_error "/no/such/program"
expect_equal "$(snapshot_ids)" "$before"

# 27: a repository that is older than this machine has seen.
cp -a main older
newest=$(snapshot_ids | tail -n 1)
rm "older/snapshots/$newest"
expect_code 27 repo snapshots -r older
expect_error "$newest"
expect_error "--accept-rollback"
expect_code 20 repo check -r older
expect_error "$newest"
# What is accepted once is not missed again.
expect_code 0 repo snapshots -r older --accept-rollback
expect_code 0 repo snapshots -r older
expect_code 20 repo check -r older
expect_error "sessions/$newest.published says that it was there"
rm "older/sessions/$newest.published" # as in a copy that was made before it was published
expect_code 0 repo check -r older

# 130: a signal ends a run that waits for data; what was stored is used by the next.
mkfifo pipe
head -c 6000000 /dev/urandom >fed
before=$(snapshot_ids)
set -m
for signal in INT TERM HUP; do
    "$program" snapshot --stdin <pipe >out 2>err &
    running=$!
    exec 3>pipe
    cat fed >&3 # returns once nearly all of it was read
    kill -$signal $running
    await $running "SIG$signal does not end a snapshot that waits for its input"
    exec 3>&-
    expect_equal "$code" 130
    expect_error "No snapshot was made"
    expect_equal "$(snapshot_ids)" "$before"
done
set +m
expect_code 0 repo snapshot --stdin <fed
repo cat latest:/stdin | cmp - fed
expect_code 0 repo check --read-data

# A scrub asks for no key, and finds accidents.
(
    unset REPO_PASSWORD REPO_PASSWORD_FILE REPO_PASSWORD_COMMAND REPO_KEY_FILE
    expect_code 0 repo check --scrub
    pack=$(find main/packs -type f | head -n 1)
    printf 'x' | dd of="$pack" bs=1 seek=100 conv=notrunc status=none
    expect_code 20 repo check --scrub
    expect_error "${pack##*/}"
)
expect_code 2 repo check --scrub --read-data

# 130, too: what is said of it fits the command.
new_repository halted
for i in 1 2 3; do
    head -c 100000 /dev/urandom >"src/halted-$i"
    expect_code 0 repo snapshot -q src
done
mapfile -t packs < <(find "$work/halted/packs" -type f)
# interrupted COMMAND...: by a signal that comes when it reads a pack for the first time.
interrupted() {
    expect_code 130 strace -f -qq -o trace "${packs[@]/#/-P}" -e trace=pread64 \
        -e inject=pread64:signal=INT:when=1 "$program" --threads 1 "$@"
}
require_strace pread64 "${packs[0]}" "$program" check --read-data
interrupted restore latest -t cut-short
expect_error "Run it again, with the ID of the snapshot: until then files may be restored in part"
expect_no_error_text "No snapshot was made"
interrupted check --read-data
expect_error "Not all was looked at. What was read counts for --max-age."
interrupted repair
expect_error "Run it again: what was mended stays so."
# Whoever starts it may have chosen to ignore the signal.
(
    trap '' INT
    expect_code 0 strace -f -qq -o trace "${packs[@]/#/-P}" -e trace=pread64 \
        -e inject=pread64:signal=INT:when=1 "$program" --threads 1 check --read-data
)
echo "all as expected"
