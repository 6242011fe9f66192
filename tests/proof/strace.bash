# What the scripts share that have strace kill the program, or fail its calls of the system.
# Sourced after tests/cli/lib.bash.
# shellcheck shell=bash

strace -f --seccomp-bpf -o "$work/trace" -e inject=fsync:error=EIO:when=1 true 2>/dev/null ||
    skip_all "strace cannot be used here"

limit=400 # of N: more than any run makes
stride=1
[ "${COFFRE_PROOF_LONG-}" = 1 ] || stride=2
runs=0 failed_runs=0

make_source() {
    mkdir -p src/deep
    head -c 150000 /dev/urandom >src/noise
    seq 1 20000 >src/numbers
    seq 1 "$1" >src/deep/small
}

# inject SYSTEM-CALLS WHAT N COMMAND...: its exit code in $code; false when no call was met.
# strace counts calls by thread; what other threads did by then varies.
inject() {
    local calls=$1 what=$2 number=$3
    shift 3
    code=0
    # In braces, for the shell to be silent about the kill.
    { strace -f --seccomp-bpf -o trace -e trace="$calls" -e "inject=$calls:$what:when=$number" \
        "$program" --threads 1 "$@" >out 2>err; } 2>/dev/null || code=$?
    runs=$((runs + 1))
    if [ "$code" != 0 ]; then failed_runs=$((failed_runs + 1)); fi
    grep -q INJECTED trace || [ "$code" = 137 ]
}

# code_of WHAT ARGUMENTS...: of the program, which must do well after what has happened.
code_of() {
    local what=$1
    shift
    "$program" "$@" >out 2>err || fail "$what: then \`repo $*\` exits with $?: $(head -c 600 err)"
}

# What expect_whole compares with: from now on src and src.first stay as they are.
note_sources() {
    listing src >src.listing
    listing src.first >first.listing
}

# expect_whole WHAT: the snapshot $first of src, as it is in src.first, and the next one, as src is now.
expect_whole() {
    local what=$1
    rm -rf restored
    code_of "$what" restore "$first:$work/src" -t restored
    expect_listed src.first restored first.listing
    code_of "$what" snapshot -q src
    rm -rf restored
    code_of "$what" restore "latest:$work/src" -t restored
    expect_listed src restored src.listing
}
