// Rules in the NIC that take the packets of one inbound SA to the receive queue of the SA's owner, so that no other
// worker has to hand them over: rte_flow, the exact SPI, one rule for each SA whose rate is worth it, while the
// device's table lasts. The device says by rte_flow_validate whether it can, before it is asked to.
#pragma once

#include <rte_flow.h>

#include <cstdint>
#include <map>
#include <string>

#include "conf/address.h"

namespace causeway::dataplane {

class Steering {
 public:
  explicit Steering(std::uint16_t device) : device_(device) {}
  ~Steering() { clear(); }
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;

  // False: the device cannot, or its table is full.
  bool steer(std::uint32_t spi, conf::Family outer, bool udp, std::uint16_t queue);
  void forget(std::uint32_t spi);
  void clear();  // takes all rules back
  void lost();   // the device was reset: they are gone already
  [[nodiscard]] bool has(std::uint32_t spi) const { return rules_.contains(spi); }
  [[nodiscard]] std::string status() const;  // "2 SPI rules", with why there are no more

 private:
  std::uint16_t device_;
  std::map<std::uint32_t, rte_flow*> rules_;
  bool refused_[2][2] = {};  // by family and encapsulation: validation failed, it is not asked again
  bool full_ = false;        // until a rule is taken back
  std::string why_;
};

}  // namespace causeway::dataplane
