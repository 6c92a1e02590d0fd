// The words of a proposal as text: which spelling of several, and what kind of algorithm each names. What
// they mean and whether they exist here is the crypto room's to say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::conf {

// The spelling of strongSwan's that the algorithm table uses; a word without another spelling as it is.
std::string_view canonical_word(std::string_view word);

enum class WordKind : std::uint8_t { encryption, integrity, prf, group, other };
WordKind kind_of(std::string_view word);  // of a canonical word; other: "esn", "noesn", "none", additional exchanges

bool is_aead(std::string_view word);  // a cipher that brings its own integrity

// Known to the algorithm table, by its own spelling; and of those, allowed by `legacy = true` alone. The table itself
// is the crypto room's; a test holds both together.
bool is_known(std::string_view word);
bool is_legacy(std::string_view word);

// A proposal's words by kind, canonical, in its order.
struct ProposalWords {
  std::vector<std::string> encryption, integrity, prf, group, other;
  explicit ProposalWords(std::string_view proposal);
};

}  // namespace causeway::conf
