// Notify message types of IKEv2: RFC 7296 3.10.1 and the IANA registry, as far as anything here knows them.
#pragma once

#include <cstdint>
#include <string>

namespace causeway::ike {

enum class NotifyType : std::uint16_t {
  unsupported_critical_payload = 1,
  invalid_ike_spi = 4,
  invalid_major_version = 5,
  invalid_syntax = 7,
  invalid_message_id = 9,
  invalid_spi = 11,
  no_proposal_chosen = 14,
  invalid_ke_payload = 17,
  authentication_failed = 24,
  single_pair_required = 34,
  no_additional_sas = 35,
  internal_address_failure = 36,
  failed_cp_required = 37,
  ts_unacceptable = 38,
  invalid_selectors = 39,
  unacceptable_addresses = 40,  // RFC 4555
  unexpected_nat_detected = 41,
  temporary_failure = 43,
  child_sa_not_found = 44,
  state_not_found = 47,  // RFC 9370
  ts_max_queue = 48,     // RFC 9611
  // From here on status, not error (RFC 7296 3.10.1)
  initial_contact = 16384,
  set_window_size = 16385,
  additional_ts_possible = 16386,
  ipcomp_supported = 16387,
  nat_detection_source_ip = 16388,
  nat_detection_destination_ip = 16389,
  cookie = 16390,
  use_transport_mode = 16391,
  http_cert_lookup_supported = 16392,
  rekey_sa = 16393,
  esp_tfc_padding_not_supported = 16394,
  non_first_fragments_also = 16395,
  mobike_supported = 16396,
  auth_lifetime = 16403,  // RFC 4478
  multiple_auth_supported = 16404,
  another_auth_follows = 16405,
  redirect_supported = 16406,
  redirect = 16407,
  childless_ikev2_supported = 16418,    // RFC 6023
  ike_fragmentation_supported = 16430,  // RFC 7383
  signature_hash_algorithms = 16431,    // RFC 7427
  use_ppk = 16435,                      // RFC 8784
  ppk_identity = 16436,
  no_ppk_auth = 16437,
  intermediate_exchange_supported = 16438,  // RFC 9242
  additional_key_exchange = 16441,          // RFC 9370
  sa_resource_info = 16444,                 // RFC 9611
};

inline bool is_error(NotifyType t) { return static_cast<std::uint16_t>(t) < 16384; }
std::string name(NotifyType t);  // "NO_PROPOSAL_CHOSEN", "notify 12345"

}  // namespace causeway::ike
