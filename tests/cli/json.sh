#!/usr/bin/env bash
# What --json prints can be read by a program: each line parses, names of any bytes included.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

# expect_json FILE TYPE...: each line is a document of one of the types ("-": none, "[]": a list),
# and no type is missing.
expect_json() {
    python3 - "$@" <<'PYTHON' || fail "not the JSON that was expected in $1"
import json, sys

def type_of(document):
    return "[]" if isinstance(document, list) else document.get("message_type", "-")

raw = open(sys.argv[1], "rb").read()
types = [type_of(json.loads(line)) for line in raw.decode("utf-8").splitlines()]
if set(types) != set(sys.argv[2:]) or not raw.endswith(b"\n"):
    sys.exit(f"{sorted(set(types))}, expected {sys.argv[2:]}")
PYTHON
}

# query FILE EXPRESSION: of the documents `d`, one a line, and the last of them, `last`.
query() {
    python3 -c '
import base64, json, sys
d = [json.loads(line) for line in open(sys.argv[1], "rb")]
last = d[-1]
print(eval(sys.argv[2]))' "$1" "$2"
}

odd=$'caf\xe9'
odd64=$(printf %s "$odd" | base64)
mkdir -p "src/$odd/deep"
printf '\xff' >"src/$odd/$odd"
echo 'ünï' >$'src/ünï "quoted" \\\n'
ln -s "$odd/$odd" src/link
head -c 3000000 /dev/urandom >src/large
touch -d '2026-01-01 00:00:00.999999999' src/large
touch -d '1969-12-31 23:59:59.999999999' src/link -h

export REPO_REPOSITORY=$work/store REPO_KEY_FILE=$work/key
expect_code 0 repo init --json
expect_json out initialized
expect_no_error
expect_equal "$(query out 'len(last["id"])') $(query out 'last["repository"]')" "32 $work/store"
expect_code 0 repo version --json
expect_json out version
expect_equal "$(query out 'last["format"]')" 1

# snapshot
expect_code 0 repo snapshot --json src
expect_json out summary
expect_no_error
expect_equal "$(query out 'last["files_new"], last["failures"], last["dry_run"], last["unchanged"]')" "(3, 0, False, False)"
expect_equal "$(query out 'last["snapshot_id"]')" "$(snapshot_ids)"
expect_code 0 repo snapshot --json -n -vv -f src
expect_json out summary
expect_json err verbose_status warning # the repository lies beside its sources
expect_equal "$(query out '"snapshot_id" in last, last["dry_run"]')" "(False, True)"
expect_equal "$(query err 'sum(base64.b64decode(x["item_b64"]).endswith(b"/src/caf\xe9/caf\xe9") for x in d if "item_b64" in x)')" 1
expect_code 3 repo snapshot --json "src/$odd" "no$odd"
expect_json out summary
expect_json err error
expect_equal "$(query err 'base64.b64decode(last["item_b64"]).endswith(b"/nocaf\xe9"), "item" in last')" "(True, True)"
expect_equal "$(query out 'last["failures"]')" 1
expect_code 0 env REPO_PROGRESS_FPS=60 "$program" snapshot --json -f src \
    --stream slow='head -c 1000000 /dev/zero; exec 3<>hold; read -t 0.2 x <&3; echo end'
expect_json out status summary
expect_equal "$(query out 'sorted(d[0])')" \
    "['bytes_done', 'files_done', 'message_type', 'seconds_elapsed', 'total_bytes', 'total_files']"

# listings
expect_code 0 repo snapshots --json
expect_json out '[]'
expect_equal "$(query out 'len(last), last[0]["paths"]')" "(3, ['$work/src'])"
expect_equal "$(query out 'last[0]["id"].startswith(last[0]["short_id"]), len(last[0]["short_id"])')" "(True, 8)"
expect_code 0 repo ls --json "latest~2:$work/src"
expect_json out node
expect_equal "$(query out 'sorted({x["type"] for x in d})')" "['dir', 'file', 'symlink']"
expect_equal "$(query out '[x["name_b64"] for x in d if x["type"] == "dir" and "name_b64" in x][0]')" "$odd64"
expect_equal "$(query out '[x["linktarget_b64"] for x in d if x["type"] == "symlink"][0]')" "$(printf %s "$odd/$odd" | base64)"
expect_equal "$(query out '[x["name"] for x in d if "quoted" in x["name"]][0]')" $'ünï "quoted" \\'
expect_equal "$(query out '["name_b64" in x for x in d if "quoted" in x["name"]][0]')" False
expect_equal "$(query out '[x["mtime"] for x in d if x["name"] == "large"][0]')" "2026-01-01T00:00:00.999999999+00:00"
expect_equal "$(query out '[x["mtime"] for x in d if x["name"] == "link"][0]')" "1969-12-31T23:59:59.999999999+00:00"
expect_code 0 env TZ=Asia/Kolkata "$program" ls --json "latest~2:$work/src/large"
expect_equal "$(query out 'last["mtime"]')" "2026-01-01T05:30:00.999999999+05:30"
expect_code 0 env TZ=America/St_Johns "$program" ls --json "latest~2:$work/src/large"
expect_equal "$(query out 'last["mtime"]')" "2025-12-31T20:30:00.999999999-03:30"
expect_code 0 repo stats --json
expect_json out -
expect_equal "$(query out 'last["snapshots_count"]')" 3

# restore and check
expect_code 0 repo restore --json latest~2 -t restored --verify
expect_json out summary
expect_no_error
expect_equal "$(query out 'last["total_files"], last["files_restored"], last["files_verified"]')" "(3, 3, 3)"
expect_code 0 repo restore --json latest~2 -t restored -n -vv
expect_json out summary
expect_code 0 repo check --json --read-data
expect_json out summary
expect_no_error
expect_equal "$(query out 'last["num_errors"], last["errors"], last["snapshots"]')" "(0, [], 3)"

# Failures: one exit_error on standard error with the code and what to do.
expect_exit_error() {
    expect_code "$@"
    expect_no_output
    expect_json err exit_error
    expect_equal "$(query err 'last["code"]')" "$1"
    expect_equal "$(query err 'len(last["message"]) > 10')" True
}
expect_exit_error 10 repo snapshots --json -r missing
expect_equal "$(query err '"repo init" in last["advice"]')" True
expect_exit_error 12 repo snapshots --json --key-file /dev/null
expect_exit_error 1 repo cat --json latest:/none
expect_exit_error 1 repo snapshot --json "no$odd"
expect_equal "$(query err 'base64.b64decode(last["message_b64"]).count(b"\xe9")')" 1
expect_exit_error 2 repo ls --json latest~x
expect_exit_error 2 repo snapshot --json src --exclude-larger-than x
expect_exit_error 22 repo snapshot --json --stream "$odd=false"
expect_exit_error 2 repo snapshots --json --no-such-option
expect_exit_error 2 repo --json no-such-command

# Quiet is quiet, and without a terminal there is no progress.
expect_code 0 repo snapshot -q src
expect_no_output
expect_no_error
expect_code 0 repo restore -q latest -t restored-quietly
expect_no_output
expect_no_error
expect_code 0 repo check -q --read-data
expect_no_output
expect_no_error
expect_code 0 repo init -q -r second
expect_no_output
expect_no_error
expect_code 0 repo snapshot -f src
expect_no_error
expect_code 0 repo restore latest -t restored-again
expect_no_error
expect_code 3 repo snapshot -q src missing
expect_no_output
expect_error missing

# Damage is reported in JSON too, on both channels.
cp -a store damaged
find damaged/packs -type f -delete
expect_code 20 repo check --json -r damaged
expect_json out summary
expect_json err error
expect_equal "$(query out 'last["num_errors"] == len(last["errors"]) > 0')" True
cp -a store damaged-data
pack=$(find damaged-data/packs -type f -size +2M | head -n 1)
printf 'damage' | dd of="$pack" bs=1 seek=1000 conv=notrunc status=none
expect_code 20 repo restore --json -r damaged-data "latest:$work/src" -t from-damaged
expect_json out summary
expect_json err error warning # it is of an incomplete snapshot, too
expect_equal "$(query out 'last["failures"]')" 1
expect_equal "$(query out 'last["files_damaged"] > 0')" True
rm "$pack"
expect_code 20 repo check --json -r damaged-data
expect_json out summary
expect_json err error

# Times of which no form tells the year.
if mount_tmpfs ages 1m; then
    touch -d @99999999999999999 ages/ahead
    touch -d @-99999999999 ages/before
    expect_code 0 repo snapshot -q ages
    expect_code 0 repo ls --json latest
    for time in 9999-12-30T23:59:59 1000-01-02T00:00:00; do
        grep -q "\"mtime\":\"$time" out || fail "a time is not $time: $(cat out)"
    done
else
    skip "far times: tmpfs cannot be mounted here"
fi

# Any bytes anywhere: one odd tag must not hide all snapshots.
expect_code 0 repo snapshot --json src --tag "$odd" --host "$odd" --stream "$odd=echo 1"
expect_json out summary
expect_code 0 repo snapshot --json "src/$odd"
expect_code 0 repo snapshots --json
expect_json out '[]'
expect_equal "$(query out 'base64.b64decode(last[-1]["paths_b64"][0]).endswith(b"/src/caf\xe9")')" True
expect_code 0 repo init --json -r "$odd" --key-file "$odd.key"
expect_json out initialized
echo "all as expected"
