// What `causewayd --check` prints: a configuration in plain words.
#pragma once

#include <string>

#include "conf/loader.h"

namespace causeway::conf {

// Per port: device, addresses, trusted or not and why. Per tunnel: whom it talks to, from where, what it
// protects, proposals, lifetimes, when it starts. Then the notes. Lines end with '\n'.
std::string describe(const Loaded& loaded);

}  // namespace causeway::conf
