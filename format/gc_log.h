// The objects `gclog/<n>` and `forgets/<sid>`: what may no longer be relied on, in one linear log,
// and which snapshots are given up.
//
// docs/format.md, sections "gclog" and "forgets".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/object.h"

namespace coffre {

enum class LogKind : std::uint8_t { condemn = 1, sweep = 2, checkpoint = 3, wait = 4 };

struct LogRecord {
    LogKind kind = LogKind::condemn;
    std::vector<PackId> packs;      // condemned or swept here; checkpoint: every name ever swept
    std::vector<BundleId> bundles;  // replaced here
    std::vector<SessionId> slots;   // checkpoint: closed for ever; wait: of sessions that are open

    // Whether `packs` are gone for good.
    bool sweeps() const { return kind == LogKind::sweep || kind == LogKind::checkpoint; }

    bool operator==(LogRecord const&) const = default;
};

struct ForgetRecord {
    std::int64_t time_ns = 0;
    std::string reason;

    bool operator==(ForgetRecord const&) const = default;
};

Bytes encode_log_record(LogRecord const& record);
LogRecord decode_log_record(ByteView bytes);

Bytes encode_forget(ForgetRecord const& record);
ForgetRecord decode_forget(ByteView bytes);

// Signed payloads end in an Ed25519 signature of 64 bytes over authenticated data | content.
inline constexpr std::size_t signature_size = 64;

}  // namespace coffre
