// repo key: the passphrases and key files that open a repository.
#include "engine/keys.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

struct KeyArguments {
    NewKeySource source;
    std::string label;
    std::string kdf = "standard";
    std::string id;
    bool recovery = false;
    bool force = false;
    bool dry_run = false;
    bool drop_others = false;
};

std::string kind_of(KeySlotDescription const& slot) {
    return slot.prefix.kind == SlotKind::passphrase ? "passphrase" : "key file";
}

nlohmann::json json_of(KeySlotDescription const& slot) {
    nlohmann::json document{
        {"id", slot.id},
        {"kind", slot.prefix.kind == SlotKind::passphrase ? "passphrase" : "key_file"},
        {"created", rfc3339(slot.info.created_ns)},
        {"kdf_passes", slot.prefix.cost.passes},
        {"kdf_memory_kib", slot.prefix.cost.memory_kib},
        {"epochs", slot.prefix.epochs},
        {"current", slot.is_current},
        {"outdated", slot.is_outdated}};
    put_text(document, "label", slot.info.label);
    put_text(document, "hostname", slot.info.host);
    return document;
}

void print_list(KeySlotList const& list) {
    for (auto const& slot : list.slots) {
        char const* const mark = slot.is_current ? "*" : " ";
        print(fmt::format("{}{}  {}  {:10}  {}{}{}", mark, slot.id.substr(0, 8),
                          time_text(slot.info.created_ns), kind_of(slot), printable(slot.info.host),
                          slot.info.label.empty() ? "" : "  " + printable(slot.info.label),
                          slot.is_outdated ? "  (outdated: opens nothing new)" : ""));
    }
    print("* opened the repository just now");
}

int run_list(GlobalOptions const& options) {
    auto const list = list_keys(*open(options));
    if (options.json) {
        auto document = nlohmann::json::array();
        for (auto const& slot : list.slots) document.push_back(json_of(slot));
        print(document.dump());
    } else {
        print_list(list);
    }
    for (auto const& slot : list.damaged) print_failure(options, slot.message);
    return list.damaged.empty() ? exit_code::ok : exit_code::integrity;
}

int report_done(GlobalOptions const& options, char const* what, std::string const& id) {
    if (options.json) {
        print(nlohmann::json{{"message_type", "key"}, {"done", what}, {"id", id}}.dump());
    } else if (!options.quiet) {
        print(fmt::format("key {} {}", id.substr(0, 8), what));
    }
    return exit_code::ok;
}

// Before it replaces anything: a key that nobody saw must never be the only one.
void show_recovery_key(GlobalOptions const& options, std::string const& key) {
    if (options.json) {
        return print(
            nlohmann::json{{"message_type", "recovery_key"}, {"recovery_key", key}}.dump());
    }
    print("recovery key  " + key);
    if (options.quiet) return;
    print(
        "Print it or write it down, and keep it away from this machine. Type it where a "
        "passphrase is asked for.");
}

NewKey choose_key(GlobalOptions const& options, KeyArguments const& arguments) {
    NewKey key;
    key.kdf = arguments.kdf == "strong" ? KdfStrength::strong : KdfStrength::standard;
    key.label = arguments.label;
    if (!arguments.recovery) {
        key.credentials = new_credentials(options, arguments.source);
        return key;
    }
    if (!arguments.source.empty()) throw std::invalid_argument("give one new key at a time");
    key.credentials.passphrase = make_recovery_key();
    if (key.label.empty()) key.label = "recovery key";
    show_recovery_key(options, *key.credentials.passphrase);
    return key;
}

constexpr char const* may_count =
    "; keep the recovery key above until `repo key list` has shown, with another key or with this "
    "one, whether it counts";

// A recovery key is shown before it is stored, so that nobody loses one that counts.
template <class Action>
std::string storing_key(KeyArguments const& arguments, Action const& action) {
    try {
        return action();
    } catch (RepositoryError const& error) {
        if (!arguments.recovery) throw;
        throw RepositoryError(error.kind(), error.what() + std::string(may_count));
    } catch (SourceError const& error) {
        if (!arguments.recovery) throw;
        throw SourceError(error.path(), error.what() + std::string(may_count));
    }
}

// What was given to open it may open it no longer.
void print_what_is_next(GlobalOptions const& options, std::string const& what) {
    if (!options.quiet && !options.json) print(what);
}

int run_add(GlobalOptions const& options, KeyArguments const& arguments) {
    auto const repository = open(options);
    auto const key = choose_key(options, arguments);
    return report_done(options, "added",
                       storing_key(arguments, [&] { return coffre::add_key(*repository, key); }));
}

// Of two that were given, the one that opened it may not be the one that is meant.
void require_one_old_key(GlobalOptions const& options) {
    if (!gives_two_keys(options)) return;
    throw std::invalid_argument(
        "both a passphrase and a key file are given, as options or in the environment: give only "
        "the one that is to be replaced");
}

int run_passwd(GlobalOptions const& options, KeyArguments const& arguments) {
    require_one_old_key(options);
    auto const repository = open(options);
    auto const key = choose_key(options, arguments);
    auto const id = storing_key(arguments, [&] { return replace_key(*repository, key); });
    int const code = report_done(options, "is in the place of the one you used", id);
    print_what_is_next(options,
                       "the next command needs the new key: change REPO_KEY_FILE, or "
                       "whatever names the old one, in your jobs");
    return code;
}

int run_remove(GlobalOptions const& options, KeyArguments const& arguments) {
    auto const repository = open(options);
    auto const removal = arguments.force ? KeyRemoval::forced : KeyRemoval::careful;
    std::string const id = arguments.dry_run ? removable_key(*repository, arguments.id, removal)
                                             : remove_key(*repository, arguments.id, removal);
    return report_done(options, arguments.dry_run ? "would be removed" : "removed", id);
}

// Whoever may no longer open the repository should hear of it before, not after.
void require_consent(Repository& repository, KeyArguments const& arguments) {
    auto const list = list_keys(repository);
    if (list.slots.size() + list.damaged.size() < 2 || arguments.drop_others) return;
    throw std::invalid_argument(fmt::format(
        "the repository has {} other keys, which a rekey removes: add --drop-other-keys, and make "
        "them again afterwards",
        list.slots.size() + list.damaged.size() - 1));
}

int run_rekey(GlobalOptions const& options, KeyArguments const& arguments) {
    auto const repository = open(options);
    require_consent(*repository, arguments);
    auto const key = choose_key(options, arguments);
    bool const is_known = opens_already(*repository, key.credentials);
    auto const id = storing_key(arguments, [&] { return rekey(*repository, key); });
    int const code = report_done(options, "opens the new master secret", id);
    print_what_is_next(
        options,
        "no other key opens it now. The next command needs the new one: change REPO_KEY_FILE, or "
        "whatever\nnames the old one, in your jobs; make a recovery key again (`repo key add "
        "--recovery`), and a new\ncopy of `config` and `keys/`. Runs that are open store under the "
        "old secret to their end.");
    if (is_known) {
        print_warning(options,
                      "the key that is left is one that there was before: whoever has got hold of "
                      "it can read what is stored from now on, too");
    }
    return code;
}

void add_source_options(CLI::App& command, KeyArguments& a) {
    command.add_option("--new-password-file", a.source.password_file,
                       "file that holds the new passphrase");
    command.add_option("--new-password-command", a.source.password_command,
                       "shell command that prints the new passphrase");
    command.add_option("--new-key-file", a.source.key_file,
                       "new key file (32 bytes; made when it does not exist)");
    command.add_flag("--recovery", a.recovery, "make a recovery key and print it");
    command.add_option("--label", a.label, "what to call the key");
    command.add_option("--kdf", a.kdf, "cost of a guess: standard (64 MiB) or strong (1 GiB)")
        ->check(CLI::IsMember({"standard", "strong"}));
}

using Run = int (*)(GlobalOptions const&, KeyArguments const&);

// The commands below `key`; they share the arguments.
class KeyCommands {
public:
    KeyCommands(CLI::App& key, Context& context)
        : key_(key), context_(context), arguments_(std::make_shared<KeyArguments>()) {}

    CLI::App* add(char const* name, char const* what, Run run) {
        auto* const command = key_.add_subcommand(name, what);
        command->callback([&context = context_, arguments = arguments_, run] {
            context.run = [&context, arguments, run] { return run(context.options, *arguments); };
        });
        return command;
    }
    CLI::App* add_with_source(char const* name, char const* what, Run run) {
        auto* const command = add(name, what, run);
        add_source_options(*command, *arguments_);
        return command;
    }
    KeyArguments& arguments() { return *arguments_; }

private:
    CLI::App& key_;
    Context& context_;
    std::shared_ptr<KeyArguments> arguments_;
};

}  // namespace

void add_key(CLI::App& app, Context& context) {
    auto* const key = app.add_subcommand("key", "passphrases and key files: list, add, remove");
    key->require_subcommand(1);
    // First, for it is what the commands below inherit.
    key->footer(R"(Examples:
  repo key list
  repo key add --recovery                             prints a key for the safe
  repo key add --new-key-file /root/media.key --label "nightly job"
  repo key passwd                                     asks for the new passphrase
  repo key remove 3f9a12c4
  repo key rekey --drop-other-keys                    after a key has leaked

Whoever had a removed key and a copy of the repository's keys/ can still open that copy. After a
rekey he cannot read what is stored from then on.)");
    KeyCommands commands(*key, context);
    commands.add(
        "list", "the keys that open the repository",
        [](GlobalOptions const& options, KeyArguments const&) { return run_list(options); });
    commands.add_with_source("add", "add a key", run_add);
    commands.add_with_source("passwd", "put a new key in the place of the one you use", run_passwd);
    auto* const remove = commands.add("remove", "remove a key", run_remove);
    remove->add_option("id", commands.arguments().id, "the key, as `key list` names it")
        ->required();
    remove->add_flag("--force", commands.arguments().force,
                     "also the key that you opened the repository with, or a damaged one");
    remove->add_flag("-n,--dry-run", commands.arguments().dry_run,
                     "remove nothing, say what would be");
    commands
        .add_with_source(
            "rekey", "draw a new master secret for what is stored from now on, and keep one key",
            run_rekey)
        ->add_flag("--drop-other-keys", commands.arguments().drop_others, "remove all other keys");
}

}  // namespace coffre::cli
