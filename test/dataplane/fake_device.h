// A device whose capabilities, link, events and rule table the test plays. Its packets are a ring port's; everything a
// driver says of itself goes through the linker's --wrap (meson.build): the product's own code calls DPDK as ever.
#pragma once

#include <rte_ethdev.h>
#include <rte_flow.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace causeway::test {

struct FakeDevice {
  // What it says it can. As configured it refuses whatever goes beyond, as real drivers do.
  std::uint64_t rx_offloads = 0, tx_offloads = 0, rss = 0;
  std::uint16_t rx_queues = 1, tx_queues = 1;
  std::uint32_t flags = 0;  // RTE_ETH_DEV_INTR_LSC
  bool changes_mtu = true, all_multicast = true;
  bool link = true;
  std::size_t rules_at_most = 2;
  std::set<rte_flow_item_type> rule_items;  // it validates rules made of these
  int reset_error = 0;
  std::vector<std::pair<std::string, std::uint64_t>> xstats;

  // What was asked of it.
  std::optional<rte_eth_conf> configured;
  std::vector<std::string> calls;  // "configure", "mtu 9000", "start", "stop", "reset", ... in order
  std::map<rte_flow*, std::pair<std::uint32_t, std::uint16_t>> rules;  // SPI and queue
  std::size_t validated = 0;
  std::map<rte_eth_event_type, std::pair<rte_eth_dev_cb_fn, void*>> callbacks;

  void say(rte_eth_event_type event);  // the event arrives
};

// The device with this DPDK name is played by `fake` as long as this lives.
class Faked {
 public:
  Faked(const std::string& device, FakeDevice& fake);
  ~Faked();
  Faked(const Faked&) = delete;
  Faked& operator=(const Faked&) = delete;

 private:
  std::string device_;
};

}  // namespace causeway::test
