// ARP and neighbor discovery on the control thread: answers for our addresses, questions for neighbors,
// and what becomes of the packets that waited.
#include <algorithm>

#include "dataplane/ethernet.h"
#include "dataplane/gateway.h"
#include "dataplane/nd.h"

namespace causeway::dataplane {

bool Gateway::owns(std::uint16_t port, const conf::IpAddress& address) const {
  const auto& own = setup_.ports[port].addresses;
  return std::any_of(own.begin(), own.end(), [&](const conf::Prefix& p) { return p.address == address; });
}

bool Gateway::on_link(std::uint16_t port, const conf::IpAddress& address) const {
  const auto& own = setup_.ports[port].addresses;
  return std::any_of(own.begin(), own.end(), [&](const conf::Prefix& p) { return p.contains(address); }) ||
         (is_link_local(address) && !owns(port, address));
}

void Gateway::send_on_link(PacketPtr packet, std::uint16_t port, const Mac& to, std::uint16_t type) {
  if (!packet || !put_ethernet(packet.get(), to, ports_[port]->mac(), setup_.ports[port].vlan, type))
    return counters_.drop(Drop::no_buffer);
  transmit(std::move(packet), port, ports_[port]->owner_of_queue(0));
}

// RFC 826: whoever asks for an own address of this port gets it, and is learnt; answers are learnt where
// we asked. RFC 5227: a probe (from no address yet) is answered only.
void Gateway::on_arp(rte_mbuf* m, std::uint16_t port, NeighborCache::Effects& out) {
  rte_pktmbuf_adj(m, meta(m).l3_offset);
  const auto message = parse_arp(m);
  if (!message) return counters_.drop(Drop::bad_ethernet);
  const bool ours = owns(port, message->target);
  const NextHop* sender = tables_->routes->lookup(message->sender);
  const bool impostor = sender != nullptr && sender->kind == NextHop::Kind::local;
  if (impostor || (message->sender_mac[0] & 1) != 0) return counters_.drop(Drop::martian);
  if (on_link(port, message->sender))
    neighbors_.learned(port, message->sender, message->sender_mac, !message->request, message->request && ours, now_ms_,
                       out);
  if (!message->request || !ours) return;
  send_on_link(make_arp(pool_.get(), {.request = false,
                                      .sender_mac = ports_[port]->mac(),
                                      .target_mac = message->sender_mac,
                                      .sender = message->target,
                                      .target = message->sender}),
               port, message->sender_mac, RTE_ETHER_TYPE_ARP);
}

// RFC 4861 7.2.
void Gateway::on_nd(rte_mbuf* m, std::uint16_t port, NeighborCache::Effects& out) {
  const auto message = parse_nd(m);
  if (!message) return;  // router messages and the like: not for us, and no defect of the sender's
  const NextHop* source = tables_->routes->lookup(message->source);
  const bool impostor = source != nullptr && source->kind == NextHop::Kind::local;
  if (impostor || (message->link_address && ((*message->link_address)[0] & 1) != 0))
    return counters_.drop(Drop::martian);
  if (!message->solicitation) {
    if (on_link(port, message->target) && message->link_address)
      neighbors_.learned(port, message->target, *message->link_address, message->solicited, false, now_ms_, out);
    return;
  }
  if (!owns(port, message->target)) return;
  const bool probe = message->source.is_unspecified();
  if (!probe && message->link_address && on_link(port, message->source))
    neighbors_.learned(port, message->source, *message->link_address, false, true, now_ms_, out);
  const conf::IpAddress to = probe ? all_nodes() : message->source;
  const Mac mac = probe || !message->link_address ? multicast_mac(all_nodes()) : *message->link_address;
  send_on_link(make_nd(pool_.get(), ports_[port]->mac(),
                       {.solicitation = false,
                        .solicited = !probe,
                        .override_known = true,
                        .source = message->target,
                        .destination = to,
                        .target = message->target,
                        .link_address = {}}),
               port, mac, RTE_ETHER_TYPE_IPV6);
}

// From the address that shares a network with the neighbor, else (a gateway beside the networks of its
// port) any of the family.
void Gateway::ask(const NeighborCache::Ask& question) {
  const auto& own = setup_.ports[question.port].addresses;
  auto from = std::find_if(own.begin(), own.end(), [&](const conf::Prefix& p) { return p.contains(question.address); });
  if (from == own.end())
    from = std::find_if(own.begin(), own.end(),
                        [&](const conf::Prefix& p) { return p.address.family == question.address.family; });
  if (from == own.end()) return;
  const Mac& mac = ports_[question.port]->mac();
  if (question.address.family == conf::Family::v4) {
    send_on_link(make_arp(pool_.get(), {.request = true,
                                        .sender_mac = mac,
                                        .target_mac = {},
                                        .sender = from->address,
                                        .target = question.address}),
                 question.port, question.to.value_or(kBroadcastMac), RTE_ETHER_TYPE_ARP);
    return;
  }
  const conf::IpAddress group = solicited_node(question.address);
  send_on_link(make_nd(pool_.get(), mac,
                       {.solicitation = true,
                        .solicited = false,
                        .override_known = false,
                        .source = from->address,
                        .destination = question.to ? question.address : group,
                        .target = question.address,
                        .link_address = {}}),
               question.port, question.to.value_or(multicast_mac(group)), RTE_ETHER_TYPE_IPV6);
}

void Gateway::apply(NeighborCache::Effects&& effects) {
  counters_.drop(Drop::no_neighbor, effects.no_neighbor);
  counters_.drop(Drop::neighbor_queue_full, effects.queue_full);
  for (const auto& question : effects.ask) ask(question);
  for (auto& release : effects.release) {
    for (auto& held : release.packets) {
      const std::uint16_t type = ether_type(held.packet.get());
      if (put_ethernet(held.packet.get(), release.mac, ports_[release.port]->mac(), setup_.ports[release.port].vlan,
                       type)) {
        transmit(std::move(held.packet), release.port, held.worker);
      } else {
        counters_.drop(Drop::no_buffer);
      }
    }
  }
}

// RFC 5227 2.3, RFC 4861 7.2.6: tells the neighbors where our addresses are now.
void Gateway::announce(std::uint16_t port) {
  const Mac& mac = ports_[port]->mac();
  for (const conf::Prefix& own : setup_.ports[port].addresses) {
    if (own.address.family == conf::Family::v4) {
      send_on_link(
          make_arp(
              pool_.get(),
              {.request = true, .sender_mac = mac, .target_mac = {}, .sender = own.address, .target = own.address}),
          port, kBroadcastMac, RTE_ETHER_TYPE_ARP);
    } else {
      send_on_link(make_nd(pool_.get(), mac,
                           {.solicitation = false,
                            .solicited = false,
                            .override_known = true,
                            .source = own.address,
                            .destination = all_nodes(),
                            .target = own.address,
                            .link_address = {}}),
                   port, multicast_mac(all_nodes()), RTE_ETHER_TYPE_IPV6);
    }
  }
}

}  // namespace causeway::dataplane
