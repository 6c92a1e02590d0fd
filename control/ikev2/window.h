// Message ids and what hangs on them (RFC 7296 2.1 - 2.3), window size 1 in both directions.
//
// Requests: one of ours is on its way at a time, sent again unchanged until it is answered or given
// up. Responses: a request of the peer is processed once; its repetition gets the same octets again,
// never an answer made anew (a second encryption under the same keys would also differ in its IV).
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "control/ike/bytes.h"
#include "control/ike/retransmit.h"

namespace causeway::ikev2 {

// One IKE message as datagrams: one, or several fragments of it (RFC 7383).
using Datagrams = std::vector<ike::Bytes>;

// Our side: the request that waits for its answer.
class RequestWindow {
 public:
  [[nodiscard]] bool free() const { return !timer_; }
  [[nodiscard]] std::uint32_t next_id() const { return next_id_; }
  [[nodiscard]] bool awaits(std::uint32_t id) const { return timer_ && id == next_id_ - 1; }
  [[nodiscard]] const Datagrams& request() const { return request_; }
  [[nodiscard]] const std::optional<ike::Retransmission>& timer() const { return timer_; }
  [[nodiscard]] std::optional<ike::Retransmission>& timer() { return timer_; }

  // Takes the id that next_id() named.
  void sent(Datagrams request, ike::Retransmission timer);
  // The same request, cut in another way.
  void resealed(Datagrams request) { request_ = std::move(request); }
  // IKE_SA_INIT counts as unanswered once more: another answer of the peer's is taken.
  void rewind();
  // IKE_SA_INIT asked again with a cookie or another group keeps the id 0 (2.2).
  void replaced(Datagrams request, ike::Retransmission timer);
  void answered();

 private:
  std::uint32_t next_id_ = 0;
  Datagrams request_;
  std::optional<ike::Retransmission> timer_;  // set while a request waits
};

// The peer's side: which request is new, which one a repetition.
class ResponseWindow {
 public:
  [[nodiscard]] std::uint32_t expected() const { return expected_; }
  [[nodiscard]] bool is_new(std::uint32_t id) const { return id == expected_; }
  // The reply to repeat where `datagram` is, octet for octet, the request last answered (of a fragmented one: its
  // first fragment); nullptr otherwise. Compared whole, so that a forged header earns no reply.
  [[nodiscard]] const Datagrams* repeats(std::uint32_t id, ike::ByteView datagram) const;
  // Whether the request last answered had this id, and what was answered.
  [[nodiscard]] bool is_last(std::uint32_t id) const { return expected_ != 0 && id == expected_ - 1; }
  [[nodiscard]] const Datagrams& reply() const { return reply_; }
  void answered(ike::ByteView request, Datagrams reply);

 private:
  std::uint32_t expected_ = 0;
  ike::Bytes request_;
  Datagrams reply_;
};

}  // namespace causeway::ikev2
