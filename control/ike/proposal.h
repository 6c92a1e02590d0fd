// Proposals: what may protect an IKE or ESP SA, as written in a configuration, as offered by a peer, and the
// choice between the two, or the reason why there is none.
//
// The wire forms differ (control/ikev2/sa_payload, control/ikev1/sa_payload); the meaning is RFC 7296 3.3's: a
// proposal holds alternatives for each kind of transform, and a choice takes one of each.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "control/ike/effects.h"
#include "crypto/algorithms.h"

namespace causeway::ike {

enum class Protocol : std::uint8_t { none = 0, ike = 1, ah = 2, esp = 3 };  // RFC 7296 3.3.1; IKEv1: 1 is ISAKMP

struct Cipher {
  crypto::Encryption id = crypto::Encryption::none;
  std::uint16_t key_bits = 0;  // 0 where the transform has no Key Length attribute
  [[nodiscard]] std::string name() const;
  bool operator==(const Cipher&) const = default;
};

inline constexpr std::size_t kAdditionalKeyExchanges = 7;  // RFC 9370: transform types 6 to 12

// Alternatives in order of preference. A peer's may hold identifiers that the algorithm table does not know.
struct Proposal {
  Protocol protocol = Protocol::ike;
  std::vector<Cipher> encryption;
  std::vector<crypto::Prf> prf;              // IKE only
  std::vector<crypto::Integrity> integrity;  // empty with an AEAD
  std::vector<crypto::KeyExchange> key_exchange;
  std::array<std::vector<crypto::KeyExchange>, kAdditionalKeyExchanges> additional;  // may hold KeyExchange::none
  std::vector<bool> esn;  // ESP only; true: extended sequence numbers. Empty means {false}

  // One suite string, "aes256gcm16-prfsha384-ecp384" or with several of a kind, "aes128-aes256-sha256-modp2048".
  // As strongSwan reads it: for IKE the PRF follows the integrity algorithms unless named (with an AEAD, "sha256"
  // names the PRF alone) and a key exchange is a must; for ESP a key exchange means PFS, and "esn"/"noesn" may
  // stand at the end; "ke1_mlkem768" .. "ke7_..." name additional key exchanges. AEAD and other ciphers in
  // one string are refused (RFC 7296 3.3), as is a cipher without integrity. Without `legacy`, legacy algorithms
  // are refused with a text that names the cure.
  static tl::expected<Proposal, std::string> parse(Protocol protocol, std::string_view text, bool legacy);
  [[nodiscard]] std::string str() const;  // the same spelling; what parse() gave comes back equal

  [[nodiscard]] bool has_aead() const;
  [[nodiscard]] Proposal without_key_exchange() const;  // as an ESP proposal stands in IKE_AUTH
  bool operator==(const Proposal&) const = default;
};

tl::expected<std::vector<Proposal>, std::string> parse_proposals(Protocol protocol, std::span<const std::string> texts,
                                                                 bool legacy);
std::string str(std::span<const Proposal> proposals);  // ", " between them

// One of each.
struct Choice {
  Protocol protocol = Protocol::ike;
  std::size_t ours = 0, theirs = 0;  // indices into what was selected from
  Cipher encryption;
  crypto::Prf prf = crypto::Prf::none;
  crypto::Integrity integrity = crypto::Integrity::none;
  crypto::KeyExchange key_exchange = crypto::KeyExchange::none;
  std::array<crypto::KeyExchange, kAdditionalKeyExchanges> additional{};  // none where not used
  bool esn = false;

  [[nodiscard]] std::string name() const;   // "aes256gcm16-prfsha384-ecp384", "aes128-sha256-esn"
  [[nodiscard]] Proposal proposal() const;  // with exactly these: the answer to send
  [[nodiscard]] crypto::EspSuite esp_suite() const;
  bool operator==(const Choice&) const = default;
};

struct SelectOptions {
  // IKE_AUTH: the child takes its keys from the IKE SA, key exchanges in ESP proposals do not count (RFC 7296 1.2).
  bool ignore_key_exchange = false;
};

// Responder: the first of `ours` that meets any of `theirs`, our order deciding among alternatives. The reason
// (no_common_proposal) holds both sides' offers and says, for the pair that came nearest, in which fields it
// differs and what to change.
tl::expected<Choice, Reason> select(std::span<const Proposal> ours, std::span<const Proposal> theirs,
                                    SelectOptions options = {});

// Initiator: the peer's answer must take exactly one of each from one of our proposals (RFC 7296 3.3.6).
tl::expected<Choice, Reason> accept_answer(std::span<const Proposal> ours, std::span<const Proposal> answer,
                                           SelectOptions options = {});

// Whether any of them would take this group: what INVALID_KE_PAYLOAD may ask for (RFC 7296 1.3).
bool offers(std::span<const Proposal> proposals, crypto::KeyExchange group);

std::string name(crypto::KeyExchange id);  // "modp2048", "group 99"
std::string name(crypto::Integrity id);
std::string name(crypto::Prf id);
std::string name(Protocol p);

}  // namespace causeway::ike
