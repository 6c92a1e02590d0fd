// Small files that hold keys and certificates, read whole into memory that is wiped.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "crypto/secrets.h"

namespace causeway::crypto {

// At most 1 MiB. `secret`: a file that everybody may read is refused. The error is one sentence with the path.
tl::expected<Secret, std::string> read_file(const std::string& path, bool secret);

}  // namespace causeway::crypto
