#include "dataplane/reassembly.h"

#include <algorithm>

#include "dataplane/headers.h"
#include "dataplane/ip_header.h"
#include "dataplane/packet.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint64_t kSweepMs = 100;
constexpr std::uint32_t kLargestPayload = 65535 - kIpv4Header;

}  // namespace

Reassembly::Reassembly(rte_mempool* pool, Counters& counters) : pool_(pool), counters_(counters), slots_(kDatagrams) {}

Reassembly::~Reassembly() {
  for (Slot& slot : slots_) give_up(slot, Drop::fragment_timeout);
}

void Reassembly::give_up(Slot& slot, Drop why) {
  counters_.drop(why, slot.count);
  held_ -= slot.count;
  for (std::uint16_t i = 0; i < slot.count; ++i) rte_pktmbuf_free(slot.pieces[i].packet);
  slot.count = 0;
}

// The slot of `key`, or a free one of its bucket; where there is none the oldest gives way, so that a
// flood of first fragments has to be faster than honest datagrams are complete.
Reassembly::Slot& Reassembly::slot_for(const Key& key, std::uint64_t now_ms) {
  std::uint32_t hash = key.id * 0x9e3779b1U ^ key.protocol;
  for (std::size_t i = 0; i < 16; i += 4) {
    std::uint32_t a, b;
    std::memcpy(&a, &key.source.octets[i], 4);
    std::memcpy(&b, &key.destination.octets[i], 4);
    hash = (hash ^ a ^ (b << 7 | b >> 25)) * 0x85ebca6bU;
  }
  Slot* const bucket = &slots_[(hash >> 16) % (kDatagrams / kWays) * kWays];
  Slot* chosen = bucket;
  for (Slot* slot = bucket; slot != bucket + kWays; ++slot) {
    if (slot->count != 0 && slot->key == key) return *slot;
    if (chosen->count != 0 && (slot->count == 0 || slot->deadline_ms < chosen->deadline_ms)) chosen = slot;
  }
  if (chosen->count != 0) give_up(*chosen, Drop::fragment_table_full);
  chosen->key = key;
  chosen->deadline_ms = now_ms + kTimeoutMs;
  chosen->total = chosen->received = 0;
  return *chosen;
}

Reassembly::Fit Reassembly::fit(const Slot& slot, const Piece& piece, bool more) {
  const std::uint32_t end = piece.offset + piece.length;
  if (!more && slot.total != 0 && slot.total != end) return Fit::invalid;
  if (slot.total != 0 && end > slot.total) return Fit::invalid;
  for (std::uint16_t i = 0; i < slot.count; ++i) {
    const Piece& other = slot.pieces[i];
    if (other.offset == piece.offset && other.length == piece.length) return Fit::duplicate;
    if (piece.offset < other.offset + other.length && other.offset < end) return Fit::invalid;
    if (!more && other.offset >= end) return Fit::invalid;
  }
  return Fit::fits;
}

PacketPtr Reassembly::add(PacketPtr fragment, std::uint64_t now_ms) {
  const std::uint16_t l3 = meta(fragment.get()).l3_offset;
  const auto ip = read_ip(fragment.get(), l3);
  // What follows the header, or behind IPv6's fragment header; rte_pktmbuf_pkt_len() is the packet's own length.
  const std::uint32_t front = !ip ? 0 : ip->family == conf::Family::v4 ? ip->upper : ip->fragment_at + kFragmentHeader;
  if (!ip || !ip->fragment || ip->total <= front || (ip->more_fragments && (ip->total - front) % 8 != 0) ||
      ip->fragment_offset + (ip->total - front) > kLargestPayload) {
    counters_.drop(Drop::fragment_invalid);
    return nullptr;
  }
  const bool more = ip->more_fragments;
  const Piece piece{fragment.get(), ip->fragment_offset, static_cast<std::uint16_t>(ip->total - front),
                    static_cast<std::uint16_t>(l3 + front)};
  // IPv6 datagrams are told apart without the protocol, which only the first fragment knows for sure.
  const Key key{ip->source_address(), ip->destination_address(), ip->id,
                ip->family == conf::Family::v4 ? ip->protocol : std::uint8_t{0}};
  Slot& slot = slot_for(key, now_ms);
  switch (fit(slot, piece, more)) {
    case Fit::duplicate:
      counters_.drop(Drop::fragment_invalid);
      return nullptr;
    case Fit::invalid:
      counters_.drop(Drop::fragment_invalid);
      give_up(slot, Drop::fragment_invalid);
      return nullptr;
    case Fit::fits:
      break;
  }
  if (slot.count == kPerDatagram || held_ >= kHeld) {
    counters_.drop(Drop::fragment_table_full);
    give_up(slot, Drop::fragment_table_full);
    return nullptr;
  }
  slot.pieces[slot.count++] = piece;
  ++held_;
  static_cast<void>(fragment.release());
  slot.received += piece.length;
  if (!more) slot.total = piece.offset + piece.length;
  if (slot.total == 0 || slot.received != slot.total) return nullptr;
  return assemble(slot);
}

// No overlaps and as many octets as the total: every octet is there exactly once.
PacketPtr Reassembly::assemble(Slot& slot) {
  const Piece& first = *std::find_if(slot.pieces.begin(), slot.pieces.begin() + slot.count,
                                     [](const Piece& p) { return p.offset == 0; });
  const std::uint16_t l3 = meta(first.packet).l3_offset;
  const auto ip = read_ip(first.packet, l3);
  const std::uint16_t header = ip->family == conf::Family::v4 ? ip->upper : ip->fragment_at;
  PacketPtr whole(rte_pktmbuf_alloc(pool_));
  const std::uint32_t size = header + slot.total;
  auto* to = whole && size <= rte_pktmbuf_tailroom(whole.get())
                 ? reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(whole.get(), static_cast<std::uint16_t>(size)))
                 : nullptr;
  if (to == nullptr) {
    give_up(slot, whole ? Drop::too_big : Drop::no_buffer);
    return nullptr;
  }
  std::memcpy(to, at<std::uint8_t>(first.packet, l3), header);
  for (std::uint16_t i = 0; i < slot.count; ++i) {
    const Piece& piece = slot.pieces[i];
    std::uint8_t* place = to + header + piece.offset;
    const void* from = rte_pktmbuf_read(piece.packet, piece.data, piece.length, place);
    if (from != place) std::memcpy(place, from, piece.length);
  }
  if (ip->family == conf::Family::v4) {
    auto& made = *at<rte_ipv4_hdr>(whole.get(), 0);
    made.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(size));
    made.fragment_offset = 0;
    set_checksum(made);
  } else {
    put_be16(to + 4, static_cast<std::uint16_t>(size - kIpv6Header));
    to[ip->next_header_at] = *at<std::uint8_t>(first.packet, static_cast<std::uint16_t>(l3 + ip->fragment_at));
  }
  meta(whole.get()) = meta(first.packet);
  meta(whole.get()).l3_offset = 0;
  held_ -= slot.count;
  for (std::uint16_t i = 0; i < slot.count; ++i) rte_pktmbuf_free(slot.pieces[i].packet);
  slot.count = 0;
  counters_.reassembled.add();
  return whole;
}

void Reassembly::housekeeping(std::uint64_t now_ms) {
  if (held_ == 0 || now_ms < next_sweep_ms_) return;
  next_sweep_ms_ = now_ms + kSweepMs;
  for (Slot& slot : slots_) {
    if (slot.count != 0 && now_ms >= slot.deadline_ms) give_up(slot, Drop::fragment_timeout);
  }
}

}  // namespace causeway::dataplane
