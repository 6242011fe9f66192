#!/usr/bin/env bash
# The passphrase is asked for on a terminal: twice at init, three tries later, never shown.
# shellcheck source=tests/cli/lib.bash
. "$(dirname "$0")/lib.bash"

# Answers each prompt as it comes; a test fails when a prompt does not come, or another does.
cat >terminal.py <<'PYTHON'
import os, pty, select, signal, sys, termios

def echo_is_on(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)

def run(arguments, answers, interrupt_at=None):
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
PYTHON

expect_code 0 python3 terminal.py "$program"
expect_no_error
# What was typed is what a file gives.
expect_code 0 env REPO_PASSWORD='open sesame' "$program" snapshots -r store
printf '\xef\xbb\xbfopen sesame\r\n' >passphrase
expect_code 0 repo snapshots -r store -p passphrase
echo "all as expected"
