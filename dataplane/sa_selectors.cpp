#include "dataplane/sa_selectors.h"

#include <algorithm>

namespace causeway::dataplane {

CompactSelector CompactSelector::of(const conf::Selector& s) {
  CompactSelector out;
  out.family = static_cast<std::uint8_t>(s.first.family);
  if (s.first.family == conf::Family::v4) {
    out.first_v4 = s.first.v4();
    out.last_v4 = s.last.v4();
  } else {
    std::copy(s.first.octets.begin(), s.first.octets.end(), out.first_v6);
    std::copy(s.last.octets.begin(), s.last.octets.end(), out.last_v6);
  }
  out.first_port = s.first_port;
  out.last_port = s.last_port;
  out.protocol = s.protocol;
  return out;
}

}  // namespace causeway::dataplane
