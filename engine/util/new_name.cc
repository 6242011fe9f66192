#include "engine/util/new_name.h"

#include <fcntl.h>
#include <stdio.h>  // NOLINT(modernize-deprecated-headers): renameat2
#include <unistd.h>

#include <cerrno>

namespace coffre {

bool give_new_name(int folder, std::string const& temporary, std::string const& name) {
    int failed = ::linkat(folder, temporary.c_str(), folder, name.c_str(), 0);
    if (failed != 0 && lacks_links(errno)) {
        failed = ::renameat2(folder, temporary.c_str(), folder, name.c_str(), RENAME_NOREPLACE);
        if (failed == 0) return true;
    }
    int const error = errno;
    ::unlinkat(folder, temporary.c_str(), 0);
    errno = error;
    return failed == 0;
}

bool lacks_links(int error) {
    return error == EPERM || error == EOPNOTSUPP || error == ENOSYS;
}

}  // namespace coffre
