#include "engine/util/new_name.h"

#include <fcntl.h>
#include <stdio.h>  // NOLINT(modernize-deprecated-headers): renameat2
#include <unistd.h>

#include <cerrno>

namespace coffre {

bool give_new_name(int folder, std::string const& temporary, std::string const& name) {
    if (::renameat2(folder, temporary.c_str(), folder, name.c_str(), RENAME_NOREPLACE) == 0)
        return true;
    bool const is_unknown_here = errno == EINVAL || errno == ENOSYS;
    bool const is_linked =
        is_unknown_here && ::linkat(folder, temporary.c_str(), folder, name.c_str(), 0) == 0;
    int const error = errno;
    ::unlinkat(folder, temporary.c_str(), 0);
    errno = error;
    return is_linked;
}

bool lacks_links(int error) {
    return error == EPERM || error == EOPNOTSUPP || error == ENOSYS;
}

}  // namespace coffre
