#!/usr/bin/env bash
# Keys: listed, added, removed, exchanged, all of them after a leak; interrupted anywhere, by two at
# once; and no secret is shown to anybody.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

work_on_ext4 1G || true # not needed, but fast

# use NAME: the repository of the following commands, which has a cache of its own.
use() {
    export REPO_REPOSITORY=$work/$1 REPO_CACHE_DIR=$work/$1.cache
    unset REPO_KEY_FILE
}

with() { repo --key-file "$@"; } # with KEYFILE COMMAND...
typed() { # typed PASSPHRASE COMMAND...
    local passphrase=$1
    shift
    REPO_PASSWORD=$passphrase "$program" "$@"
}

# The ids of the keys, as whoever may list them sees them.
key_ids() { "$@" key list --json | python3 -c 'import json, sys; [print(k["id"]) for k in json.load(sys.stdin)]'; }
# query EXPRESSION: of the list `keys` in $work/out.
query() { python3 -c 'import json, sys; keys = json.load(open("out")); print(eval(sys.argv[1]))' "$1"; }
slots() { (cd "$REPO_REPOSITORY/keys" && sha256sum -- *); }

expect_refused() { # expect_refused COMMAND...: the key is wrong, whatever the command
    expect_code 12 "$@"
    expect_no_output
}

mkdir src
seq 50000 >src/numbers
passphrase='correct horse battery 7391'
echo "$passphrase" >passphrase

# Made by two at once, with one key file that is not there yet.
for round in {1..10}; do
    use "raced-$round"
    race() { repo init -q --key-file "raced-$round.key" 2>"$1" || true; }
    race other &
    race err
    wait $! || true
    expect_equal "$(sort other err | grep -c 'there is a repository already')" 1
    expect_code 0 with "raced-$round.key" check
done

# Listed, added, removed.
use store
expect_code 0 repo init -q -p passphrase
expect_code 0 repo -p passphrase snapshot -q src
expect_code 0 repo -p passphrase key list
expect_output "* opened the repository just now"
expect_output "passphrase"
expect_code 0 repo -p passphrase key list --json
expect_no_error
expect_equal "$(query 'len(keys), keys[0]["kind"], keys[0]["kdf_passes"], keys[0]["kdf_memory_kib"], keys[0]["epochs"], keys[0]["current"], keys[0]["outdated"]')" \
    "(1, 'passphrase', 3, 65536, 1, True, False)"
expect_equal "$(query 'keys[0]["hostname"]')" "$(hostname)"
first=$(query 'keys[0]["id"]')
expect_equal "$first" "$(ls store/keys)"

expect_code 0 repo -p passphrase key add --new-key-file made.key --label $'nightly \e[31mjob\xff'
expect_output "key "
expect_output " added"
expect_equal "$(stat -c '%s %a' made.key)" "32 600"
expect_code 0 with made.key key list
expect_output 'nightly \x1b[31mjob\xff'
expect_output "key file"
expect_code 0 with made.key key list --json
expect_equal "$(query 'keys[1]["kind"], keys[1]["current"], keys[1]["label_b64"]')" "('key_file', True, 'bmlnaHRseSAbWzMxbWpvYv8=')"
made=$(query 'keys[1]["id"]')

# Short ones are taken, with a warning; also as a document.
echo sesame >short
expect_code 0 with made.key key add --new-password-file short
expect_error "short enough to be guessed"
expect_code 0 with made.key --json key add --new-password-command 'echo sesame 2'
python3 - <<'PYTHON' || fail "not the documents that were expected: $(cat out err)"
import json
(added,), (warning,) = ([json.loads(line) for line in open(name)] for name in ("out", "err"))
assert added["message_type"] == "key" and added["done"] == "added" and len(added["id"]) == 32, added
assert warning["message_type"] == "warning" and "guessed" in warning["message"], warning
PYTHON
expect_code 0 typed sesame key list
expect_code 0 typed 'sesame 2' key list
expect_equal "$(key_ids with made.key | wc -l)" 4

# A dry run removes nothing; the current key goes only by force; what is removed opens nothing.
third=$(key_ids with made.key | sed -n 3p)
slots >before
expect_code 0 with made.key key remove -n "$third"
expect_output "would be removed"
expect_code 0 with made.key key remove -n "$third" --json
expect_equal "$(field "done") $(field id)" "would be removed $third"
expect_code 1 with made.key key remove "${made:0:8}"
expect_error "the one that you opened the repository with"
expect_code 1 with made.key key remove none
expect_error 'no key "none"'
expect_code 1 with made.key key remove ''
expect_code 2 with made.key key remove
slots | cmp - before || fail "a refused removal changed the keys"
expect_code 0 with made.key key remove "${third:0:8}"
expect_output "key ${third:0:8} removed"
expect_refused typed sesame key list
expect_code 0 with made.key key remove "$first" --json
expect_equal "$(field message_type) $(field id)" "key $first"
expect_refused repo -p passphrase key list
expect_code 0 with made.key key remove --force "$made"
expect_refused with made.key key list
last=$(key_ids typed 'sesame 2')
for force in '' --force; do
    expect_code 1 typed 'sesame 2' key remove ${force:+"$force"} "$last"
    expect_error "is the last one"
done
expect_equal "$(ls store/keys)" "$last"

# A key file that is a key already is not added once more.
expect_code 0 typed 'sesame 2' key add --new-key-file twice.key
slots >before
expect_code 1 typed 'sesame 2' key add --new-key-file twice.key
expect_error "twice.key: is a key of this repository already"
slots | cmp - before || fail "a refused key was added"
expect_code 0 typed 'sesame 2' key remove "$(key_ids typed 'sesame 2' | tail -n 1)"

# A key file that is not there hides no passphrase, whatever slot is tried first; alone it is named.
for i in 1 2 3 4; do expect_code 0 typed 'sesame 2' key add -q --new-key-file "further-$i.key"; done
expect_code 0 typed 'sesame 2' --key-file gone.key key list
expect_refused typed 'sesame 3' --key-file gone.key key list
expect_error "the passphrase opens no key slot"
expect_error "gone.key: no such key file"
expect_refused with gone.key key list
expect_error "gone.key: no such key file"
for id in $(key_ids typed 'sesame 2' | tail -n 4); do expect_code 0 typed 'sesame 2' key remove "$id"; done

# What this machine has seen encrypted stays so, whatever became of the file that says it.
for mark in "$REPO_CACHE_DIR"/encrypted/*; do echo ZZZZ >"$mark"; done
expect_code 0 typed 'sesame 2' key list
# Nor is it forgotten by an init without encryption that is refused, as the config is lost.
mkdir files
find store -maxdepth 1 -type f -exec mv -t files {} +
expect_code 20 repo init -q --encryption none
mv files/* store
rmdir files
mv store aside
expect_code 0 env REPO_CACHE_DIR="$work/no.cache" "$program" init -q --encryption none
expect_code 11 repo snapshots
expect_error "an encrypted repository was seen here before"
rm -r store no.cache
# Nor need anybody have opened it since it was made.
expect_code 0 repo --key-file made.key init -q
rm -r store
expect_code 0 env REPO_CACHE_DIR="$work/no.cache" "$program" init -q --encryption none
expect_code 11 repo snapshots
expect_error "an encrypted repository was seen here before"
rm -r store no.cache made.key
mv aside store

# Put in the place of the one in use. What it was opens nothing, other keys stay.
expect_code 0 typed 'sesame 2' key add --new-key-file other.key
expect_code 0 typed 'sesame 2' key passwd --new-password-file passphrase --label mine
expect_output "is in the place of the one you used"
expect_refused typed 'sesame 2' key list
expect_code 0 repo -p passphrase key list --json
expect_equal "$(query 'sorted((k["label"], k["kind"], k["current"]) for k in keys)')" "[('', 'key_file', False), ('mine', 'passphrase', True)]"
expect_code 0 with other.key restore latest -t out-of-other

# Ways to give no new key, one that is known, or more than one; nothing changes.
: >empty
slots >before
expect_code 1 with other.key key add --new-password-file passphrase
expect_error "is a key of this repository already"
expect_code 1 with other.key key passwd --new-key-file other.key
expect_error "is a key of this repository already"
printf another >another
expect_code 2 with other.key -p passphrase key passwd --new-password-file another
expect_error "give only the one that is to be replaced"
expect_code 2 with other.key key add
expect_error "no new key"
expect_code 2 with other.key key add --new-password-file empty
expect_error "the passphrase is empty"
expect_code 2 with other.key key passwd --new-password-command true
expect_code 2 with other.key key add --new-password-file passphrase --new-key-file new.key
expect_error "one new key at a time"
expect_code 2 with other.key key rekey --drop-other-keys --recovery --new-key-file new.key
expect_error "one new key at a time"
expect_no_output
expect_code 1 with other.key key add --new-password-file missing
expect_code 1 with other.key key add --new-password-command false
expect_code 2 with other.key key add --kdf weak --new-password-file passphrase
expect_code 2 with other.key key
slots | cmp - before || fail "a wrong command changed the keys"
[ ! -e new.key ] || fail "a key file was made for a wrong command"

# Wrong passphrases and key files.
expect_refused typed '' key list
expect_error "the passphrase is empty"
expect_refused repo -p empty key list
expect_refused typed 'correct horse battery 7392' key list
expect_error "the passphrase opens no key slot of this repository"
expect_refused typed "$passphrase " key list
expect_refused repo key list
expect_error "neither a passphrase nor a key file was given"
expect_refused with missing.key key list
expect_error "missing.key: no such key file"
for size in 0 31 33 4096 100000; do
    head -c "$size" /dev/urandom >odd.key
    expect_refused with odd.key key list
    expect_error "odd.key: not a key file: it must hold 32 bytes"
    expect_refused with other.key key add --new-key-file odd.key
done
head -c 32 /dev/urandom >odd.key
expect_refused with odd.key key list
expect_error "the key file opens no key slot of this repository"
expect_code 12 with src key list
slots | cmp - before || fail "a wrong key changed the keys"

# A key for the safe: typed back as people type, and told from a wrong passphrase when mistyped.
expect_code 0 with other.key key add --recovery --quiet
expect_no_error
recovery=$(sed -n 's/^recovery key  //p' out)
expect_equal "$(wc -l <out) ${recovery//[A-Z0-9]/x}" "1 xxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxx"
lower=$(tr 'A-Z\-01' 'a-z oi' <<<"$recovery")
expect_code 0 typed "$recovery" key list
expect_output "recovery key"
expect_code 0 typed "$lower" key list
expect_code 0 typed "${recovery//-/}" key list
expect_code 0 typed "  ${recovery//-/ - } " key list
case ${recovery:0:1} in A) wrong=B${recovery:1} ;; *) wrong=A${recovery:1} ;; esac
expect_refused typed "$wrong" key list
expect_error "there is a typing mistake in it"
expect_refused typed "${recovery%?}" key list
# Added again from the paper.
expect_code 0 typed "$lower" key remove --force "$(key_ids typed "$lower" | tail -n 1)"
expect_refused typed "$lower" key list
printf '%s\n' "$lower" >from-paper
expect_code 0 with other.key key add --new-password-file from-paper
expect_code 0 typed "$recovery" key list
# It is shown before anything is changed: nobody is left with a key that he has not seen.
slots >before
for command in "add" "passwd" "rekey --drop-other-keys"; do
    code=0
    # shellcheck disable=SC2086
    with other.key key $command --recovery >/dev/full 2>err || code=$?
    expect_equal "$code" 1
    slots | cmp - before || fail "key $command: a recovery key that could not be shown is in use"
done
expect_code 0 with other.key key add --recovery --json
python3 - <<'PYTHON' || fail "not the documents that were expected: $(cat out)"
import json
shown, added = [json.loads(line) for line in open("out")]
assert shown["message_type"] == "recovery_key" and len(shown["recovery_key"]) == 34, shown
assert added["message_type"] == "key" and "recovery_key" not in added, added
PYTHON

# A new master secret.
use leaked
expect_code 0 repo init -q --key-file old.key
expect_code 0 with old.key key add -q --new-key-file friend.key
expect_code 0 with old.key snapshot -q --tag before src
cp -a leaked/keys old-keys
slots >before
expect_code 2 with old.key key rekey --new-key-file new.key
expect_error "--drop-other-keys"
expect_code 2 with old.key key rekey --drop-other-keys
expect_error "no new key"
slots | cmp - before || fail "a refused rekey changed the keys"
expect_code 0 with old.key key rekey --drop-other-keys --new-key-file new.key
expect_output "opens the new master secret"
for key in old.key friend.key; do expect_refused with "$key" snapshots; done
seq 60000 100000 >src/later
expect_code 0 with new.key snapshot -q --tag after src
expect_code 0 with new.key key list --json
expect_equal "$(query '[(k["epochs"], k["current"]) for k in keys]')" "[(2, True)]"
expect_code 0 with new.key restore --tag before -t before-leak --verify
expect_code 0 with new.key restore --tag after -t after-leak --verify
cmp src/numbers "before-leak$work/src/numbers"
expect_same_tree src "after-leak$work/src"
expect_code 0 with new.key check --read-data
# Added again, and a second time drawn; the only key needs no consent, and may stay the same.
expect_code 0 with new.key key add -q --new-key-file friend.key
expect_code 0 with friend.key restore --tag after -t by-friend --verify
expect_code 0 with friend.key key remove "$(key_ids with new.key | sed -n 1p)"
expect_code 0 with friend.key key rekey --new-key-file friend.key
expect_error "is one that there was before"
expect_code 0 with friend.key key list --json
expect_equal "$(query '[k["epochs"] for k in keys]')" "[3]"
expect_code 0 with friend.key check --read-data
# A slot of before that comes back opens nothing, and is named and removable.
cp -n old-keys/* leaked/keys
expect_refused with old.key snapshots
expect_error "new master secret"
expect_code 0 with friend.key key list
expect_output "(outdated: opens nothing new)"
expect_code 0 with friend.key key list --json
expect_equal "$(query '[(k["epochs"], k["outdated"]) for k in keys]')" "[(1, True), (1, True), (3, False)]"
expect_code 1 with friend.key key remove --force "$(key_ids with friend.key | tail -n 1)"
expect_error "is the last one"
for id in $(key_ids with friend.key | sed -n 1,2p); do expect_code 0 with friend.key key remove "$id"; done
# Whoever kept the old slots, and sees the repository now, reads what was stored before and nothing
# of what was stored since but that it was. To a machine that saw the new secret it is a step back.
mkdir held
cp -a leaked held/leaked
rm held/leaked/keys/*
cp -a old-keys/* held/leaked/keys
expect_code 27 with old.key -r held/leaked snapshots
REPO_CACHE_DIR=$work/held.cache
expect_code 0 with old.key -r held/leaked snapshots
expect_output after
expect_code 0 with old.key -r held/leaked restore --tag before -t held-before --verify
cmp src/numbers "held-before$work/src/numbers"
code=0
with old.key -r held/leaked restore --tag after -t held-after >out 2>err || code=$?
[ "$code" != 0 ] || fail "an old key read what was stored after the rekey"
expect_error "master secret of epoch"
[ ! -e "held-after$work/src/later" ] || fail "an old key read what was stored after the rekey"

# Not encrypted: there are no keys.
use open
expect_code 2 repo init -q --encryption none --key-file none.key
expect_error "has no key"
expect_code 2 repo init -q --encryption none --password-command 'echo a'
expect_code 0 repo init -q --encryption none
expect_code 11 repo key list
expect_error "it has no keys"
for command in add passwd rekey; do expect_code 11 repo key $command --new-key-file none.key; done
[ ! -e none.key ] || fail "a key file was made for a repository without keys"

# Several at once.
use shared
expect_code 0 repo init -q --key-file shared.key
adding=()
for i in 1 2 3 4; do
    with shared.key key add -q --new-key-file "added-$i.key" &
    adding+=("$!")
done
for process in "${adding[@]}"; do wait "$process"; done
expect_equal "$(key_ids with added-3.key | wc -l)" 5
for i in 1 2 3 4; do expect_code 0 with "added-$i.key" snapshots; done

# No secret is shown: not by a wrong passphrase and all that can be said about it, ...
use secret
expect_code 0 repo init -q -p passphrase --key-file secret.key
wrong='tell nobody 4711'
echo "$wrong" >wrong
for arguments in "-p wrong" "--password-command cat\ wrong" "" "--key-file wrong"; do
    for command in snapshots "key list" "snapshot src" "restore latest -t x" "check" "key add --recovery"; do
        # shellcheck disable=SC2086
        eval "REPO_PASSWORD=\$wrong repo -vv --json $arguments $command" >>said 2>&1 && fail "opened by a wrong key"
        eval "REPO_PASSWORD=\$wrong repo -vv $arguments $command" >>said 2>&1 && fail "opened by a wrong key"
    done
done
[ "$(wc -l <said)" -ge 48 ] || fail "too little was said"
if grep -aqF "$wrong" said; then fail "a wrong passphrase is shown: $(grep -aF "$wrong" said | sed -n 1p)"; fi

# ... nor to the commands whose output is saved, which get neither passphrase nor open files, ...
mkfifo go
export REPO_PASSWORD=$passphrase REPO_PASSWORD_FILE=$work/passphrase REPO_PASSWORD_COMMAND="cat '$work/passphrase'"
expect_code 0 repo snapshot -q --stream environment='cat /proc/self/environ' \
    --stream files='ls -l /proc/self/fd'
repo dump latest:/environment | tr '\0' '\n' >environment
grep -q "^REPO_REPOSITORY=" environment || fail "the command has not even an environment"
if grep -q ^REPO_PASSWORD environment; then fail "the command of a stream gets the passphrase"; fi
if repo dump latest:/files | grep -F "$work/secret"; then fail "the command of a stream gets open files"; fi
expect_code 0 repo snapshot -q --stdin-from-command -- cat /proc/self/environ
if repo dump latest:/stdin | grep -aq "REPO_PASSWORD"; then fail "the command gets the passphrase"; fi

# ... nor to other users, nor left behind: the process cannot be looked into, and leaves no core
# file, though a program that does not care would.
cat >hold.py <<'PYTHON'
import os, resource, signal, subprocess, sys

secret, user, repo = sys.argv[1].encode(), int(sys.argv[2]), sys.argv[3:]
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

def dumped_core(command, ready):
    others = {} if user == os.geteuid() else {"user": user, "group": user, "extra_groups": []}
    process = subprocess.Popen(command, cwd="cores", **others)
    ready(process.pid)
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    return os.WCOREDUMP(status)

def look(pid):
    # Returns when the stream's command reads: the repository is open, the keys are in memory.
    with open("go", "wb"):
        pass
    arguments = open(f"/proc/{pid}/cmdline", "rb").read()
    assert secret not in arguments, arguments
    assert b"hold.py" not in arguments
    owner = os.stat(f"/proc/{pid}/mem").st_uid
    assert owner == 0, f"/proc/{pid}/mem belongs to {owner}"
    if os.geteuid() != 0:  # root may look at everything
        for name in ("environ", "mem", "maps"):
            try:
                open(f"/proc/{pid}/{name}", "rb").read(1)
                sys.exit(f"/proc/{pid}/{name} can be read")
            except PermissionError:
                pass

if not dumped_core(["sleep", "100"], lambda pid: None):
    print("skipped: this system writes no core files")
assert not dumped_core(repo, look), "a core file was written"
PYTHON
hold() { # as the user of this number
    timeout 60 python3 hold.py "$passphrase" "$1" "$program" \
        snapshot --stream held="cat '$work/go'; while echo more; do sleep 0.1; done" 2>/dev/null
}
mkdir -m 777 cores
hold "$(id -u)" || fail "the process is not guarded"
if is_root; then
    # As somebody to whom an unguarded process would belong.
    chmod a+x "${work%/*}" "$work"
    chown -R 65534:65534 secret secret.cache passphrase go
    share_program
    hold 65534 || fail "the process of an ordinary user is not guarded"
fi
unset "${!REPO_PASSWORD@}"
expect_code 0 repo -p passphrase check

# What follows needs a program that can be stopped and killed where that is wanted.
use shared
require_strace linkat "$work/shared" "$program" --key-file shared.key key add --new-key-file probe.key
# What is done by one between the steps of another: never is nothing left that opens.
# first_usable KEYFILE...: of those that open the repository.
first_usable() {
    local key
    for key in "$@"; do
        if [ -e "$key" ] && with "$key" snapshots >/dev/null 2>&1; then echo "$key" && return; fi
    done
}
# race CALL PATH FIRST SECOND: the first command stops after its CALL on PATH, the second one runs,
# the first goes on.
race() {
    local call=$1 path=$2 first=$3 second=$4 key
    rm -rf raced raced.cache a.key b.key
    use raced
    expect_code 0 repo init -q --key-file raced.key
    expect_code 0 with raced.key snapshot -q src/numbers
    # shellcheck disable=SC2086
    stop_at "$call" 1 "$path" "$program" --key-file raced.key key $first --new-key-file a.key
    # shellcheck disable=SC2086
    with raced.key key $second --new-key-file b.key >b.key.told 2>err || true
    kill -CONT "$stopped"
    wait "$tracer" || true
    children=()
    mv out a.key.told
    key=$(first_usable b.key a.key raced.key)
    [ -n "$key" ] || fail "no key is left after $first and $second at once: $(cat err)"
    expect_code 0 with "$key" restore latest -t out-of-raced --verify
    # Whoever was told that his key counts can use it, unless a rekey dropped it after that. There are
    # never two new secrets.
    if [ "$first" = "$rekey" ] && [ "$second" = "$rekey" ] && [ -s a.key.told ] && [ -s b.key.told ]; then
        fail "two rekeys at once, and both were told that it was done"
    fi
    if [ -s a.key.told ]; then
        [ -n "$(first_usable a.key)" ] || fail "a.key was taken and opens nothing: $first with $second"
    elif [ -s b.key.told ]; then
        [ -n "$(first_usable b.key)" ] || fail "b.key was taken and opens nothing: $first with $second"
    fi
}
rekey="rekey --drop-other-keys"
for pair in "add:$rekey" "passwd:$rekey" "$rekey:$rekey" "$rekey:add" "$rekey:passwd"; do
    race linkat "$work/raced" "${pair%:*}" "${pair#*:}" # the first one's new slot is there already
    race renameat2 a.key "${pair%:*}" "${pair#*:}"           # it has opened the repository, no more
done
# Both have opened it; then the second one comes while the first, whose slot is there and was tried,
# is about to remove the others.
rm -rf raced raced.cache a.key b.key
use raced
expect_code 0 repo init -q --key-file raced.key
expect_code 0 with raced.key snapshot -q src/numbers
stop_at renameat2 1 b.key "$program" --key-file raced.key key rekey --new-key-file b.key
other=("$stopped" "$tracer")
mv out b.key.told
stop_at openat 1 a.key "$program" --key-file raced.key key rekey --new-key-file a.key
kill -CONT "${other[0]}"
wait "${other[1]}" || true
kill -CONT "$stopped"
wait "$tracer" || true
children=()
key=$(first_usable a.key b.key raced.key)
[ -n "$key" ] || fail "no key is left after two rekeys at once"
expect_code 0 with "$key" restore latest -t out-of-raced --verify

# Killed before each of its steps: the repository opens with the old key or with the new one, all
# that was saved is there, and the same command done again succeeds.
use template
expect_code 0 repo init -q --key-file template.key
expect_code 0 with template.key snapshot -q src/numbers
steps=0
# killed_at CALL N COMMAND...: sets `ended` when it ends before its Nth CALL.
killed_at() {
    local call=$1 n=$2 code=0 key
    shift 2
    rm -rf killed killed.cache killed.key
    cp -a template killed
    cp -a template.cache killed.cache
    use killed
    # In braces, for the shell to be silent about the kill.
    { strace -f -qq -o trace -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
        "$program" --key-file template.key key "$@" --new-key-file killed.key >out 2>err; } 2>/dev/null || code=$?
    if [ $code = 0 ]; then
        ended=yes
        return
    fi
    expect_equal $code 137
    steps=$((steps + 1))
    key=$(first_usable template.key killed.key)
    [ -n "$key" ] || fail "no key is left when key $1 is killed at $call $n"
    expect_code 0 with "$key" key list
    expect_code 0 with "$key" restore latest -t "killed-$1-$call-$n"
    cmp src/numbers "killed-$1-$call-$n$work/src/numbers"
    # A key file that was being written is no key: another name is taken then.
    expect_code 0 with "$key" key "$@" --new-key-file again.key
    expect_code 0 with again.key restore latest -t "killed-$1-$call-$n" --verify
    rm -f again.key
}
for command in passwd "rekey --drop-other-keys"; do
    for call in renameat2 linkat unlinkat fsync rename; do
        ended=no
        # shellcheck disable=SC2086
        for ((n = 1; n < 20; ++n)); do
            killed_at $call $n $command
            [ $ended = no ] || break
        done
    done
done
[ $steps -ge 8 ] || fail "only $steps of the steps were met"

echo "all as expected"
