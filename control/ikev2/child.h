// Making, using and removing the pairs of ESP SAs that an IKE SA carries (RFC 7296 1.3, 2.9, 2.17): what
// IKE_AUTH and CREATE_CHILD_SA share.
#pragma once

#include <optional>
#include <tl/expected.hpp>

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// What a responder tells the peer, and what it tells us.
struct Refusal {
  ike::NotifyType type = ike::NotifyType::no_proposal_chosen;
  ike::Bytes data;
  ike::Reason reason;
};

// --- as initiator of the exchange --------------------------------------------------------------------

// Draws an SPI; nothing where none is left.
std::optional<ChildOffer> make_offer(Session& s, const ike::ChildSettings& child, std::vector<ike::Proposal> proposals);
// SA, [KE,] TSi, TSr in the RFC's order around what the caller adds; `add_sa` first, nonce and KE next.
void add_offer_sa(ike::PayloadChain& chain, const ChildOffer& offer);
void add_offer_selectors(ike::PayloadChain& chain, const ChildOffer& offer);
// The child that the answer makes of our offer. The offer's SPI belongs to it then.
tl::expected<Child, ike::Reason> take_answer(Session& s, ChildOffer& offer, const ike::Payloads& answer,
                                             const Nonces& nonces, bool in_ike_auth, ike::Time now);
// What an error notify in place of a child says.
ike::Reason refused_child(const Session& s, const ChildOffer& offer, ike::NotifyType type);

// --- as responder --------------------------------------------------------------------------------------

struct Answer {
  Child child;
  ike::Bytes sa, ts_i, ts_r;  // bodies of the reply's payloads
  std::optional<ike::Bytes> resource_info;  // of SA_RESOURCE_INFO
  std::optional<ike::KeyExchangePayload> key_exchange;
};
// `nonces`: of the exchange, ours among them. `rekeyed`: the child that REKEY_SA names, or nullptr.
tl::expected<Answer, Refusal> answer_child(Session& s, const ike::Payloads& request, const Nonces& nonces,
                                           bool in_ike_auth, const Child* rekeyed, ike::Time now);
void add_answer(ike::PayloadChain& chain, const Answer& answer);

// --- effects -------------------------------------------------------------------------------------------

// How many pairs of SAs a child may have at once, old ones that wait for their DELETE among them.
inline constexpr std::size_t kMaxPairs = 16;
[[nodiscard]] bool too_many_pairs(const Session& s, ike::ChildSlot slot);

// Adds the child and emits InstallInbound.
Child& install(Session& s, Child child, Step& step);
// Lets the slot's traffic leave on this child, and takes the former outbound SA away.
void use_outbound(Session& s, Child& child, Step& step);
void stop_outbound(Session& s, Child& child, Step& step);
// Takes both SAs away, the inbound one after `grace`. Where another child of the slot lives on, traffic moves to it.
void remove_child(Session& s, std::uint32_t spi_in, ike::Time grace, const ike::Reason& reason, Step& step);

inline constexpr ike::Time kInboundGrace{5000};  // for packets on their way when an SA is deleted

}  // namespace causeway::ikev2
