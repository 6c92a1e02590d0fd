// Reads a configuration file into typed values, with every error at once.
//
// The file is libconfig (its grammar: groups {}, lists (), arrays []). Unknown keys are refused with
// the nearest known name. What needs more than the file to judge (does a proposal's algorithm exist,
// does a host name resolve) is not judged here: see ProposalCheck, and Loaded::report for adding more.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "conf/complaint.h"
#include "conf/config.h"

namespace causeway::conf {

enum class ProposalKind : std::uint8_t { ike, esp };

// Judges one proposal ("aes256gcm16-prfsha384-ecp384") of a tunnel: what is wrong with it, or nothing.
// conf only checks its shape, since the algorithms are the crypto room's.
using ProposalCheck =
    std::function<std::optional<std::string>(ProposalKind kind, std::string_view proposal, const Tunnel& tunnel)>;

struct LoadOptions {
  ProposalCheck check_proposal;  // empty: shape only
  bool check_files = true;       // look at PSK files and certificates (off for examples)
};

struct Loaded {
  Config config;  // as far as it could be read: to be used only where ok()
  Report report;  // errors in file order, notes, and the place of every key
  [[nodiscard]] bool ok() const { return report.errors.empty(); }
};

// Never throws; a file that cannot be read or parsed is one error. psk_file, cert, key, ca, crl and
// ppk_file are taken relative to the configuration file's directory and come back resolved.
Loaded load(const std::string& path, const LoadOptions& options = {});

// The same for text that is in memory; `path` names it in messages.
Loaded load_text(const std::string& text, const std::string& path, const LoadOptions& options = {});

}  // namespace causeway::conf
