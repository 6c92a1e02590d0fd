// What the three importers share: notes with lines, names that are taken, key files, and algorithm words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/import.h"

namespace causeway::conf {

class ImportDraft {
 public:
  explicit ImportDraft(ImportFormat format) { imported_.format = format; }

  void note(int line, std::string text) { imported_.notes.push_back({line, std::move(text)}); }
  // A tunnel with a usable name of its own, made from `wanted`. References stay valid until the next one.
  Tunnel& tunnel(std::string_view wanted, int line);
  // The tunnel's key file; `secret` empty: the text does not have it.
  void key(Tunnel& tunnel, std::string_view secret, int line);
  // An own address, for the port that the tunnels leave through.
  void own_address(const IpAddress& address);
  Config& config() { return imported_.config; }
  Imported take() { return std::move(imported_); }

 private:
  Imported imported_;
};

std::string_view trimmed(std::string_view text);
std::vector<std::string> split(std::string_view text, std::string_view separators);  // copies, without empty ones
std::vector<std::string_view> lines_of(std::string_view text);  // without their "\n" or "\r\n"
std::string lower(std::string_view text);
std::optional<std::uint64_t> whole_number(std::string_view text);

// "2" and "modp1024", "14" and "modp2048", "ecp384", "none"; nothing where it is none we know.
std::optional<std::string> group_word(std::string_view text);

// Networks as those formats write them; an address with host bits becomes its network.
std::optional<Selector> network_of(std::string_view address, std::string_view mask);
std::optional<Selector> network_of(std::string_view text);

// Joins ciphers, hashes and groups into one proposal, "aes128-aes256-sha1-modp1024"; AEAD ciphers into one of
// their own. `ike`: with a PRF beside AEADs.
std::vector<std::string> proposals_of(const std::vector<std::string>& ciphers, const std::vector<std::string>& hashes,
                                      const std::vector<std::string>& groups, bool ike);

// Pairs of networks onto one tunnel: joint where there is one child, else pairs; says what of the grid was not asked.
struct NetworkPair {
  Selector local, remote;
  int line = 0;
};
void take_pairs(ImportDraft& draft, Tunnel& tunnel, const std::vector<NetworkPair>& pairs);

tl::expected<Imported, std::string> import_swanctl(std::string_view text);
tl::expected<Imported, std::string> import_fortigate(std::string_view text);
tl::expected<Imported, std::string> import_routeros(std::string_view text);

}  // namespace causeway::conf
