// Algorithms that work and should not be used any more: each is named with what is wrong with it and what
// to write instead. `legacy = true` allows them; this says what that costs.
#include <algorithm>
#include <array>

#include "conf/proposal_words.h"
#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

struct Weak {
  std::string_view word, why, instead;
};
constexpr std::string_view kGroup = "modp2048 (group 14) or ecp384 (group 20)";
constexpr std::string_view kHash = "sha256";
constexpr std::string_view kCipher = "aes256 or aes256gcm16";
constexpr std::array kWeak = {
    Weak{"modp768", "a 768-bit group is broken: its key exchange can be undone by anyone who recorded it", kGroup},
    Weak{"modp1024", "a 1024-bit group is within reach of a large attacker", kGroup},
    Weak{"modp1536", "a 1536-bit group is shorter than anyone advises today", kGroup},
    Weak{"md5", "MD5 is broken, and its HMAC is kept by nobody (RFC 8221, RFC 8247)", kHash},
    Weak{"prfmd5", "MD5 is broken, and its HMAC is kept by nobody (RFC 8247)", "prfsha256"},
    Weak{"sha256_96", "a tag of 96 bits is no standard: an old mistake of some peers", kHash},
    Weak{"3des", "3DES has blocks of 64 bits: after some GB under one key it begins to leak", kCipher},
    Weak{"null", "NULL hides nothing: everything can be read on the way", kCipher},
};

void look(const std::vector<std::string>& proposals, const std::string& key, Report& report) {
  for (const std::string& proposal : proposals) {
    const ProposalWords p(proposal);
    for (const auto* list : {&p.encryption, &p.integrity, &p.prf, &p.group}) {
      for (const std::string& word : *list) {
        const auto weak = std::ranges::find(kWeak, word, &Weak::word);
        if (weak == kWeak.end()) continue;
        report.note(key, in_quotes(proposal) + " works, but " + std::string(weak->why) + ": use " +
                             std::string(weak->instead) + " on both sides");
      }
    }
  }
}

}  // namespace

void check_weak(const Draft& draft, Report& report) {
  for (std::size_t i = 0; i < draft.config.tunnels.size(); ++i) {
    look(draft.config.tunnels[i].ike.proposals, draft.tunnel_keys[i] + ".ike.proposals", report);
    look(draft.config.tunnels[i].esp.proposals, draft.tunnel_keys[i] + ".esp.proposals", report);
  }
}

}  // namespace causeway::conf
