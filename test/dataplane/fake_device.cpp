#include "test/dataplane/fake_device.h"

#include <rte_byteorder.h>
#include <rte_errno.h>

#include <cerrno>
#include <cstring>

namespace causeway::test {
namespace {

std::map<std::string, FakeDevice*>& fakes() {
  static std::map<std::string, FakeDevice*> all;
  return all;
}

FakeDevice* fake_of(std::uint16_t port) {
  char name[RTE_ETH_NAME_MAX_LEN];
  if (rte_eth_dev_get_name_by_port(port, name) != 0) return nullptr;
  const auto it = fakes().find(name);
  return it == fakes().end() ? nullptr : it->second;
}

}  // namespace

void FakeDevice::say(rte_eth_event_type event) {
  const auto it = callbacks.find(event);
  if (it != callbacks.end()) it->second.first(0, event, it->second.second, nullptr);
}

Faked::Faked(const std::string& device, FakeDevice& fake) : device_(device) { fakes()[device] = &fake; }
Faked::~Faked() { fakes().erase(device_); }

}  // namespace causeway::test

using causeway::test::fake_of;

extern "C" {

int __real_rte_eth_dev_info_get(std::uint16_t, rte_eth_dev_info*);
int __wrap_rte_eth_dev_info_get(std::uint16_t port, rte_eth_dev_info* info) {
  const int result = __real_rte_eth_dev_info_get(port, info);
  const auto* fake = fake_of(port);
  if (fake == nullptr) return result;
  info->rx_offload_capa = fake->rx_offloads;
  info->tx_offload_capa = fake->tx_offloads;
  info->flow_type_rss_offloads = fake->rss;
  info->max_rx_queues = fake->rx_queues;
  info->max_tx_queues = fake->tx_queues;
  info->dev_flags = &fake->flags;
  return result;
}

// A real device refuses what it did not offer; the ring underneath is configured plainly.
int __real_rte_eth_dev_configure(std::uint16_t, std::uint16_t, std::uint16_t, const rte_eth_conf*);
int __wrap_rte_eth_dev_configure(std::uint16_t port, std::uint16_t rx, std::uint16_t tx, const rte_eth_conf* conf) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_dev_configure(port, rx, tx, conf);
  fake->calls.emplace_back("configure");
  if ((conf->rxmode.offloads & ~fake->rx_offloads) != 0 || (conf->txmode.offloads & ~fake->tx_offloads) != 0 ||
      (conf->rx_adv_conf.rss_conf.rss_hf & ~fake->rss) != 0 || rx > fake->rx_queues || tx > fake->tx_queues ||
      (conf->intr_conf.lsc != 0 && (fake->flags & RTE_ETH_DEV_INTR_LSC) == 0))
    return -EINVAL;
  fake->configured = *conf;
  const rte_eth_conf plain{};
  return __real_rte_eth_dev_configure(port, rx, tx, &plain);
}

int __real_rte_eth_dev_set_mtu(std::uint16_t, std::uint16_t);
int __wrap_rte_eth_dev_set_mtu(std::uint16_t port, std::uint16_t mtu) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_dev_set_mtu(port, mtu);
  fake->calls.push_back("mtu " + std::to_string(mtu));
  return fake->changes_mtu ? 0 : -ENOTSUP;
}

int __real_rte_eth_dev_start(std::uint16_t);
int __wrap_rte_eth_dev_start(std::uint16_t port) {
  if (auto* fake = fake_of(port)) fake->calls.emplace_back("start");
  return __real_rte_eth_dev_start(port);
}
int __real_rte_eth_dev_stop(std::uint16_t);
int __wrap_rte_eth_dev_stop(std::uint16_t port) {
  if (auto* fake = fake_of(port)) fake->calls.emplace_back("stop");
  return __real_rte_eth_dev_stop(port);
}
int __real_rte_eth_dev_reset(std::uint16_t);
int __wrap_rte_eth_dev_reset(std::uint16_t port) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_dev_reset(port);
  fake->calls.emplace_back("reset");
  return fake->reset_error;
}

int __real_rte_eth_allmulticast_enable(std::uint16_t);
int __wrap_rte_eth_allmulticast_enable(std::uint16_t port) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_allmulticast_enable(port);
  fake->calls.emplace_back("all-multicast");
  return fake->all_multicast ? 0 : -ENOTSUP;
}

int __real_rte_eth_link_get_nowait(std::uint16_t, rte_eth_link*);
int __wrap_rte_eth_link_get_nowait(std::uint16_t port, rte_eth_link* link) {
  const int result = __real_rte_eth_link_get_nowait(port, link);
  if (const auto* fake = fake_of(port)) link->link_status = fake->link ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
  return result;
}

int __real_rte_eth_dev_callback_register(std::uint16_t, rte_eth_event_type, rte_eth_dev_cb_fn, void*);
int __wrap_rte_eth_dev_callback_register(std::uint16_t port, rte_eth_event_type event, rte_eth_dev_cb_fn callback,
                                         void* argument) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_dev_callback_register(port, event, callback, argument);
  fake->callbacks[event] = {callback, argument};
  return 0;
}
int __real_rte_eth_dev_callback_unregister(std::uint16_t, rte_eth_event_type, rte_eth_dev_cb_fn, void*);
int __wrap_rte_eth_dev_callback_unregister(std::uint16_t port, rte_eth_event_type event, rte_eth_dev_cb_fn callback,
                                           void* argument) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_dev_callback_unregister(port, event, callback, argument);
  fake->callbacks.erase(event);
  return 0;
}

int __real_rte_eth_xstats_get(std::uint16_t, rte_eth_xstat*, unsigned);
int __wrap_rte_eth_xstats_get(std::uint16_t port, rte_eth_xstat* out, unsigned room) {
  const auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_xstats_get(port, out, room);
  for (unsigned i = 0; out != nullptr && i < fake->xstats.size() && i < room; ++i) out[i] = {i, fake->xstats[i].second};
  return static_cast<int>(fake->xstats.size());
}
int __real_rte_eth_xstats_get_names(std::uint16_t, rte_eth_xstat_name*, unsigned);
int __wrap_rte_eth_xstats_get_names(std::uint16_t port, rte_eth_xstat_name* out, unsigned room) {
  const auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_eth_xstats_get_names(port, out, room);
  for (unsigned i = 0; out != nullptr && i < fake->xstats.size() && i < room; ++i)
    std::strncpy(out[i].name, fake->xstats[i].first.c_str(), sizeof out[i].name - 1);
  return static_cast<int>(fake->xstats.size());
}

int __real_rte_flow_validate(std::uint16_t, const rte_flow_attr*, const rte_flow_item*, const rte_flow_action*,
                             rte_flow_error*);
int __wrap_rte_flow_validate(std::uint16_t port, const rte_flow_attr* attributes, const rte_flow_item* pattern,
                             const rte_flow_action* actions, rte_flow_error* error) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_flow_validate(port, attributes, pattern, actions, error);
  ++fake->validated;
  bool on_spi = false;
  for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; ++pattern) {
    if (!fake->rule_items.contains(pattern->type)) {
      error->message = "this item is not supported";
      return -ENOTSUP;
    }
    if (pattern->type != RTE_FLOW_ITEM_TYPE_ESP) continue;
    on_spi = static_cast<const rte_flow_item_esp*>(pattern->mask)->hdr.spi == 0xffffffff;
  }
  const bool to_queue = actions[0].type == RTE_FLOW_ACTION_TYPE_QUEUE && actions[1].type == RTE_FLOW_ACTION_TYPE_END;
  return attributes->ingress == 1 && on_spi && to_queue ? 0 : -EINVAL;
}

rte_flow* __real_rte_flow_create(std::uint16_t, const rte_flow_attr*, const rte_flow_item*, const rte_flow_action*,
                                 rte_flow_error*);
rte_flow* __wrap_rte_flow_create(std::uint16_t port, const rte_flow_attr* attributes, const rte_flow_item* pattern,
                                 const rte_flow_action* actions, rte_flow_error* error) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_flow_create(port, attributes, pattern, actions, error);
  if (fake->rules.size() >= fake->rules_at_most) {
    error->message = "the table is full";
    rte_errno = ENOSPC;
    return nullptr;
  }
  std::uint32_t spi = 0;
  for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; ++pattern)
    if (pattern->type == RTE_FLOW_ITEM_TYPE_ESP)
      spi = rte_be_to_cpu_32(static_cast<const rte_flow_item_esp*>(pattern->spec)->hdr.spi);
  auto* made = reinterpret_cast<rte_flow*>(static_cast<std::uintptr_t>(spi) + 1);
  fake->rules[made] = {spi, static_cast<const rte_flow_action_queue*>(actions[0].conf)->index};
  return made;
}

int __real_rte_flow_destroy(std::uint16_t, rte_flow*, rte_flow_error*);
int __wrap_rte_flow_destroy(std::uint16_t port, rte_flow* flow, rte_flow_error* error) {
  auto* fake = fake_of(port);
  if (fake == nullptr) return __real_rte_flow_destroy(port, flow, error);
  return fake->rules.erase(flow) == 1 ? 0 : -ENOENT;
}

}  // extern "C"
