#include "engine/repository/damage_notes.h"

#include <filesystem>
#include <fstream>

namespace coffre {

namespace {

std::string notes_in(std::string const& folder) {
    return folder + "/damaged";
}

}  // namespace

void note_damaged(std::string const& folder, PackId const& pack) {
    std::error_code ignored;
    std::filesystem::create_directory(notes_in(folder), ignored);
    std::ofstream(notes_in(folder) + "/" + pack.hex());
}

void note_sound(std::string const& folder, PackId const& pack) {
    std::error_code ignored;
    std::filesystem::remove(notes_in(folder) + "/" + pack.hex(), ignored);
}

std::set<PackId> noted_damaged(std::string const& folder) {
    std::set<PackId> packs;
    std::error_code absent;
    for (std::filesystem::directory_iterator it(notes_in(folder), absent), end;
         !absent && it != end; it.increment(absent)) {
        if (auto const pack = PackId::parse(it->path().filename().string())) packs.insert(*pack);
    }
    return packs;
}

}  // namespace coffre
