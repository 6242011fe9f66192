#!/usr/bin/env bash
# The passphrase is asked for on a terminal: twice at init, three tries later, never shown.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

# Answers each prompt as it comes; a test fails when a prompt does not come, or another does.
cat >terminal.py <<'PYTHON'
import os, pty, select, termios

def echo_is_on(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

def threads_of(process):
    return len(os.listdir(f"/proc/{process}/task"))

def run(arguments, answers, interrupt_at=None, at_prompt=lambda process: None):
    """The exit code and all that the terminal showed."""
    here, there = pty.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(here)
        for fd in (0, 1, 2):
            os.dup2(there, fd)
        import fcntl
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.execv(arguments[0], arguments)
    shown, seen = b"", 0
    for number, (prompt, answer) in enumerate(answers):
        while prompt.encode() not in shown[seen:]:
            assert select.select([here], [], [], 60)[0], f"no {prompt!r} in {shown!r}"
            shown += os.read(here, 4096)
        seen = shown.index(prompt.encode(), seen) + len(prompt)
        # The prompt is written before the echo goes off: wait for that, as a person would.
        while echo_is_on(there):
            select.select([], [], [], 0.005)
        at_prompt(child)
        os.write(here, b"\x03" if number == interrupt_at else answer.encode() + b"\n")
    _, status = os.waitpid(child, 0)
    while select.select([here], [], [], 0)[0]:
        shown += os.read(here, 65536)
    assert echo_is_on(there), "the terminal was left without echo"
    os.close(here)
    return os.waitstatus_to_exitcode(status), shown.decode()

def expect(code, text, result):
    assert result[0] == code, f"exit code {result[0]}, expected {code}: {result[1]}"
    assert text in result[1], f"no {text!r} in {result[1]!r}"
    assert "sesame" not in result[1], f"a passphrase was shown: {result[1]!r}"
PYTHON

cat >asked.py <<'PYTHON'
import os, signal, sys
from terminal import expect, run, threads_of

repo = sys.argv[1]
new, again, ask = "passphrase of the new repository: ", "once more: ", "passphrase of store: "
init = [repo, "init", "-r", "store"]
use = [repo, "snapshots", "-r", "store"]

expect(2, "differ", run(init, [(new, "open sesame"), (again, "open sesam")]))
assert not os.path.exists("store/config"), "a repository was made all the same"
expect(2, "empty", run(init, [(new, "")]))
expect(0, "made at store", run(init, [(new, "open sesame"), (again, "open sesame")]))
expect(0, "0 snapshots", run(use, [(ask, "open sesame")]))
expect(0, "try again", run(use, [(ask, "close sesame"), (ask, "sesame"), (ask, "open sesame")]))
expect(12, "Give the passphrase", run(use, [(ask, "sesame 1"), (ask, "sesame 2"), (ask, "sesame 3")]))
# Blanks and letters of any kind belong to it.
expect(0, "made", run([repo, "init", "-r", "second"], [(new, " sesame é "), (again, " sesame é ")]))
expect(0, "0 snapshots", run([repo, "snapshots", "-r", "second"], [("passphrase of second: ", " sesame é ")]))
# Nobody suspends it there: the shell would show what is typed afterwards.
expect(0, "made", run([repo, "init", "-r", "third"], [(new, "a\x1a sesame"), (again, "a\x1a sesame")]))
os.environ["REPO_PASSWORD"] = "a\x1a sesame"
expect(0, "0 snapshots", run([repo, "snapshots", "-r", "third"], []))
del os.environ["REPO_PASSWORD"]
# No question where there is nothing to ask.
expect(10, "repo init", run([repo, "snapshots", "-r", "missing"], []))
expect(0, "made", run([repo, "init", "-r", "plain", "--encryption", "none"], []))
expect(0, "0 snapshots", run([repo, "snapshots", "-r", "plain"], []))
# A key file that is not there opens nothing, and keeps nobody from typing.
gone = use + ["--key-file", "gone.key"]
expect(0, "gone.key: no such key file", run(gone, [(ask, "open sesame")]))
expect(11, "not encrypted", run([repo, "snapshots", "-r", "plain", "--key-file", "gone.key"], []))
os.environ["REPO_PASSWORD"] = "open sesame"
expect(0, "0 snapshots", run(use, []))
expect(0, "0 snapshots", run(gone, []))
del os.environ["REPO_PASSWORD"]
# Stopped at the prompt, it leaves the terminal as it was.
code, _ = run(use, [(ask, "")], interrupt_at=0)
assert code in (130, -signal.SIGINT), f"exit code {code} after Ctrl-C"
# Nobody writes to the terminal while somebody types: progress is shown by a thread of its own.
threads = []
for command in ("snapshots", "check", "repair"):
    result = run([repo, command, "-r", "store"], [(ask, "open sesame")],
                 at_prompt=lambda process: threads.append(threads_of(process)))
    assert result[0] == 0, f"{command}: {result}"
assert threads == [threads[0]] * 3, f"threads at the prompts: {threads}"
# A signal that the caller ignores is ignored after the prompt, too, also by what is started then.
expect(0, "added", run(["/usr/bin/env", "--ignore-signal=INT", repo, "key", "add", "-r", "store",
                        "--new-password-command", "kill -INT $$; echo another passphrase"],
                       [(ask, "open sesame")]))
PYTHON

expect_code 0 python3 asked.py "$program"
expect_no_error
# What was typed is what a file gives.
expect_code 0 env REPO_PASSWORD='open sesame' "$program" snapshots -r store
printf '\xef\xbb\xbfopen sesame\r\n' >passphrase
expect_code 0 repo snapshots -r store -p passphrase

# Ctrl-C in the middle of a check that has asked for the passphrase ends it as any other.
cat >interrupted.py <<'PYTHON'
import sys
from terminal import expect, run

expect(130, "Not all was looked at", run(sys.argv[1:], [("passphrase of store: ", "open sesame")]))
PYTHON
for i in 1 2 3; do
    head -c 10000 /dev/urandom >numbers
    expect_code 0 repo snapshot -q -r store -p passphrase numbers
done
mapfile -t packs < <(find "$work/store/packs" -type f)
check=("$program" check -r store --read-data --threads 1)
require_strace pread64 "${packs[0]}" "${check[@]}" -p passphrase
rm -rf cache # it remembers what that has read
expect_code 0 python3 interrupted.py "$(command -v strace)" -f -qq -o trace "${packs[@]/#/-P}" \
    -e trace=pread64 -e inject=pread64:signal=INT:when=1 "${check[@]}"
expect_no_error
echo "all as expected"
