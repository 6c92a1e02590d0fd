// The values to type into a cloud's console so that it fits a tunnel of ours, field by field. Computed from the
// effective configuration: what is printed is what is negotiated.
#pragma once

#include <string>
#include <vector>

#include "conf/cloud.h"
#include "conf/config.h"

namespace causeway::conf {

enum class Language : std::uint8_t { english, chinese };

struct ConsoleField {
  std::string parameter;  // "ike_group": the same in every language and cloud
  std::string label;      // the console's own where it is known for sure, else the parameter's plain name
  bool verified = false;  // the label is the console's own
  std::string value;
};

struct ConsoleSheet {
  std::string tunnel, cloud, title;
  Language language = Language::english;
  std::vector<ConsoleField> fields;  // in the console's order; what does not apply is left out
  std::vector<std::string> hints;
};

// `behind_nat`: it was found that the peer sees us under another address.
// The pre-shared key itself is never among the values: its length is, and where it stands.
ConsoleSheet console_sheet(const Config& config, const Tunnel& tunnel, const Cloud& cloud, Language language,
                           bool behind_nat = false);

// Every parameter that a profile may name.
std::vector<std::string_view> console_parameters();

}  // namespace causeway::conf
