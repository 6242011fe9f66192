#!/usr/bin/env bash
# repo status: text, JSON, metrics, exit codes; and how a snapshot is kept off the disk it saves.
promtool=$(readlink -m "$(dirname "$0")/../../build/promtool")
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"
[ -x "$promtool" ] || fail "$promtool is missing: run .ci/setup tests"

# check_json EXPRESSION: of the document `d` in $work/out, true.
check_json() {
    python3 -c '
import json, sys
lines = open("out", "rb").read().splitlines()
d = json.loads(lines[0])
sys.exit(not (len(lines) == 1 and eval(sys.argv[1])))' "$1" || fail "not the JSON that was expected: $1: $(cat out)"
}

# check_metrics FILE: the lines are what Prometheus reads, and no series is there twice.
check_metrics() {
    python3 - "$1" <<'PYTHON' || fail "not the metrics that were expected: $(cat "$1")"
import re, sys

text = open(sys.argv[1], "rb").read().decode("utf-8")
label = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
sample = re.compile(r'(coffre_[a-z_]+)(\{%s(?:,%s)*\})? -?[0-9]+(\.[0-9]+)?' % (label, label))
helped, typed, series = [], [], set()
if not text.endswith("\n"):
    sys.exit("the last line has no end")
for line in text[:-1].split("\n"):
    if line.startswith("# HELP "):
        helped.append(line.split()[2])
    elif line.startswith("# TYPE "):
        name, kind = line.split()[2:]
        if kind != "gauge" or helped[-1] != name or name in typed:
            sys.exit("out of order: " + line)
        typed.append(name)
    else:
        match = sample.fullmatch(line)
        if not match or typed[-1] != match[1]:
            sys.exit("no sample: " + line)
        key = line.rsplit(" ", 1)[0]
        if key in series:
            sys.exit("twice: " + key)
        series.add(key)
if helped != typed:
    sys.exit("help without type")
PYTHON
    "$promtool" check metrics <"$1" || fail "promtool does not take the metrics"
}

# metric NAME[LABELS]: its value in $work/coffre.prom.
metric() {
    grep -v '^#' "$work/coffre.prom" | grep -F -e "$1 " | sed 's/.* //'
}

new_repository store
mkdir -p src/sub other
head -c 300000 /dev/urandom >src/random
echo 1 >other/file

expect_code 0 repo status --help
expect_output "Examples"

# Nothing is there yet.
expect_code 0 repo status
expect_no_error
expect_output "there is no snapshot"
expect_output "checked   never"
expect_code 0 repo status --json
check_json 'd["message_type"] == "repository_status" and d["groups"] == [] and d["packs"] == 0'
expect_code 1 repo status --max-age 1h
expect_error "there is no snapshot"
expect_code 0 repo status --metrics coffre.prom
check_metrics coffre.prom
expect_equal "$(metric coffre_stored_bytes)" "$(find store -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')"

# Groups, ages, growth.
expect_code 0 repo snapshot -q src --time '2026-08-01 12:00' --host web1
expect_code 0 repo snapshot -q src --time '2026-08-02 12:00' --host web1
first=$(snapshot_ids | tail -n 1)
expect_code 0 repo snapshot -q src other --stream db.sql='echo select' --host web2
expect_code 0 repo status
expect_no_error
expect_output "web1:$work/src: 2 snapshots, the newest ${first:0:8} of 2026-08-02 12:00:00"
expect_output "web2:$work/other,$work/src,db.sql: 1 snapshots"
expect_output "growth    in 7 days 3 snapshots"
expect_code 0 repo status --json
check_json '[(g["hostname"], g["snapshots"]) for g in d["groups"]] == [("web1", 2), ("web2", 1)]'
check_json "d['groups'][0]['last_id'] == '$first' and d['groups'][0]['paths'] == ['$work/src']"
check_json 'd["groups"][1]["streams"] == ["db.sql"] and d["groups"][1]["last_failures"] == 0'
check_json 'd["groups"][0]["last_time"].startswith("2026-08-02T12:00:00.0") and d["groups"][0]["last_age"] >= 0'
check_json '[g["days"] for g in d["growth"]] == [7, 30] and d["growth"][0]["bytes_stored"] > 300000'
check_json 'd["packs"] == d["packs_never_verified"] > 0 and d["total_size"] > d["bytes_never_verified"] > 300000'
check_json 'not {"last_check", "last_read_data_check", "oldest_verification", "condemned", "garbage"} & set(d)'
check_json 'd["open_sessions"] == [] and d["errors"] == [] and d["paths_on_same_file_system"] == []'

# Garbage is counted where it is asked for.
expect_code 0 repo status --garbage --metrics garbage.prom
expect_output "garbage   0 packs, 0 B"
check_metrics garbage.prom
expect_equal "$(grep -v '^#' garbage.prom | grep -c '^coffre_garbage_bytes 0$')" 1
expect_code 0 repo status --garbage --json
check_json 'd["garbage"] == {"packs": 0, "bytes": 0, "bytes_among_needed": 0}'

# Too old: exit code 1 and a message for each group that is.
expect_code 1 repo status -q --max-age 26h --host web1
expect_no_output
expect_error "the newest snapshot of web1:$work/src is"
expect_error "more than 26h"
expect_code 0 repo status -q --max-age 26h --host web2
expect_no_error
expect_code 1 repo status --max-age 26h --json
check_json 'len(d["groups"]) == 2'
expect_equal "$(grep -c '"message_type":"error"' err)" 1
expect_code 1 repo status -q --max-age 26h --host nobody
for odd in 26 h 1w -1h 1.5h ''; do expect_code 2 repo status "--max-age=$odd" --host nobody; done

# Metrics: one series for each group whatever its names hold, replaced as a whole, and readable by others.
odd=$'o"d\\d\nn\xe9me'
mkdir -p "$odd" a b "a,$work/b"
expect_code 0 repo snapshot -q "$odd" --host "$odd"
expect_code 0 repo snapshot -q a b --host commas
expect_code 0 repo snapshot -q "a,$work/b" --host commas # read without care, the same two paths
echo old >coffre.prom
umask 022
expect_code 0 repo status -q --metrics coffre.prom
expect_no_output
check_metrics coffre.prom
expect_equal "$(stat -c %a coffre.prom)" 644
expect_equal "$(find . -maxdepth 1 -name 'coffre.prom?*')" ""
expect_equal "$(metric "coffre_snapshots{host=\"web1\",paths=\"$work/src\",streams=\"\"}")" 2
expect_equal "$(metric "coffre_last_snapshot_timestamp_seconds{host=\"web1\",paths=\"$work/src\",streams=\"\"}")" \
    "$(date -d '2026-08-02 12:00' +%s).000"
expect_equal "$(metric coffre_last_check_timestamp_seconds)" 0
expect_equal "$(metric coffre_oldest_verification_timestamp_seconds)" 0
expect_equal "$(metric coffre_open_sessions)" 0
expect_code 1 repo status --metrics missing/coffre.prom
expect_error "missing/coffre.prom: cannot be written: No such file"
ln -s coffre.prom link.prom
rm coffre.prom
touch coffre.prom
expect_code 0 repo status -q --metrics link.prom
if [ ! -L link.prom ] || [ ! -s coffre.prom ]; then fail "the link was replaced, not the file"; fi
mkfifo pipe.prom
expect_code 1 repo status --metrics pipe.prom
expect_error "pipe.prom: is not a file"
[ -p pipe.prom ] || fail "a pipe was replaced"

id_of() { od -An -v -tx1 -j8 -N16 "$1/config" | tr -d ' \n'; }

# Copies, each for itself: one that stands still is seen beside another.
expect_equal "$(metric coffre_newest_copy_timestamp_seconds)" 0.000
for target in second 'third "one"'; do repo init -q -r "$target"; done
expect_code 0 repo copy -q -r second --from store "$first"
expect_code 0 repo copy -q -r 'third "one"' --from store latest
expect_code 0 repo status -q --metrics coffre.prom
check_metrics coffre.prom
expect_equal "$(metric "coffre_copy_timestamp_seconds{destination=\"$work/second\",repository=\"$(id_of second)\"}")" \
    "$(date -d '2026-08-02 12:00' +%s).000"
expect_equal "$(metric "coffre_copy_timestamp_seconds{destination=\"$work/third \\\"one\\\"\",repository=\"$(id_of 'third "one"')\"}")" \
    "$(metric coffre_newest_copy_timestamp_seconds)"

# What checks leave behind.
before=$(date +%s)
expect_code 0 repo check -q
expect_code 0 repo status --json
check_json 'd["last_check"]["errors"] == 0 and "last_read_data_check" not in d'
expect_code 0 repo check -q --read-data
expect_code 0 repo status --json
check_json 'd["packs_never_verified"] == 0 and d["last_read_data_check"]["errors"] == 0 and d["oldest_verification"]'
expect_code 0 repo status -q --metrics coffre.prom
expect_equal "$(metric coffre_unverified_bytes)" 0
[ "$(metric coffre_oldest_verification_timestamp_seconds)" -ge "$before" ] || fail "an old verification"
[ "$(metric coffre_last_read_data_check_timestamp_seconds)" -ge "$before" ] || fail "an old check"
# What was never read has a figure of its own.
echo later >later
expect_code 0 repo snapshot -q --host later later
expect_code 0 repo status -q --metrics coffre.prom
[ "$(metric coffre_unverified_bytes)" -gt 0 ] || fail "a new pack counts as read"
[ "$(metric coffre_oldest_verification_timestamp_seconds)" -ge "$before" ] || fail "a new pack counts as old"

# A session that is still open, and one whose process has ended.
mkfifo pipe
"$program" snapshot -q --stdin <pipe >/dev/null 2>&1 &
running=$!
children+=("$running")
exec 3>pipe
# At least its record is there once it has read something.
head -c 1000000 /dev/urandom >&3
expect_code 0 repo status
expect_output "process $running, begun"
expect_code 0 repo status --json
check_json "[(s['pid'], s['has_ended']) for s in d['open_sessions']] == [($running, False)]"
expect_code 0 repo status -q --metrics coffre.prom
expect_equal "$(metric coffre_open_sessions)" 1
{
    kill -KILL "$running"
    wait "$running" || true
} 2>/dev/null
children=()
exec 3>&-
expect_code 0 repo status
expect_output "was cut short"
expect_code 0 repo status -q --metrics coffre.prom
expect_equal "$(metric coffre_open_sessions)" 0

# Who fails by himself leaves no session that is open.
expect_code 0 repo prune
expect_code 22 repo snapshot --stream x=false
expect_code 1 repo forget --undo 0123456789abcdef
expect_code 0 repo status
if grep -q "was cut short" out; then fail "a session is left open"; fi

# A damaged slot is an error; the others are told of.
cp -a store damaged
printf '\377' | dd of="damaged/snapshots/$first" bs=1 seek=100 conv=notrunc status=none
expect_code 20 repo status -r damaged --metrics coffre.prom
expect_error "snapshots/$first"
expect_output "web2:"
expect_equal "$(metric coffre_damaged_objects)" 1
expect_code 20 repo status -r damaged -q --max-age 1s
expect_code 20 repo status -r damaged --json
check_json 'len(d["errors"]) == 1'

# The same file system: told of this machine's own paths only, and refused when that is asked for.
expect_code 0 repo snapshot src
expect_no_error
expect_code 0 repo status
expect_error "same file system as $work/src"
expect_code 0 repo status -q
expect_no_error
expect_code 0 repo status --json
check_json "d['paths_on_same_file_system'] == ['$work/src']"
expect_code 0 repo snapshot -v src
expect_error "same file system as src"
expect_code 0 repo snapshot -v -q src
expect_no_error
listing store >store-before
expect_code 1 repo snapshot --require-offsite src other
expect_error "same file system as"
expect_error "and 1 more"
expect_error "nothing was saved"
listing store >store-after
cmp store-before store-after || fail "a refused snapshot changed the repository"
expect_code 1 repo snapshot --require-offsite --files-from <(echo src)
if mount_tmpfs "$work/disk" 32m; then
    (
        export REPO_REPOSITORY=$work/disk/store
        repo init -q
        expect_code 0 repo snapshot -v --require-offsite src
        expect_no_error
        expect_code 0 repo status
        expect_no_error
        expect_code 1 repo snapshot --require-offsite src disk/store/keys
        # What is entered beneath a path counts, but not the repository itself, which is left out.
        mkdir -p src/mounted && mount --bind disk src/mounted
        trap 'umount "$work/src/mounted"' EXIT
        expect_code 0 repo snapshot -v --require-offsite src
        echo 1 >disk/file
        before=$(snapshot_ids | wc -l)
        expect_code 1 repo snapshot --require-offsite src
        expect_error "the same file system as $work/src/mounted/file: "
        expect_equal "$(snapshot_ids | wc -l)" "$before"
        expect_code 0 repo snapshot -v src
        expect_error "$work/src/mounted/file: one broken disk would take both"
        expect_code 0 repo snapshot -v --require-offsite src --exclude "$work/src/mounted/file"
    )
else
    skip "a repository on another file system: tmpfs cannot be mounted here"
fi
echo "all as expected"
