#include "engine/crypto/wide_aes.h"

#ifdef COFFRE_HAS_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <sodium.h>

#include "engine/util/raw_bytes.h"

namespace coffre {

namespace {

// The library's table of functions for this processor, or none: after its self-test, and kept for
// as long as the program runs.
IMB_MGR* usable_library() {
    IMB_MGR* const library = ::alloc_mb_mgr(0);
    if (library == nullptr) return nullptr;
    IMB_ARCH form = IMB_ARCH_NONE;
    ::init_mb_mgr_auto(library, &form);
    constexpr std::uint64_t needed = IMB_FEATURE_VAES | IMB_FEATURE_SELF_TEST_PASS;
    bool const is_usable = ::imb_get_errno(library) == 0 && form == IMB_ARCH_AVX512 &&
                           (library->features & needed) == needed;
    if (is_usable) return library;
    ::free_mb_mgr(library);
    return nullptr;
}

IMB_MGR* library() {
    static IMB_MGR* const found = usable_library();
    return found;
}

// The key's schedule, and what a call works on: wiped when they go.
class Schedule {
public:
    explicit Schedule(SecretKey const& key) { IMB_AES256_GCM_PRE(library(), key.data(), &data_); }
    ~Schedule() {
        ::sodium_memzero(&data_, sizeof data_);
        ::sodium_memzero(&state_, sizeof state_);
    }
    Schedule(Schedule const&) = delete;
    Schedule& operator=(Schedule const&) = delete;
    Schedule(Schedule&&) = delete;
    Schedule& operator=(Schedule&&) = delete;

    gcm_key_data const* data() const { return &data_; }
    gcm_context_data* state() { return &state_; }

private:
    gcm_key_data data_;
    gcm_context_data state_;
};

// The library tells of no failure: it refuses nothing but absent memory and more than 64 GiB.
void wide_encrypt(SecretKey const& key, ByteView authenticated, ByteView content,
                  std::span<std::byte> sealed) {
    Schedule schedule(key);
    IMB_AES256_GCM_ENC(library(), schedule.data(), schedule.state(), raw(sealed), raw(content),
                       content.size(), aead_nonce.data(), raw(authenticated), authenticated.size(),
                       raw(sealed.last(aead_tag_size)), aead_tag_size);
}

bool wide_decrypt(SecretKey const& key, ByteView authenticated, ByteView sealed,
                  std::span<std::byte> content) {
    Schedule schedule(key);
    std::array<unsigned char, aead_tag_size> tag{};
    IMB_AES256_GCM_DEC(library(), schedule.data(), schedule.state(), raw(content), raw(sealed),
                       content.size(), aead_nonce.data(), raw(authenticated), authenticated.size(),
                       tag.data(), tag.size());
    return ::sodium_memcmp(tag.data(), raw(sealed.last(aead_tag_size)), tag.size()) == 0;
}

}  // namespace

std::optional<Aead> wide_aes() {
    return library() != nullptr ? std::optional(Aead{wide_encrypt, wide_decrypt}) : std::nullopt;
}

}  // namespace coffre

#else

namespace coffre {

std::optional<Aead> wide_aes() {
    return std::nullopt;
}

}  // namespace coffre

#endif
