// What the control thread does with what workers send up: IKE datagrams and notices become events.
#include <rte_cycles.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "dataplane/ethernet.h"
#include "dataplane/gateway.h"
#include "dataplane/ip_header.h"

namespace causeway::dataplane {
namespace {

constexpr std::size_t kPuntsAtOnce = 256;  // of one class and worker in one poll: nothing starves the timers
constexpr std::uint64_t kAnnounceMs = 1000, kWantedMs = 1000;
constexpr std::int64_t kClockDriftMs = 5;

conf::Selector single(const conf::IpAddress& a, const WantedNote& note, std::uint16_t port) {
  return {.first = a,
          .last = a,
          .protocol = note.protocol,
          .first_port = note.ports ? port : std::uint16_t{0},
          .last_port = note.ports ? port : std::uint16_t{65535}};
}

}  // namespace

void Gateway::poll(Milliseconds now, const Sink& sink) {
  now_ms_ = static_cast<std::uint64_t>(now.count());
  const auto offset = now.count() - static_cast<std::int64_t>(rte_get_tsc_cycles() / (rte_get_tsc_hz() / 1000));
  if (std::abs(offset - shared_.clock_offset_ms.load(std::memory_order_relaxed)) > kClockDriftMs)
    shared_.clock_offset_ms.store(offset, std::memory_order_relaxed);

  shared_.wake_up.sleeping.store(false, std::memory_order_relaxed);
  std::uint64_t wakes;
  [[maybe_unused]] const auto got = ::read(shared_.wake_up.fd, &wakes, sizeof wakes);

  flush_backlog();
  for (Event& event : std::exchange(undelivered_, {})) sink(std::move(event));
  for (std::uint16_t w = 0; w < mailboxes_.size(); ++w) {
    take_reports(*mailboxes_[w], w, sink);
    take_notices(*mailboxes_[w], sink);
    take_punts(*mailboxes_[w], w, sink);
  }
  poll_hosts();
  check_limits(sink);
  forget_paths();
  reset_devices(sink);
  probe_paths();
  probe_health(sink);
  watch_links(sink);
  steer();
  if (announcements_ > 0 && now_ms_ >= next_announcement_ms_) {
    --announcements_;
    next_announcement_ms_ = now_ms_ + kAnnounceMs;
    for (std::uint16_t p = 0; p < ports_.size(); ++p) announce(p);
  }
  NeighborCache::Effects effects;
  neighbors_.tick(now_ms_, effects);
  apply(std::move(effects));
  // Frames released above are in the rings already: they leave before what the new table lets through.
  if (neighbors_.take_changed())
    swap_tables({tables_->routes, tables_->policies, std::make_shared<const NeighborTable>(neighbors_.table()),
                 tables_->rules, tables_->translations});
  while (!old_tables_.empty() && rte_rcu_qsbr_check(rcu_.get(), old_tables_.front().token, false) == 1)
    old_tables_.pop_front();
  sleep_or_wake();
}

// From now on a worker wakes us; what came while we were about to say so does it at once.
void Gateway::sleep_or_wake() {
  shared_.wake_up.sleeping.store(true, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  bool more = false;
  for (const auto& mail : mailboxes_) {
    more |= !mail->reports.empty() || !mail->notices.empty();
    for (const auto& ring : mail->punts) more |= !ring.empty();
  }
  if (!more) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(shared_.wake_up.fd, &one, sizeof one);
}

void Gateway::take_notices(Mailbox& mail, const Sink& sink) {
  Notice item;
  for (std::size_t i = 0; i < mail.notices.capacity() && mail.notices.pop(item); ++i) {
    if (const auto* wanted = std::get_if<WantedNote>(&item)) {
      on_wanted(*wanted, sink);
    } else if (const auto* used = std::get_if<StaleNeighborUsed>(&item)) {
      NeighborCache::Effects effects;
      neighbors_.used(used->port, used->address, now_ms_, effects);
      apply(std::move(effects));
    } else if (const auto* quoted = std::get_if<QuotedPacket>(&item)) {
      on_quoted(*quoted);
      sink(Event(quoted->error));
    } else if (const auto* answer = std::get_if<EchoAnswer>(&item)) {
      on_echo_answer(*answer);
    } else if (const auto* seen = std::get_if<HostSeen>(&item)) {
      on_host_seen(*seen);
    } else if (const auto* moved = std::get_if<PeerMoved>(&item)) {
      sink(Event(*moved));
    } else if (const auto* elsewhere = std::get_if<EspElsewhere>(&item)) {
      sink(Event(*elsewhere));
    } else if (const auto* unknown = std::get_if<UnknownEsp>(&item)) {
      sink(Event(*unknown));
    } else if (const auto* asked = std::get_if<Asked>(&item)) {
      sink(Event(*asked));
    } else if (const auto* outside = std::get_if<OutsideSelectors>(&item)) {
      sink(Event(*outside));
    } else if (const auto* limit = std::get_if<LimitReached>(&item)) {
      tell_limit(*limit, sink);
    }
  }
}

void Gateway::on_wanted(const WantedNote& note, const Sink& sink) {
  const auto [it, first] = wanted_ms_.try_emplace(note.child, now_ms_);
  if (!first && now_ms_ - it->second < kWantedMs) return;
  it->second = now_ms_;
  sink(Event(Wanted{.tunnel = note.tunnel,
                    .child = note.child,
                    .source = single(note.source, note, note.source_port),
                    .destination = single(note.destination, note, note.destination_port)}));
}

void Gateway::take_punts(Mailbox& mail, std::uint16_t worker, const Sink& sink) {
  NeighborCache::Effects effects;
  for (std::size_t c = 0; c < kPuntClasses; ++c) {
    Punt punt;
    for (std::size_t i = 0; i < kPuntsAtOnce && mail.punts[c].pop(punt); ++i) {
      PacketPtr packet(punt.packet);
      switch (static_cast<PuntClass>(c)) {
        case PuntClass::ike:
        case PuntClass::ike_first:
          on_ike(packet.get(), sink);
          break;
        case PuntClass::neighbor:
          if (read_ethernet(packet.get()).type == RTE_ETHER_TYPE_ARP) {
            on_arp(packet.get(), punt.port, effects);
          } else {
            on_nd(packet.get(), punt.port, effects);
          }
          break;
        case PuntClass::host:
          to_host(std::move(packet), punt.port);
          break;
        case PuntClass::resolve:
          neighbors_.hold(punt.port, punt.next_hop, {std::move(packet), worker}, now_ms_, effects);
          break;
      }
    }
  }
  apply(std::move(effects));
}

void Gateway::on_ike(rte_mbuf* m, const Sink& sink) {
  const PacketMeta& about = meta(m);
  const auto ip = read_ip(m, about.l3_offset);
  if (!ip) return;
  IkeDatagram out;
  out.local = {ip->destination_address(), about.udp_encapsulated ? kPortNatt : kPortIke};
  out.remote = {ip->source_address(), about.outer_source_port};
  out.natt = about.udp_encapsulated;
  out.bytes.resize(rte_pktmbuf_pkt_len(m) - about.esp_offset);
  if (out.bytes.empty()) return;
  const void* data =
      rte_pktmbuf_read(m, about.esp_offset, static_cast<std::uint32_t>(out.bytes.size()), out.bytes.data());
  if (data != out.bytes.data()) std::memcpy(out.bytes.data(), data, out.bytes.size());
  sink(Event(std::move(out)));
}

}  // namespace causeway::dataplane
