// The names of objects in a repository.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "engine/util/paths.h"
#include "format/id.h"

namespace coffre::names {

inline std::string const config = "config";
inline std::string const reserve = "reserve";  // no object: room, see engine/repository/reserve.h

inline std::string key_slot(SlotId const& id) {
    return "keys/" + id.hex();
}
inline std::string pack(PackId const& id) {
    std::string const hex = id.hex();
    return "packs/" + hex.substr(0, 2) + "/" + hex;
}
// Nothing when no pack has such a name.
inline std::optional<PackId> pack_of(std::string const& name) {
    auto const id = PackId::parse(last_component(name));
    return id && pack(*id) == name ? id : std::nullopt;
}
inline std::string bundle(BundleId const& id) {
    return "bundles/" + id.hex();
}
inline std::string session(SessionId const& id) {
    return "sessions/" + id.hex();
}
inline std::string heartbeat(SessionId const& id, std::uint64_t beat) {
    return session(id) + "." + std::to_string(beat);
}
inline std::string published(SessionId const& id) {
    return session(id) + ".published";
}
inline std::string snapshot(SessionId const& id) {
    return "snapshots/" + id.hex();
}
inline std::string forget(SessionId const& id) {
    return "forgets/" + id.hex();
}
inline std::string log_record(std::uint64_t number) {
    std::string const digits = std::to_string(number);
    return "gclog/" + std::string(16 - digits.size(), '0') + digits;
}
// Nothing when no record has such a name. There will never be 10^15.
inline std::optional<std::uint64_t> number_of_log_record(std::string const& name) {
    std::string const digits = last_component(name);
    bool const is_number = digits.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number || digits.size() != 16 || digits[0] != '0') return std::nullopt;
    std::uint64_t const number = std::stoull(digits);
    return log_record(number) == name ? std::optional(number) : std::nullopt;
}
// What is damaged and set aside: no object of the repository any more.
inline std::string quarantined(std::string const& name) {
    std::string flat = name;
    std::replace(flat.begin(), flat.end(), '/', '-');
    return "quarantine/" + flat;
}
// What is in a repository's folder and is no object of it.
inline bool is_no_object(std::string const& name) {
    return name.starts_with("quarantine/") || name == reserve;
}

}  // namespace coffre::names
