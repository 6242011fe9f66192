// Whether this program was built with a sanitizer, which makes it slower and larger.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#if defined(__has_feature)
#define COFFRE_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COFFRE_SANITIZED 1
#else
#define COFFRE_SANITIZED 0
#endif

namespace coffre::test {

inline constexpr bool is_sanitized = COFFRE_SANITIZED;

}  // namespace coffre::test
