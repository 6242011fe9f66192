// Bytes that come from somewhere else than a file: standard input, a command's output.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/bytes.h"

namespace coffre {

// One named stream of a snapshot. Read by one thread.
class StreamSource {
public:
    StreamSource() = default;
    StreamSource(StreamSource const&) = delete;
    StreamSource& operator=(StreamSource const&) = delete;
    virtual ~StreamSource() = default;

    // What the stream is called at the root of the snapshot's tree.
    virtual std::string const& name() const = 0;
    // Fills `into` as far as the stream goes; fewer bytes than asked for mean its end.
    // Throws RepositoryError{stream_failed}: a stream is whole or there is no snapshot.
    virtual std::size_t read(std::span<std::byte> into) = 0;
    // Called once, after the end: throws RepositoryError{stream_failed} when the source says that
    // what it gave is not whole.
    virtual void finish() = 0;
    // Called from another thread when nobody wants the rest: a read() or finish() that waits should
    // then throw.
    virtual void cancel() {}
    // Begins anew, wherever it was. False when what it gave cannot be had again.
    // Throws RepositoryError{stream_failed}.
    virtual bool restart() { return false; }
};

// The file descriptor `fd`, which is not closed.
std::unique_ptr<StreamSource> stream_from_fd(std::string name, int fd);

// The standard output of a program; started at once, its own standard input empty, its messages
// passed on. It cannot ask on the terminal. finish() fails unless it exits with 0. `argv[0]` is
// looked up in PATH. restart() ends it and starts another. Throws RepositoryError{stream_failed}
// when it cannot be started.
std::unique_ptr<StreamSource> stream_from_command(std::string name,
                                                  std::vector<std::string> const& argv);

}  // namespace coffre
