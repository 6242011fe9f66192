// repo init: a new repository.
#include <fmt/format.h>

#include <bit>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

struct InitArguments {
    std::string encryption = "on";
    std::string kdf = "standard";
    std::string chunk_size = "64K";
};

// By an option. What the environment names may be other repositories'.
bool is_key_named(GlobalOptions const& options) {
    return !options.password_file.empty() || !options.password_command.empty() ||
           (!options.key_file.empty() && options.key_file != environment("REPO_KEY_FILE"));
}

InitOptions init_options(InitArguments const& arguments) {
    InitOptions init;
    init.mode = arguments.encryption == "none" ? Mode::none : Mode::encrypted;
    init.kdf = arguments.kdf == "strong" ? KdfStrength::strong : KdfStrength::standard;
    auto const average = parse_size(arguments.chunk_size);
    if (!std::has_single_bit(average) || average < 256 || average > 1U << 20U)
        throw std::invalid_argument("--chunk-size: a power of two from 256 to 1M");
    init.chunker.average = static_cast<std::uint32_t>(average);
    init.chunker.min = init.chunker.average / 4;
    init.chunker.max = init.chunker.average * 8;
    return init;
}

Credentials credentials_of(GlobalOptions const& options, Mode mode) {
    if (mode == Mode::encrypted) return credentials_for_new(options);
    if (!is_key_named(options)) return {};
    throw std::invalid_argument(
        "--encryption none: such a repository has no key; leave out the key file or passphrase");
}

void print_made(GlobalOptions const& options, std::string const& id, InitOptions const& init,
                std::string const& key_file) {
    print("repository " + id.substr(0, 8) + " made at " + printable(repository_location(options)));
    if (!key_file.empty()) print(printable(key_file));
    if (init.mode == Mode::encrypted) {
        print("Keep the passphrase or key file in a second place: without it nothing can be read.");
    } else {
        print("Not encrypted: whoever can read the folder can read what is saved.");
    }
}

int run_init(GlobalOptions const& options, InitArguments const& arguments) {
    InitOptions const init = init_options(arguments);
    Credentials const credentials = credentials_of(options, init.mode);
    std::string key_file;
    if (auto const& path = credentials.key_file) {
        key_file = fmt::format("key file {} {}", printable(*path),
                               std::filesystem::exists(*path) ? "was there, and opens it" : "made");
    }
    auto const repository =
        init_repository(repository_location(options), init, credentials, open_options(options));
    std::string const id = repository_id(*repository).hex();
    if (options.json) {
        nlohmann::json document{{"message_type", "initialized"}, {"id", id}};
        put_text(document, "repository", repository_location(options));
        print(document.dump());
    } else if (!options.quiet) {
        print_made(options, id, init, key_file);
    }
    return exit_code::ok;
}

}  // namespace

void add_init(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("init", "make a repository");
    auto const arguments = std::make_shared<InitArguments>();
    command->add_option("--encryption", arguments->encryption, "on, or none (integrity only)")
        ->check(CLI::IsMember({"on", "none"}));
    command
        ->add_option("--kdf", arguments->kdf,
                     "cost of a passphrase guess: standard (64 MiB) or strong (1 GiB)")
        ->check(CLI::IsMember({"standard", "strong"}));
    command->add_option("--chunk-size", arguments->chunk_size,
                        "average size of chunks, a power of two (64K)");
    command->footer(R"(Examples:
  repo init -r /mnt/backup/media                      asks for a passphrase
  repo init -r /mnt/backup/media --key-file /root/media.key
  repo init -r /mnt/backup/media -p /root/passphrase --kdf strong)");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_init(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
