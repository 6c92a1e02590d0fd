// The numbers of IKEv1: RFC 2407 (IPsec DOI), RFC 2408 (ISAKMP), RFC 2409 appendix A, RFC 3947. Algorithms' own
// numbers stand in crypto/algorithms.h's table.
#pragma once

#include <cstdint>

namespace causeway::ikev1 {

inline constexpr std::uint32_t kDoiIpsec = 1;
inline constexpr std::uint32_t kSituationIdentityOnly = 1;  // RFC 2407 4.2.1
inline constexpr std::uint8_t kTransformKeyIke = 1;         // RFC 2407 4.4.2

namespace phase1 {  // attributes, RFC 2409 appendix A
inline constexpr std::uint16_t encryption = 1;
inline constexpr std::uint16_t hash = 2;
inline constexpr std::uint16_t authentication = 3;
inline constexpr std::uint16_t group = 4;
inline constexpr std::uint16_t life_type = 11;
inline constexpr std::uint16_t life_duration = 12;
inline constexpr std::uint16_t key_length = 14;
}  // namespace phase1

namespace phase2 {  // attributes, RFC 2407 4.5
inline constexpr std::uint16_t life_type = 1;
inline constexpr std::uint16_t life_duration = 2;
inline constexpr std::uint16_t group = 3;
inline constexpr std::uint16_t encapsulation = 4;
inline constexpr std::uint16_t authentication = 5;
inline constexpr std::uint16_t key_length = 6;
}  // namespace phase2

inline constexpr std::uint16_t kLifeSeconds = 1, kLifeKilobytes = 2;

enum class AuthMethod : std::uint16_t {  // RFC 2409 appendix A; 65001 and up: XAuth and hybrid drafts
  psk = 1,
  dss = 2,
  rsa = 3,
  ecdsa_256 = 9,
  ecdsa_384 = 10,
  ecdsa_521 = 11,
  first_xauth = 64221,
};

enum class Encapsulation : std::uint16_t {  // RFC 2407 4.5, RFC 3947 5.1; 614xx: NAT-T drafts 02 and 03
  tunnel = 1,
  transport = 2,
  udp_tunnel = 3,
  udp_transport = 4,
  udp_tunnel_draft = 61443,
  udp_transport_draft = 61444,
};

enum class Notify : std::uint16_t {  // RFC 2408 3.14.1, RFC 2407 4.6.3, RFC 3706
  invalid_payload_type = 1,
  doi_not_supported = 2,
  situation_not_supported = 3,
  invalid_cookie = 4,
  invalid_major_version = 5,
  invalid_exchange_type = 7,
  invalid_flags = 8,
  invalid_message_id = 9,
  invalid_protocol_id = 10,
  invalid_spi = 11,
  invalid_transform_id = 12,
  attributes_not_supported = 13,
  no_proposal_chosen = 14,
  bad_proposal_syntax = 15,
  payload_malformed = 16,
  invalid_key_information = 17,
  invalid_id_information = 18,
  invalid_cert_encoding = 19,
  invalid_certificate = 20,
  cert_type_unsupported = 21,
  invalid_cert_authority = 22,
  invalid_hash_information = 23,
  authentication_failed = 24,
  invalid_signature = 25,
  address_notification = 26,
  notify_sa_lifetime = 27,
  certificate_unavailable = 28,
  unsupported_exchange_type = 29,
  unequal_payload_lengths = 30,
  connected = 16384,
  responder_lifetime = 24576,
  replay_status = 24577,
  initial_contact = 24578,
  r_u_there = 36136,
  r_u_there_ack = 36137,
};
inline bool is_error(Notify n) { return static_cast<std::uint16_t>(n) < 16384; }

}  // namespace causeway::ikev1
