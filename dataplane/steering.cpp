#include "dataplane/steering.h"

#include <rte_byteorder.h>
#include <rte_errno.h>

#include <array>

namespace causeway::dataplane {
namespace {

constexpr std::uint16_t kNattPort = 4500;

// Ethernet / IP / (UDP to 4500) / ESP with this SPI -> queue.
struct Rule {
  rte_flow_attr attributes{};
  rte_flow_item_udp udp{}, udp_mask{};
  rte_flow_item_esp esp{}, esp_mask{};
  rte_flow_action_queue queue{};
  std::array<rte_flow_item, 5> pattern{};
  std::array<rte_flow_action, 2> actions{};

  Rule(std::uint32_t spi, conf::Family outer, bool in_udp, std::uint16_t to) {
    attributes.ingress = 1;
    udp.hdr.dst_port = rte_cpu_to_be_16(kNattPort);
    udp_mask.hdr.dst_port = 0xffff;
    esp.hdr.spi = rte_cpu_to_be_32(spi);
    esp_mask.hdr.spi = 0xffffffff;  // i40e takes whole SPIs alone
    queue.index = to;
    std::size_t n = 0;
    pattern[n++].type = RTE_FLOW_ITEM_TYPE_ETH;
    pattern[n++].type = outer == conf::Family::v4 ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6;
    if (in_udp) pattern[n++] = {RTE_FLOW_ITEM_TYPE_UDP, &udp, nullptr, &udp_mask};
    pattern[n++] = {RTE_FLOW_ITEM_TYPE_ESP, &esp, nullptr, &esp_mask};
    pattern[n].type = RTE_FLOW_ITEM_TYPE_END;
    actions[0] = {RTE_FLOW_ACTION_TYPE_QUEUE, &queue};
    actions[1].type = RTE_FLOW_ACTION_TYPE_END;
  }
  Rule(const Rule&) = delete;  // it points into itself
  Rule& operator=(const Rule&) = delete;
};

std::string reason(int error) { return rte_strerror(error < 0 ? -error : error); }

}  // namespace

bool Steering::steer(std::uint32_t spi, conf::Family outer, bool udp, std::uint16_t queue) {
  if (has(spi)) return true;
  bool& refused = refused_[outer == conf::Family::v6 ? 1 : 0][udp ? 1 : 0];
  if (refused || full_) return false;
  const Rule rule(spi, outer, udp, queue);
  rte_flow_error error{};
  if (const int no = rte_flow_validate(device_, &rule.attributes, rule.pattern.data(), rule.actions.data(), &error);
      no != 0) {
    refused = true;
    why_ = std::string("the device refuses a rule on the SPI of ESP ") + (udp ? "in UDP " : "") + "over IPv" +
           (outer == conf::Family::v4 ? "4" : "6") + ": " + (error.message != nullptr ? error.message : reason(no));
    return false;
  }
  rte_flow* made = rte_flow_create(device_, &rule.attributes, rule.pattern.data(), rule.actions.data(), &error);
  if (made == nullptr) {
    full_ = true;
    why_ = "the device takes no more than " + std::to_string(rules_.size()) +
           (error.message != nullptr ? std::string(": ") + error.message : "");
    return false;
  }
  rules_.emplace(spi, made);
  return true;
}

void Steering::forget(std::uint32_t spi) {
  const auto it = rules_.find(spi);
  if (it == rules_.end()) return;
  rte_flow_error error{};
  rte_flow_destroy(device_, it->second, &error);
  rules_.erase(it);
  if (!full_) return;
  full_ = false;
  why_.clear();
}

void Steering::clear() {
  while (!rules_.empty()) forget(rules_.begin()->first);
}

void Steering::lost() {
  rules_.clear();
  full_ = false;
}

std::string Steering::status() const {
  if (rules_.empty() && why_.empty()) return {};
  return std::to_string(rules_.size()) + " SPI rules" + (why_.empty() ? "" : " (" + why_ + ")");
}

}  // namespace causeway::dataplane
