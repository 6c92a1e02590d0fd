// Another gateway's configuration, turned into ours: a strongSwan swanctl.conf, or the commands of a FortiGate
// (`config vpn ipsec phase1-interface`) or of RouterOS (`/ip ipsec peer add`).
//
// What means the same here is carried over; what does not is named with its line. Ports are not in those files:
// the result has placeholders for them, marked FILL IN. Pre-shared keys never stand in the result: each goes to
// a file of its own.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "conf/config.h"
#include "conf/psk.h"

namespace causeway::conf {

enum class ImportFormat : std::uint8_t { swanctl, fortigate, routeros };
std::string_view format_name(ImportFormat format);  // "strongSwan swanctl.conf"

struct ImportNote {
  int line = 0;  // of the imported text; 0: about no one line
  std::string text;
};

struct ImportedKey {
  std::string file;    // "hangzhou.psk", beside the result
  WipedOctets octets;  // as the file is to hold them; empty: not in the text (left out, or encrypted)
};

struct Imported {
  ImportFormat format = ImportFormat::swanctl;
  Config config;                  // tunnels; ports where the text says something of them
  std::vector<ImportNote> notes;  // what could not be carried, or is worth a look
  std::vector<ImportedKey> keys;
};

// The format is found by what the text looks like. The error is one sentence. Never throws.
tl::expected<Imported, std::string> import_text(std::string_view text);

// The result as a configuration file, with its notes as comments. `cloud`: a profile to put the tunnels on, or
// empty. `source` names the imported file in a comment.
std::string imported_config(const Imported& imported, const std::string& cloud, const std::string& source);

}  // namespace causeway::conf
