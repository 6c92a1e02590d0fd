// Small choices about packets that the configuration names and the data path carries out. With
// address.h, all that dataplane/ may see of conf/.
#pragma once

#include <cstdint>

namespace causeway::conf {

enum class Polling : std::uint8_t { busy, adaptive };
enum class Cores : std::uint8_t { automatic, single, spread, lend };
enum class DfPolicy : std::uint8_t { copy, set, clear, ignore };
enum class DscpPolicy : std::uint8_t { copy, set };
enum class EcnPolicy : std::uint8_t { automatic, normal, compatibility };  // RFC 6040; automatic: by IKE version

}  // namespace causeway::conf
