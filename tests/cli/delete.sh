#!/usr/bin/env bash
# restore --delete removes what a snapshot has not, and nothing that it could not have had.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

new_repository store

# in_place FOLDER CODE OPTION...: what is in the folder stays, first as a dry run says, then it does.
in_place() {
    local folder=$1 code=$2 before dry
    shift 2
    for dry in -n ''; do
        before=$(cd "$folder" && find . | sort)
        expect_code "$code" repo restore "latest:$work/$folder" -t "$folder" --delete ${dry:+"$dry"} -vv "$@"
        [ -z "$dry" ] || expect_equal "$(cd "$folder" && find . | sort)" "$before"
        cp err "said${dry:-now}"
    done
    diff <(grep -E 'deleted|repo:' said-n | sort) <(grep -E 'deleted|repo:' saidnow | sort) ||
        fail "the dry run said something else"
}

# What lies beside the saved path is none of the snapshot's business.
mkdir -p web/media web/www
echo 1 >web/media/saved
echo 2 >web/www/index
expect_code 0 repo snapshot "$work/web/media"
touch web/media/new
in_place web 0
expect_equal "$(cat web/www/index)" 2
[ ! -e web/media/new ] || fail "what is new in a saved folder was not deleted"
expect_code 0 repo restore latest -t everything
touch everything/mine
expect_code 0 repo restore latest -t everything --delete
[ -e everything/mine ] || fail "what is beside the saved path was deleted"

# The repository, the cache and the key lie in what is restored.
mkdir -p srv/media
echo 1 >srv/media/a
mkdir srv/deep srv/keys
repo init -q -r srv/deep/backup --key-file srv/keys/key
ln -s deep srv/way
(
    export REPO_REPOSITORY=srv/way/backup REPO_KEY_FILE=srv/keys/key REPO_CACHE_DIR=srv/cache
    expect_code 0 repo snapshot "$work/srv" -e deep -e keys -e cache
    touch srv/extra
    in_place srv 1
    expect_error "deep: is or holds srv/way/backup, which is in use: it is not deleted"
    expect_error "keys: is or holds srv/keys/key"
    expect_error "cache: is or holds srv/cache"
    [ ! -e srv/extra ] || fail "the others were not deleted"
    in_place srv 0 -e deep -e keys -e cache
    expect_code 0 repo check --read-data

    # Saved into itself, where that is asked for, it holds more now than it did then.
    expect_code 0 repo snapshot "$work/srv" "$work/srv/deep/backup" -e cache
    in_place srv 1 -e cache
    expect_error "is srv/way/backup, which is in use: it is left as it is"
    expect_code 0 repo check --read-data

    # It is where the snapshot has a file.
    mkdir other
    echo file >other/place
    expect_code 0 repo snapshot "$work/other"
    rm other/place
    mv srv/deep other/place
    expect_code 1 repo restore -r other/place/backup "latest:$work/other" -t other --delete
    expect_error "place: is or holds other/place/backup"
    expect_code 0 repo check -r other/place/backup --read-data
)

# The pattern that a snapshot was taken with means the same when a folder of it is restored.
mkdir -p given/cache
echo 1 >given/a
echo 2 >given/cache/b
expect_code 0 repo snapshot "$work/given" --exclude "$work/given/cache"
in_place given 0 --exclude "$work/given/cache"
expect_lines <(cd given && find . -type f) ./a ./cache/b
in_place given 0 --exclude /cache
expect_lines <(cd given && find . -type f) ./a ./cache/b
expect_code 0 repo restore "latest:$work/given" -t chosen -i "$work/given/a"
expect_lines <(cd chosen && find . -type f) ./a

# What the restore excludes stays, however deep, with the folders that lead to it.
mkdir f
echo 1 >f/a
expect_code 0 repo snapshot "$work/f"
mkdir -p f/extra/logs f/extra/none
touch f/extra/logs/{keep.log,x} f/extra/none/y
in_place f 0 -e '*.log'
expect_lines <(cd f && find . -type f) ./a ./extra/logs/keep.log
[ ! -e f/extra/none ] || fail "a folder without anything to keep was kept"
in_place f 0
expect_equal "$(ls f)" a

# A cache is saved as its tag.
mkdir -p c/cache
echo 'Signature: 8a477f597d28d172789f06886806bc55' >c/cache/CACHEDIR.TAG
expect_code 0 repo snapshot "$work/c" --exclude-caches
in_place c 0
touch c/cache/data
in_place c 1
expect_error "cache: nothing was deleted here: the snapshot does not have all that was in the folder"
[ -e c/cache/data ] || fail "a cache's contents were deleted"
wait_until_settled
expect_code 0 repo snapshot "$work/c" --exclude-caches
expect_code 0 repo snapshot "$work/c" --exclude-caches --skip-if-unchanged --json
expect_equal "$(field unchanged) $(field files_changed)" "True 0"

# What is mounted in the target is not the snapshot's either.
mkdir -p m/nas
echo 1 >m/a
if mount_tmpfs m/nas 1M; then
    touch m/nas/precious
    expect_code 0 repo snapshot -x "$work/m"
    in_place m 1
    expect_error "nas: nothing was deleted here"
    in_place m 0 -e nas
    # The same where nothing is mounted at the time.
    expect_code 0 repo restore "latest:$work/m" -t elsewhere
    touch elsewhere/nas/mine
    expect_code 1 repo restore "latest:$work/m" -t elsewhere --delete
    expect_error "nas: nothing was deleted here"
    [ -e elsewhere/nas/mine ] || fail "deleted where the snapshot did not look"

    # A folder that was empty then, and is a mount point now.
    umount m/nas
    expect_code 0 repo snapshot "$work/m"
    mount -t tmpfs tmpfs "$work/m/nas"
    touch m/nas/precious
    in_place m 1
    expect_error "nas: nothing was deleted here"

    # One that the snapshot does not know, and one beneath such a folder.
    mkdir -p m/extra/{new,bound,gone} source
    touch source/precious m/extra/gone/file
    mount_tmpfs m/extra/new 1M
    touch m/extra/new/precious
    mount --bind source m/extra/bound
    mounts+=("$work/m/extra/bound")
    in_place m 1 -e /nas
    expect_error "extra/new: is a mount point: it is not deleted"
    expect_error "extra/bound: is a mount point: it is not deleted"
    expect_lines <(cd m && find . -type f) ./a ./nas/precious ./extra/{new,bound}/precious
    [ ! -e m/extra/gone ] || fail "what is beside a mount point was not deleted"

    # A name on another file system is a copy, and stays one.
    mkdir -p linked/sub over/sub
    seq 1000 >linked/a
    ln linked/a linked/sub/b
    expect_code 0 repo snapshot "$work/linked"
    mount_tmpfs over/sub 1M
    expect_code 0 repo restore "latest:$work/linked" -t over
    cmp linked/a over/a
    cmp linked/a over/sub/b
    expect_equal "$(stat -c '%a %Y' over/sub/b)" "$(stat -c '%a %Y' linked/a)"
    echo changed >over/sub/b
    expect_code 0 repo restore "latest:$work/linked" -t over --json
    expect_equal "$(field files_restored) $(field files_unchanged)" "1 1"
    cmp linked/a over/sub/b

    # A file system that takes names which differ in capitals for the same is like one with a file
    # mounted on the other: neither is the other's, and nothing is too much.
    # Of the size of those that are not made anew.
    mkdir -p capitals folded
    head -c 2000000 < <(yes upper) >capitals/A
    head -c 2000000 < <(yes lower) >capitals/a
    expect_code 0 repo snapshot "$work/capitals"
    head -c 2000000 < <(yes other) | tee folded/A >folded/a
    mount --bind folded/A folded/a
    mounts+=("$work/folded/a")
    touch folded/more
    expect_code 1 repo restore "latest:$work/capitals" -t folded --delete
    [ -e folded/more ] || fail "deleted where names are not told apart"
    expect_error "a: is one with another entry of its folder"
    cmp capitals/A folded/A
else
    skip "mount points: an ordinary user may not mount"
fi
echo "all as expected"
