#!/usr/bin/env bash
# Four writers, two who restore, two collections and one who forgets: real processes on one repository, which
# are killed, and halted for a while, at random moments. Then everything that was acknowledged and not forgotten
# restores exactly, as did each of them that was restored meanwhile, and no command ever met damage.
#
# 60 seconds; COFFRE_PROOF_LONG=1: an hour. COFFRE_PROOF_SEED: other moments.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/../cli/lib.bash"

duration=60
[ "${COFFRE_PROOF_LONG-}" != 1 ] || duration=3600
RANDOM=${COFFRE_PROOF_SEED:-20260802}
new_repository store
mkdir acknowledged forgotten pids log
deadline=$((SECONDS + duration))

goes_on() { [ $SECONDS -lt $deadline ]; }
digest() { listing "$1" | sha256sum | cut -c -64; }

# Done, killed, ended twice by others, or refused for what others had done meanwhile.
is_expected() {
    case $2:$3 in
        *:0 | *:137 | snapshot:11) ;;
        prune:1) grep -q 'other collections are at work' "log/$1.err" ;;
        restore:1 | forget:1) grep -q 'no such snapshot' "log/$1.err" ;;
        *) false ;;
    esac
}

# run ROLE COMMAND...: its output is in log/ROLE; 137 when it was killed.
run() {
    local role=$1 code=0
    shift
    REPO_CACHE_DIR=$work/cache-$role "$program" --threads 1 "$@" >"log/$role" 2>"log/$role.err" &
    echo $! >"pids/$role"
    wait $! 2>/dev/null || code=$?
    rm -f "pids/$role"
    echo "$1 $code" >>"log/$role.codes"
    is_expected "$role" "$1" $code || sed "s/^/$role: $1: code $code: /" "log/$role.err" >>log/unexpected
    return $code
}

# A writer's folder changes between its snapshots; what it has in common with the others' is stored once.
writer() {
    local tree=tree$1 id
    RANDOM=$(($2 + $1))
    mkdir "$tree"
    while goes_on; do
        printf '%s' "$RANDOM" >"$tree/small$((RANDOM % 20))"
        cp "shared/$((RANDOM % 12))" "$tree/large$((RANDOM % 6))"
        rm -f "$tree/small$((RANDOM % 20))"
        run "writer$1" snapshot --json "$work/$tree" || continue
        id=$(tail -n 1 "log/writer$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["snapshot_id"])')
        digest "$tree" >"acknowledged/.$id"
        echo "$tree" >>"acknowledged/.$id"
        mv "acknowledged/.$id" "acknowledged/$id"
    done
}

# One of the first that are left, in $id.
choose_acknowledged() {
    local file left=()
    for file in acknowledged/*; do
        [ -e "forgotten/${file##*/}" ] || left+=("${file##*/}")
    done
    [ ${#left[@]} -ge 12 ] && id=${left[RANDOM % 6]}
}

forgetter() {
    local id
    RANDOM=$1
    while goes_on; do
        choose_acknowledged || {
            sleep 0.1
            continue
        }
        touch "forgotten/$id"
        run forgetter forget --allow-many "$id" || true
    done
}

collector() { while goes_on; do run "collector$1" prune --max-unused 0% || true; done; }

reader() {
    local id expected tree
    while goes_on; do
        rm -rf "out$1"
        run "reader$1" restore --json latest -t "out$1" || continue
        id=$(tail -n 1 "log/reader$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["snapshot_id"])')
        # Its writer was killed before it could acknowledge it, or has not come to it.
        [ -e "acknowledged/$id" ] || continue
        { read -r expected && read -r tree; } <"acknowledged/$id"
        [ "$(digest "out$1$work/$tree")" = "$expected" ] || echo "reader$1: $id restored otherwise" >>log/unexpected
        echo "compared 0" >>"log/reader$1.codes"
    done
}

# Kills one process in three, halts the others for a moment.
troublemaker() {
    local pid running
    while goes_on; do
        sleep "0.$((RANDOM % 4))"
        running=(pids/*)
        pid=$(cat "${running[RANDOM % ${#running[@]}]}" 2>/dev/null) || continue
        if [ $((RANDOM % 3)) = 0 ]; then
            kill -KILL "$pid" 2>/dev/null || continue
            echo killed >>log/trouble
        else
            kill -STOP "$pid" 2>/dev/null || continue
            sleep "0.$((RANDOM % 3 + 1))"
            kill -CONT "$pid" 2>/dev/null || true
            echo halted >>log/trouble
        fi
    done
}

mkdir shared
for n in 0 1 2 3 4 5 6 7 8 9 10 11; do head -c 400000 /dev/urandom >"shared/$n"; done
for n in 1 2 3 4; do writer "$n" "$RANDOM" & children+=($!); done
for n in 1 2; do
    collector "$n" & children+=($!)
    reader "$n" & children+=($!)
done
forgetter "$RANDOM" & children+=($!)
troublemaker & children+=($!)
wait "${children[@]}" || true
children=()

[ ! -e log/unexpected ] || fail "a command met something else:
$(head -n 40 log/unexpected)"
expect_code 0 repo prune --max-unused 0%
expect_code 0 repo prune --max-unused 0%
expect_code 0 repo check --read-data
checked=0
for file in acknowledged/*; do
    id=${file##*/}
    [ ! -e "forgotten/$id" ] || continue
    { read -r expected && read -r tree; } <"$file"
    rm -rf restored
    expect_code 0 repo restore "$id:$work/$tree" -t restored
    expect_equal "$(digest restored)" "$expected"
    checked=$((checked + 1))
done
[ $checked -gt 4 ] || fail "only $checked snapshots were left to look at"
for done in "prune 0" "restore 0" "compared 0" "forget 0"; do
    grep -qx "$done" log/*.codes || fail "nothing was done of: $done"
done
for done in killed halted; do grep -q $done log/trouble || fail "nobody was $done"; done
count() { cat log/*.codes | grep -c "^$1 $2\$" || true; }
echo "$(find acknowledged -type f | wc -l) snapshots, $(count forget 0) forgotten, $checked restored;" \
    "$(count prune 0) collections, $(count restore 0) restores meanwhile, $(count compared 0) of them compared;" \
    "$(grep -c killed log/trouble || true) kills, $(grep -c halted log/trouble || true) halts; 0 lost"
