#include "conf/proposal_words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace causeway::conf {

std::string_view canonical_word(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kAliases = {{
      {"aes", "aes128"},
      {"aes128gcm", "aes128gcm16"},
      {"aes192gcm", "aes192gcm16"},
      {"aes256gcm", "aes256gcm16"},
      {"aes128gcm128", "aes128gcm16"},
      {"aes192gcm128", "aes192gcm16"},
      {"aes256gcm128", "aes256gcm16"},
      {"aes128gcm96", "aes128gcm12"},
      {"aes192gcm96", "aes192gcm12"},
      {"aes256gcm96", "aes256gcm12"},
      {"aes128gcm64", "aes128gcm8"},
      {"aes192gcm64", "aes192gcm8"},
      {"aes256gcm64", "aes256gcm8"},
      {"sha", "sha1"},
      {"sha2_256", "sha256"},
      {"sha2_384", "sha384"},
      {"sha2_512", "sha512"},
      {"sha2_256_96", "sha256_96"},
      {"curve25519", "x25519"},
      {"modpnone", "none"},
  }};
  const auto found = std::ranges::find(kAliases, word, [](const auto& a) { return a.first; });
  return found == kAliases.end() ? word : found->second;
}

WordKind kind_of(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, WordKind>, 19> kBeginnings = {{
      {"aesxcbc", WordKind::integrity},   {"aescmac", WordKind::integrity},   {"aes", WordKind::encryption},
      {"3des", WordKind::encryption},     {"des", WordKind::encryption},      {"null", WordKind::encryption},
      {"chacha", WordKind::encryption},   {"camellia", WordKind::encryption}, {"cast", WordKind::encryption},
      {"blowfish", WordKind::encryption}, {"sm4", WordKind::encryption},      {"sha", WordKind::integrity},
      {"sm3", WordKind::integrity},       {"md5", WordKind::integrity},       {"prf", WordKind::prf},
      {"modp", WordKind::group},          {"ecp", WordKind::group},           {"x25519", WordKind::group},
      {"mlkem", WordKind::group},
  }};
  const auto found = std::ranges::find_if(kBeginnings, [&](const auto& b) { return word.starts_with(b.first); });
  return found == kBeginnings.end() ? WordKind::other : found->second;
}

bool is_aead(std::string_view word) {
  return kind_of(word) == WordKind::encryption &&
         (word.find("gcm") != std::string_view::npos || word.find("gmac") != std::string_view::npos ||
          word.starts_with("chacha20poly1305"));
}

namespace {

constexpr std::string_view kLegacy[] = {"aes128gcm12", "aes192gcm12", "aes256gcm12", "aes128gcm8", "aes192gcm8",
                                        "aes256gcm8",  "3des",        "null",        "aes128gmac", "aes192gmac",
                                        "aes256gmac",  "sha256_96",   "md5",         "prfmd5",     "modp1536",
                                        "modp1024",    "modp768"};
constexpr std::string_view kOthers[] = {
    "aes128gcm16", "aes192gcm16", "aes256gcm16", "chacha20poly1305", "aes128",   "aes192",   "aes256",   "aes128ctr",
    "aes192ctr",   "aes256ctr",   "sha1",        "sha256",           "sha384",   "sha512",   "aesxcbc",  "prfsha1",
    "prfsha256",   "prfsha384",   "prfsha512",   "prfaesxcbc",       "modp2048", "modp3072", "modp4096", "ecp256",
    "ecp384",      "ecp521",      "x25519",      "mlkem512",         "mlkem768", "mlkem1024"};

}  // namespace

bool is_legacy(std::string_view word) { return std::ranges::find(kLegacy, word) != std::end(kLegacy); }
bool is_known(std::string_view word) {
  return is_legacy(word) || std::ranges::find(kOthers, word) != std::end(kOthers);
}

ProposalWords::ProposalWords(std::string_view proposal) {
  while (!proposal.empty()) {
    const std::size_t dash = proposal.find('-');
    const std::string word(canonical_word(proposal.substr(0, dash)));
    proposal = dash == std::string_view::npos ? std::string_view() : proposal.substr(dash + 1);
    switch (kind_of(word)) {
      case WordKind::encryption:
        encryption.push_back(word);
        break;
      case WordKind::integrity:
        integrity.push_back(word);
        break;
      case WordKind::prf:
        prf.push_back(word);
        break;
      case WordKind::group:
        group.push_back(word);
        break;
      case WordKind::other:
        other.push_back(word);
    }
  }
}

}  // namespace causeway::conf
