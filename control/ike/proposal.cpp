#include "control/ike/proposal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "conf/proposal_words.h"
#include "control/ike/text.h"
#include "crypto/dh.h"

namespace causeway::ike {
namespace {

using crypto::Encryption;
using crypto::Integrity;
using crypto::KeyExchange;
using crypto::Prf;
using Error = tl::unexpected<std::string>;

template <typename T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

template <typename T>
void add_once(std::vector<T>& list, const T& value) {
  if (!contains(list, value)) list.push_back(value);
}

template <typename Row>
const Row* by_name(std::span<const Row> rows, std::string_view name) {
  const auto it = std::find_if(rows.begin(), rows.end(), [name](const Row& r) { return r.name == name; });
  return it == rows.end() ? nullptr : &*it;
}

std::optional<Prf> implied_prf(Integrity id) {
  const crypto::IntegrityInfo* info = crypto::find(id);
  if (info == nullptr) return std::nullopt;
  return info->prf;
}

std::vector<Prf> implied_prfs(const std::vector<Integrity>& integrity) {
  std::vector<Prf> prfs;
  for (const Integrity id : integrity) {
    if (const auto prf = implied_prf(id)) add_once(prfs, *prf);
  }
  return prfs;
}

bool is_aead(const Cipher& c) {
  const crypto::EncryptionInfo* info = crypto::find(c.id, c.key_bits);
  return info != nullptr && info->aead();
}

// One suite string on its way into a Proposal.
class SuiteParser {
 public:
  SuiteParser(Protocol protocol, std::string_view text, bool legacy) : text_(text), legacy_(legacy) {
    p_.protocol = protocol;
  }

  tl::expected<Proposal, std::string> parse() {
    std::string_view rest = text_;
    while (true) {
      const std::size_t dash = rest.find('-');
      if (!take(rest.substr(0, dash))) return Error(std::move(problem_));
      if (dash == std::string_view::npos) break;
      rest.remove_prefix(dash + 1);
    }
    if (!complete()) return Error(std::move(problem_));
    return std::move(p_);
  }

 private:
  bool fail(const std::string& what) {
    problem_ = "'" + std::string(text_) + "': " + what;
    return false;
  }

  bool allowed(std::string_view name, bool is_legacy) {
    if (!is_legacy || legacy_) return true;
    return fail(std::string(name) + " is too weak for today: set legacy = true on the tunnel to allow it all the same");
  }

  bool take(std::string_view token) {
    const std::string_view name = conf::canonical_word(token);
    if (name == "esn" || name == "noesn") {
      if (p_.protocol != Protocol::esp) return fail(std::string(name) + " belongs to esp proposals");
      add_once(p_.esn, name == "esn");
      return true;
    }
    if (const auto* row = by_name(crypto::encryptions(), name)) return take(*row);
    if (const auto* row = by_name(crypto::integrities(), name)) {
      add_once(p_.integrity, row->id);
      return allowed(row->name, row->legacy);
    }
    if (const auto* row = by_name(crypto::prfs(), name)) {
      if (p_.protocol != Protocol::ike) return fail(std::string(name) + " belongs to ike proposals");
      add_once(p_.prf, row->id);
      return allowed(row->name, row->legacy);
    }
    if (name.size() > 4 && name.starts_with("ke") && name[2] >= '1' && name[2] <= '7' && name[3] == '_') {
      return take_group(conf::canonical_word(name.substr(4)), p_.additional[static_cast<std::size_t>(name[2] - '1')]);
    }
    return take_group(name, p_.key_exchange);
  }

  bool take(const crypto::EncryptionInfo& row) {
    if (p_.protocol == Protocol::ike && !row.for_ike) return fail(std::string(row.name) + " cannot protect IKE");
    if (p_.protocol == Protocol::esp && !row.for_esp) return fail(std::string(row.name) + " cannot protect ESP");
    add_once(p_.encryption, Cipher{row.id, row.key_bits});
    return allowed(row.name, row.legacy);
  }

  bool take_group(std::string_view name, std::vector<KeyExchange>& list) {
    const bool optional = p_.protocol == Protocol::esp || &list != &p_.key_exchange;
    if (name == "none" && optional) {
      add_once(list, KeyExchange::none);
      return true;
    }
    const auto* row = by_name(crypto::key_exchanges(), name);
    if (row == nullptr) return fail("'" + std::string(name) + "' is no algorithm known here");
    if (const std::string why = crypto::unavailable(row->id); !why.empty()) return fail(why);
    add_once(list, row->id);
    return allowed(row->name, row->legacy);
  }

  // What a proposal must have, and what follows from what was said.
  bool complete() {
    if (p_.encryption.empty()) return fail("no cipher");
    const auto aeads = std::count_if(p_.encryption.begin(), p_.encryption.end(), is_aead);
    if (aeads != 0 && static_cast<std::size_t>(aeads) != p_.encryption.size()) {
      return fail("AEAD ciphers (GCM, ChaCha20-Poly1305) and others cannot share a proposal: write two");
    }
    if (p_.protocol == Protocol::ike) {
      if (p_.prf.empty()) p_.prf = implied_prfs(p_.integrity);
      if (p_.key_exchange.empty()) return fail("no key exchange: add one such as -ecp384 or -modp2048");
      if (p_.prf.empty() && aeads != 0) return fail("no PRF: add one such as -prfsha256");
    }
    if (aeads != 0) {
      p_.integrity.clear();
    } else if (p_.integrity.empty()) {
      return fail("a cipher without integrity: add one such as -sha256");
    }
    return true;
  }

  std::string_view text_;
  bool legacy_;
  Proposal p_;
  std::string problem_;
};

void append(std::string& text, const std::string& token) {
  if (!text.empty()) text += '-';
  text += token;
}

// Alternatives as a reason shows them.
template <typename T, typename Name>
std::string alternatives(const std::vector<T>& list, Name name_of) {
  if (list.empty()) return "none";
  std::string text;
  for (const T& item : list) {
    if (!text.empty()) text += " or ";
    text += name_of(item);
  }
  return text;
}

// The first of ours that is among theirs; an empty list means `absent` alone.
template <typename T>
std::optional<T> pick(const std::vector<T>& ours, const std::vector<T>& theirs, const std::optional<T>& absent = {}) {
  std::vector<T> only;
  if (absent) only.push_back(*absent);
  const std::vector<T>& wanted = ours.empty() ? only : ours;
  const std::vector<T>& offered = theirs.empty() ? only : theirs;
  const auto it = std::ranges::find_if(wanted, [&offered](const T& item) { return contains(offered, item); });
  return it == wanted.end() ? std::nullopt : std::optional<T>(*it);
}

struct Comparison {
  Choice choice;
  std::vector<std::string> differences;  // "encryption (ours aes256, theirs aes128)"
};

class Comparer {
 public:
  Comparer(const Proposal& ours, const Proposal& theirs, SelectOptions options)
      : ours_(ours), theirs_(theirs), options_(options) {}

  Comparison compare() {
    if (ours_.protocol != theirs_.protocol) {
      differ("protocol", ours_.protocol, theirs_.protocol);
      return std::move(result_);
    }
    Choice& c = result_.choice;
    c.protocol = ours_.protocol;
    cipher_and_integrity();
    if (ours_.protocol == Protocol::ike) {
      c.prf = one_of("PRF", ours_.prf, theirs_.prf).value_or(Prf::none);
    }
    if (!options_.ignore_key_exchange) {
      c.key_exchange = group(ours_.protocol == Protocol::esp ? "PFS group" : "key exchange", ours_.key_exchange,
                             theirs_.key_exchange);
      for (std::size_t i = 0; i < kAdditionalKeyExchanges; ++i) {
        c.additional[i] =
            group("additional key exchange " + std::to_string(i + 1), ours_.additional[i], theirs_.additional[i]);
      }
    }
    if (ours_.protocol == Protocol::esp) esn();
    return std::move(result_);
  }

 private:
  static std::string text(Protocol p) { return name(p); }
  static std::string text(const std::vector<Cipher>& l) {
    return alternatives(l, [](const Cipher& c) { return c.name(); });
  }
  template <typename T>
  static std::string text(const std::vector<T>& l) {
    return alternatives(l, [](T id) { return name(id); });
  }

  template <typename T>
  void differ(const std::string& field, const T& ours, const T& theirs) {
    result_.differences.push_back(field + " (ours " + text(ours) + ", theirs " + text(theirs) + ")");
  }

  template <typename T>
  std::optional<T> one_of(const std::string& field, const std::vector<T>& ours, const std::vector<T>& theirs) {
    const std::optional<T> taken = pick(ours, theirs);
    if (!taken) differ(field, ours, theirs);
    return taken;
  }

  KeyExchange group(const std::string& field, const std::vector<KeyExchange>& ours,
                    const std::vector<KeyExchange>& theirs) {
    const auto taken = pick(ours, theirs, std::optional(KeyExchange::none));
    if (!taken) differ(field, ours, theirs);
    return taken.value_or(KeyExchange::none);
  }

  // An AEAD goes with no integrity algorithm or with NONE (RFC 7296 3.3.3), any other with one that both have.
  std::optional<Integrity> integrity_for(const Cipher& cipher) const {
    if (is_aead(cipher)) {
      const bool fits = theirs_.integrity.empty() || contains(theirs_.integrity, Integrity::none);
      return fits ? std::optional(Integrity::none) : std::nullopt;
    }
    return pick(ours_.integrity, theirs_.integrity);
  }

  void cipher_and_integrity() {
    bool common = false;
    for (const Cipher& cipher : ours_.encryption) {
      if (!contains(theirs_.encryption, cipher)) continue;
      common = true;
      if (const auto integrity = integrity_for(cipher)) {
        result_.choice.encryption = cipher;
        result_.choice.integrity = *integrity;
        return;
      }
    }
    if (!common) differ("encryption", ours_.encryption, theirs_.encryption);
    const bool both_plain = !ours_.has_aead() && !theirs_.has_aead();
    if (common || (both_plain && !pick(ours_.integrity, theirs_.integrity))) {
      differ("integrity", ours_.integrity, theirs_.integrity);
    }
  }

  void esn() {
    const auto taken = pick(ours_.esn, theirs_.esn, std::optional(false));
    if (!taken) {
      const auto word = [](const std::vector<bool>& l) { return contains(l, true) ? "on" : "off"; };
      result_.differences.push_back(std::string("extended sequence numbers (ours ") + word(ours_.esn) + ", theirs " +
                                    word(theirs_.esn) + ")");
    }
    result_.choice.esn = taken.value_or(false);
  }

  const Proposal& ours_;
  const Proposal& theirs_;
  SelectOptions options_;
  Comparison result_;
};

Reason nothing_common(std::span<const Proposal> ours, std::span<const Proposal> theirs, const Proposal* our_nearest,
                      const Proposal* their_nearest, const std::vector<std::string>& differences) {
  Reason reason;
  reason.cause = Cause::no_common_proposal;
  reason.ours = shortened(str(ours));
  reason.theirs = shortened(str(theirs));
  if (our_nearest == nullptr) {
    reason.text = theirs.empty() ? "the peer offered no proposal that can be understood here" : "nothing to offer";
    return reason;
  }
  std::string fields;
  for (const std::string& d : differences) fields += (fields.empty() ? "" : ", ") + d;
  const std::string own = shortened(our_nearest->str()), other = shortened(their_nearest->str());
  const bool esp = our_nearest->protocol == Protocol::esp;
  const bool only_pfs = esp && differences.size() == 1 && differences.front().starts_with("PFS group");
  reason.symptom = !esp ? Symptom::other_algorithms : only_pfs ? Symptom::other_pfs : Symptom::other_esp;
  const std::string key = esp ? "esp.proposals" : "ike.proposals";
  reason.text = std::string("no ") + (esp ? "ESP" : "IKE") + " proposal in common; ours " + own + " and theirs " +
                other + " come nearest and differ in " + shortened(fields) + ": add " + other + " to " + key +
                " here, or " + own + " at the peer";
  return reason;
}

}  // namespace

std::string Cipher::name() const {
  if (const crypto::EncryptionInfo* info = crypto::find(id, key_bits)) return std::string(info->name);
  std::string text = "encryption" + std::to_string(static_cast<unsigned>(id));
  if (key_bits != 0) text += "_" + std::to_string(key_bits);
  return text;
}

std::string name(KeyExchange id) {
  if (id == KeyExchange::none) return "none";
  const crypto::KeyExchangeInfo* info = crypto::find(id);
  return info != nullptr ? std::string(info->name) : "group" + std::to_string(static_cast<unsigned>(id));
}

std::string name(Integrity id) {
  if (id == Integrity::none) return "none";
  const crypto::IntegrityInfo* info = crypto::find(id);
  return info != nullptr ? std::string(info->name) : "integrity" + std::to_string(static_cast<unsigned>(id));
}

std::string name(Prf id) {
  if (id == Prf::none) return "none";
  const crypto::PrfInfo* info = crypto::find(id);
  return info != nullptr ? std::string(info->name) : "prf" + std::to_string(static_cast<unsigned>(id));
}

std::string name(Protocol p) {
  switch (p) {
    case Protocol::none:
      return "none";
    case Protocol::ike:
      return "IKE";
    case Protocol::ah:
      return "AH";
    case Protocol::esp:
      return "ESP";
  }
  return "protocol " + std::to_string(static_cast<unsigned>(p));
}

tl::expected<Proposal, std::string> Proposal::parse(Protocol protocol, std::string_view text, bool legacy) {
  return SuiteParser(protocol, text, legacy).parse();
}

std::string Proposal::str() const {
  std::string text;
  for (const Cipher& c : encryption) append(text, c.name());
  for (const Integrity id : integrity) {
    if (id != Integrity::none) append(text, name(id));  // a peer's way to say that an AEAD goes without
  }
  if (prf != implied_prfs(integrity)) {
    for (const Prf id : prf) append(text, name(id));
  }
  for (const KeyExchange id : key_exchange) append(text, name(id));
  for (std::size_t i = 0; i < additional.size(); ++i) {
    for (const KeyExchange id : additional[i]) append(text, "ke" + std::to_string(i + 1) + "_" + name(id));
  }
  for (const bool extended : esn) append(text, extended ? "esn" : "noesn");
  return text;
}

bool Proposal::has_aead() const { return std::any_of(encryption.begin(), encryption.end(), is_aead); }

Proposal Proposal::without_key_exchange() const {
  Proposal p = *this;
  p.key_exchange.clear();
  p.additional = {};
  return p;
}

tl::expected<std::vector<Proposal>, std::string> parse_proposals(Protocol protocol, std::span<const std::string> texts,
                                                                 bool legacy) {
  std::vector<Proposal> proposals;
  for (const std::string& text : texts) {
    auto p = Proposal::parse(protocol, text, legacy);
    if (!p) return Error(std::move(p.error()));
    proposals.push_back(std::move(*p));
  }
  if (proposals.empty()) return Error("no proposals");
  return proposals;
}

std::string str(std::span<const Proposal> proposals) {
  std::string text;
  for (const Proposal& p : proposals) text += (text.empty() ? "" : ", ") + p.str();
  return text;
}

std::string Choice::name() const { return proposal().str(); }

Proposal Choice::proposal() const {
  Proposal p;
  p.protocol = protocol;
  p.encryption = {encryption};
  if (prf != Prf::none) p.prf = {prf};
  if (integrity != Integrity::none) p.integrity = {integrity};
  if (key_exchange != KeyExchange::none) p.key_exchange = {key_exchange};
  for (std::size_t i = 0; i < additional.size(); ++i) {
    if (additional[i] != KeyExchange::none) p.additional[i] = {additional[i]};
  }
  if (esn) p.esn = {true};
  return p;
}

crypto::EspSuite Choice::esp_suite() const { return {encryption.id, encryption.key_bits, integrity, esn}; }

tl::expected<Choice, Reason> select(std::span<const Proposal> ours, std::span<const Proposal> theirs,
                                    SelectOptions options) {
  const Proposal* our_nearest = nullptr;
  const Proposal* their_nearest = nullptr;
  std::vector<std::string> fewest;
  for (std::size_t o = 0; o < ours.size(); ++o) {
    for (std::size_t t = 0; t < theirs.size(); ++t) {
      Comparison c = Comparer(ours[o], theirs[t], options).compare();
      if (c.differences.empty()) {
        c.choice.ours = o;
        c.choice.theirs = t;
        return c.choice;
      }
      if (our_nearest == nullptr || c.differences.size() < fewest.size()) {
        our_nearest = &ours[o];
        their_nearest = &theirs[t];
        fewest = std::move(c.differences);
      }
    }
  }
  return tl::unexpected(nothing_common(ours, theirs, our_nearest, their_nearest, fewest));
}

tl::expected<Choice, Reason> accept_answer(std::span<const Proposal> ours, std::span<const Proposal> answer,
                                           SelectOptions options) {
  const auto at_most_one = [](const auto& list) { return list.size() <= 1; };
  const bool one_of_each = answer.size() == 1 && at_most_one(answer[0].encryption) && at_most_one(answer[0].prf) &&
                           at_most_one(answer[0].integrity) && at_most_one(answer[0].key_exchange) &&
                           at_most_one(answer[0].esn) &&
                           std::all_of(answer[0].additional.begin(), answer[0].additional.end(), at_most_one);
  if (!one_of_each) {
    return tl::unexpected(
        Reason{Cause::no_common_proposal,
               "the peer answered with more or less than one proposal with one algorithm of each kind",
               str(ours),
               str(answer),
               {}});
  }
  auto choice = select(ours, answer, options);
  if (!choice) choice.error().text = "the peer chose what we did not offer: " + choice.error().text;
  return choice;
}

bool offers(std::span<const Proposal> proposals, KeyExchange group) {
  return std::any_of(proposals.begin(), proposals.end(),
                     [group](const Proposal& p) { return contains(p.key_exchange, group); });
}

}  // namespace causeway::ike
