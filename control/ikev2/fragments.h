// IKE messages in pieces (RFC 7383): the receiving half. Protection::seal() cuts, this puts together.
//
// Every piece is authenticated by itself before it is kept, so only whoever holds the keys can fill this. Before
// IKE_AUTH that may be anybody: what is kept of one message is bounded in octets and in pieces, and one message at a
// time is kept, because the window is one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/ike/message.h"
#include "control/ike/payloads.h"

namespace causeway::ikev2 {

inline constexpr std::size_t kMaxFragments = 64;           // of one message
inline constexpr std::size_t kMaxReassembled = 32 * 1024;  // octets of plaintext

// A message as if it had come whole.
struct WholeMessage {
  ike::PayloadType first_inside = ike::PayloadType::none;
  ike::Bytes inside;
  ike::Bytes first_datagram;  // of fragment 1: what a repetition of the message is known by
};

class Reassembly {
 public:
  // Whether this piece, not yet opened, can be of use: new, within the bounds, and not of an older, coarser cut of
  // the same message (RFC 7383 2.6).
  [[nodiscard]] bool wants(std::uint32_t message_id, const ike::EncryptedOuter& piece) const;
  // Keeps an authentic piece that wants() let through. The whole message with the last one that was missing.
  std::optional<WholeMessage> add(std::uint32_t message_id, const ike::EncryptedOuter& piece, ike::ByteView datagram,
                                  ike::Bytes plaintext);
  [[nodiscard]] std::size_t octets() const { return octets_; }

 private:
  void begin(std::uint32_t message_id, std::uint16_t total);

  std::uint32_t message_id_ = 0;
  std::vector<std::optional<ike::Bytes>> pieces_;  // empty: nothing is kept
  std::size_t missing_ = 0, octets_ = 0;
  ike::PayloadType first_inside_ = ike::PayloadType::none;
  ike::Bytes first_datagram_;
};

}  // namespace causeway::ikev2
