// How things are shown: sizes, times, names of any bytes, JSON.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/context.h"
#include "engine/check.h"

namespace coffre::cli {

// Lines on standard output and standard error. Data go to the first, all else to the second.
// print() throws SourceError when standard output is full or closed.
void print(std::string const& line);
void print_bytes(ByteView bytes);
void print_error(std::string const& line);

std::string size_text(std::uint64_t bytes);     // "1.24 GiB"
std::string rate_text(double bytes_a_second);   // "1.24 GiB/s"
std::string number_text(std::uint64_t number);  // "12,524"
TimePoint time_point(std::int64_t ns);          // counts forward also before 1970
std::string time_text(std::int64_t ns);         // local: "2026-08-02 13:00:05"
std::string time_text(TimePoint const& time);   // also where 64 bits of nanoseconds end
std::string rfc3339(std::int64_t ns);           // with nanoseconds and offset
std::string rfc3339(TimePoint const& time);
std::string duration_text(double seconds);
std::string age_text(std::int64_t seconds);  // "20 days", rounded down; "0 s" of what lies ahead
// Control characters and bytes that are not UTF-8 are shown as \xNN.
std::string printable(std::string const& text);
std::string joined(std::vector<std::string> const& texts, char const* separator);  // each printable
// Throws std::invalid_argument. "10M" is 10 MiB.
std::uint64_t parse_size(std::string const& text);
// Seconds. Throws std::invalid_argument. "90s", "10m", "26h" or "30d"; there is no other unit.
std::int64_t parse_duration(std::string const& text);

// Sets `key`, and `key`_b64 beside it when the text is not UTF-8.
void put_text(nlohmann::json& document, std::string const& key, std::string const& text);
void put_texts(nlohmann::json& document, std::string const& key,
               std::vector<std::string> const& texts);
// A failure that does not end the command, on standard error.
void print_failure(GlobalOptions const& options, std::string const& message);
// No failure at all, but something to know; there too.
void print_warning(GlobalOptions const& options, std::string const& message);
nlohmann::json snapshot_json(NamedSnapshot const& named);
// "all packs; the oldest 20 days ago"
std::string verification_text(Verification const& verification, std::int64_t now_s);
// "  (incomplete)" of a snapshot whose sources could not all be read whole, else "".
std::string incomplete_mark(Snapshot const& snapshot);
// "2 sources could not be read whole"
std::string unread_text(Snapshot const& snapshot);
// That a repository lies beside these paths.
std::string same_disk_text(std::vector<std::string> const& paths);

}  // namespace coffre::cli
