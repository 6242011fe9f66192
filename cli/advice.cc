#include "cli/advice.h"

#include <map>

#include "cli/context.h"

namespace coffre::cli {

namespace {

std::string advice_when_full(std::string const& command) {
    if (command == "restore") {
        return "Make room and run it again: until then files may be restored in part.";
    }
    return "What was saved before is whole. Make room and run it again: what was done counts.";
}

// The others leave nothing behind.
std::string advice_when_interrupted(std::string const& command) {
    static std::map<std::string, char const*> const advice{
        {"snapshot", "No snapshot was made; the next run goes on from what was stored."},
        {"copy", "What was copied stays; the next run goes on from what was stored."},
        {"restore",
         "Run it again, with the ID of the snapshot: until then files may be restored in part, and "
         "`latest` may be one that holds them so."},
        {"check", "Not all was looked at. What was read counts for --max-age."},
        {"repair", "Run it again: what was mended stays so."},
        {"forget", "Run it again: it takes up what was begun."},
        {"prune", "Run it again: it takes up what was begun."}};
    auto const found = advice.find(command);
    return found == advice.end() ? "" : found->second;
}

}  // namespace

int exit_code_of(RepositoryFailure failure) {
    switch (failure) {
        case RepositoryFailure::failed:
        case RepositoryFailure::denied:
            return exit_code::failed;
        case RepositoryFailure::not_found:
            return 10;
        case RepositoryFailure::unusable:
        case RepositoryFailure::fenced:
            return 11;
        case RepositoryFailure::wrong_key:
            return 12;
        case RepositoryFailure::config_lost:
        case RepositoryFailure::corrupt:
            return exit_code::integrity;
        case RepositoryFailure::no_space:
            return 21;
        case RepositoryFailure::stream_failed:
            return 22;
        case RepositoryFailure::rolled_back:
            return 27;
        case RepositoryFailure::interrupted:
            return 130;
    }
    return exit_code::failed;
}

std::string advice_for(RepositoryFailure failure, std::string const& command) {
    switch (failure) {
        case RepositoryFailure::not_found:
            return "Check -r/--repo, mount the disk, or make a repository there with `repo init`.";
        case RepositoryFailure::fenced:
            return "Nothing is lost: run the command again.";
        case RepositoryFailure::wrong_key:
            return "Give the passphrase with -p FILE, --password-command or REPO_PASSWORD, or a "
                   "key with --key-file; what REPO_KEY_FILE names is tried, too.";
        case RepositoryFailure::config_lost:
            return "Bring the file `config` back from a copy, such as the one kept with the key: "
                   "until then nothing can be read, checked or repaired.";
        case RepositoryFailure::corrupt:
            return "`repo check --read-data` lists all that is damaged, `repo repair` says what "
                   "can be mended.";
        case RepositoryFailure::no_space:
            return advice_when_full(command);
        case RepositoryFailure::stream_failed:
            return "No snapshot was made.";
        case RepositoryFailure::interrupted:
            return advice_when_interrupted(command);
        case RepositoryFailure::denied:
            return "Run it as the user whose repository it is, or give this one the right to read.";
        case RepositoryFailure::failed:
        case RepositoryFailure::unusable:  // the message says what it takes
        case RepositoryFailure::rolled_back:
            break;
    }
    return "";
}

}  // namespace coffre::cli
