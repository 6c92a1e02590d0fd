#include "control/ike/notify.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace causeway::ike {
namespace {

using N = NotifyType;
constexpr std::array<std::pair<N, std::string_view>, 48> kNames = {{
    {N::unsupported_critical_payload, "UNSUPPORTED_CRITICAL_PAYLOAD"},
    {N::invalid_ike_spi, "INVALID_IKE_SPI"},
    {N::invalid_major_version, "INVALID_MAJOR_VERSION"},
    {N::invalid_syntax, "INVALID_SYNTAX"},
    {N::invalid_message_id, "INVALID_MESSAGE_ID"},
    {N::invalid_spi, "INVALID_SPI"},
    {N::no_proposal_chosen, "NO_PROPOSAL_CHOSEN"},
    {N::invalid_ke_payload, "INVALID_KE_PAYLOAD"},
    {N::authentication_failed, "AUTHENTICATION_FAILED"},
    {N::single_pair_required, "SINGLE_PAIR_REQUIRED"},
    {N::no_additional_sas, "NO_ADDITIONAL_SAS"},
    {N::internal_address_failure, "INTERNAL_ADDRESS_FAILURE"},
    {N::failed_cp_required, "FAILED_CP_REQUIRED"},
    {N::ts_unacceptable, "TS_UNACCEPTABLE"},
    {N::invalid_selectors, "INVALID_SELECTORS"},
    {N::unacceptable_addresses, "UNACCEPTABLE_ADDRESSES"},
    {N::unexpected_nat_detected, "UNEXPECTED_NAT_DETECTED"},
    {N::temporary_failure, "TEMPORARY_FAILURE"},
    {N::child_sa_not_found, "CHILD_SA_NOT_FOUND"},
    {N::state_not_found, "STATE_NOT_FOUND"},
    {N::ts_max_queue, "TS_MAX_QUEUE"},
    {N::initial_contact, "INITIAL_CONTACT"},
    {N::set_window_size, "SET_WINDOW_SIZE"},
    {N::additional_ts_possible, "ADDITIONAL_TS_POSSIBLE"},
    {N::ipcomp_supported, "IPCOMP_SUPPORTED"},
    {N::nat_detection_source_ip, "NAT_DETECTION_SOURCE_IP"},
    {N::nat_detection_destination_ip, "NAT_DETECTION_DESTINATION_IP"},
    {N::cookie, "COOKIE"},
    {N::use_transport_mode, "USE_TRANSPORT_MODE"},
    {N::http_cert_lookup_supported, "HTTP_CERT_LOOKUP_SUPPORTED"},
    {N::rekey_sa, "REKEY_SA"},
    {N::esp_tfc_padding_not_supported, "ESP_TFC_PADDING_NOT_SUPPORTED"},
    {N::non_first_fragments_also, "NON_FIRST_FRAGMENTS_ALSO"},
    {N::mobike_supported, "MOBIKE_SUPPORTED"},
    {N::auth_lifetime, "AUTH_LIFETIME"},
    {N::multiple_auth_supported, "MULTIPLE_AUTH_SUPPORTED"},
    {N::another_auth_follows, "ANOTHER_AUTH_FOLLOWS"},
    {N::redirect_supported, "REDIRECT_SUPPORTED"},
    {N::redirect, "REDIRECT"},
    {N::childless_ikev2_supported, "CHILDLESS_IKEV2_SUPPORTED"},
    {N::ike_fragmentation_supported, "IKEV2_FRAGMENTATION_SUPPORTED"},
    {N::signature_hash_algorithms, "SIGNATURE_HASH_ALGORITHMS"},
    {N::use_ppk, "USE_PPK"},
    {N::ppk_identity, "PPK_IDENTITY"},
    {N::no_ppk_auth, "NO_PPK_AUTH"},
    {N::intermediate_exchange_supported, "INTERMEDIATE_EXCHANGE_SUPPORTED"},
    {N::additional_key_exchange, "ADDITIONAL_KEY_EXCHANGE"},
    {N::sa_resource_info, "SA_RESOURCE_INFO"},
}};

}  // namespace

std::string name(NotifyType t) {
  const auto same = [t](const auto& row) { return row.first == t; };
  if (const auto it = std::find_if(kNames.begin(), kNames.end(), same); it != kNames.end()) {
    return std::string(it->second);
  }
  return "notify " + std::to_string(static_cast<unsigned>(t));
}

}  // namespace causeway::ike
