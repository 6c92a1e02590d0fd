// Packet buffers between two pages that no one may touch: a read or write one octet outside the room that a
// packet was given ends the test with a fault.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace causeway::test {

class GuardedArea {
 public:
  GuardedArea();
  ~GuardedArea();
  GuardedArea(const GuardedArea&) = delete;
  GuardedArea& operator=(const GuardedArea&) = delete;

  enum class Edge { front, back };  // which end of the room touches a forbidden page
  // `octets` as the data of `m` (fresh from a pool), with exactly `head` octets before and `tail` behind.
  void attach(rte_mbuf* m, std::span<const std::uint8_t> octets, std::uint16_t head, std::uint16_t tail, Edge edge);
  [[nodiscard]] bool free() const { return !used_; }

 private:
  static constexpr std::size_t kRoom = 4 * 4096;
  std::uint8_t* memory_;  // a forbidden page, kRoom, a forbidden page
  rte_mbuf_ext_shared_info shared_{};
  bool used_ = false;
};

class GuardedBuffers {
 public:
  GuardedArea& next();  // a free one

 private:
  std::vector<std::unique_ptr<GuardedArea>> areas_;
};

}  // namespace causeway::test
