// What became of the last plain packet between two addresses, so that for the next one a look at one cache line stands
// for routes, policies, SA and neighbor (plain.cpp). It is a memory of decisions and takes none: only what the whole way
// through the tables found is put in, only where addresses (and for ESP the SPI) alone decide, and only the plain
// outcome; what is to be dropped, answered, counted, told or handed over is decided anew for each packet.
//
// Everything of a kind is void at once when anything changes that it rests on: at() is given a number that changes with
// routes, policies and the worker's SAs, and one that changes with any published table, before the packets of each round.
// So no pointer outlives what it points to: tables stay until the worker's next quiescent state, SAs until it has taken
// them out of its own table. Neighbors come and go all the time; what leads to SAs outlives that.
//
// Sets of two entries in a line, the older of which makes room. Someone who makes up addresses can fill it, which costs
// others what they would cost without it; which flows share a set depends on numbers drawn at the start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "dataplane/tables.h"

namespace causeway::dataplane {

struct InboundSa;
struct OutboundSa;

class FlowCache {
 public:
  static constexpr std::size_t kSets = 65536, kWays = 2;  // 4 MiB a worker, touched as flows come
  static constexpr std::size_t kOctets = kSets * 64;

  FlowCache(std::uint64_t first_secret, std::uint64_t second_secret, int socket);

  // Addresses as they stand in an IPv4 header, and what of the packet beside them was asked.
  class Key {
   public:
    // Cleartext from a port.
    static Key clear(const std::uint8_t* ip, std::uint16_t port) { return {ip, rest(Kind::clear, port, 0)}; }
    // ESP for an own address, `spi` in whatever order.
    static Key esp(const std::uint8_t* ip, std::uint16_t port, bool udp, std::uint32_t spi) {
      return {ip, rest(udp ? Kind::esp_in_udp : Kind::esp, port, spi)};
    }
    // Out of a tunnel.
    static Key decrypted(const std::uint8_t* ip) { return {ip, rest(Kind::decrypted, 0, 0)}; }

    [[nodiscard]] bool of_esp() const { return kind() == Kind::esp || kind() == Kind::esp_in_udp; }

   private:
    friend class FlowCache;
    enum class Kind : std::uint8_t { clear = 1, esp, esp_in_udp, decrypted };
    static std::uint64_t rest(Kind kind, std::uint16_t port, std::uint32_t spi) {
      return std::uint64_t{spi} << 32 | std::uint64_t{port} << 8 | static_cast<std::uint64_t>(kind);
    }
    static Kind kind(std::uint64_t rest) { return static_cast<Kind>(rest & 0xff); }
    [[nodiscard]] Kind kind() const { return kind(rest_); }
    Key(const std::uint8_t* ip, std::uint64_t what) : rest_(what) { std::memcpy(&addresses_, ip + 12, 8); }
    std::uint64_t addresses_ = 0, rest_;
  };

  // What decisions rest on now, and the neighbors: numbers that never come again once they changed.
  void at(std::uint64_t decisions, std::uint64_t neighbors) {
    if (decisions == decisions_ && neighbors == neighbors_) [[likely]]
      return;
    forget(decisions != decisions_);
    decisions_ = decisions;
    neighbors_ = neighbors;
  }

  void prefetch(const Key& key) const { __builtin_prefetch(&set(key)); }

  // nullptr: not known. A key is looked up as what it was put in for.
  [[nodiscard]] OutboundSa* outbound(const Key& key) const { return static_cast<OutboundSa*>(find(key)); }
  [[nodiscard]] InboundSa* inbound(const Key& key) const { return static_cast<InboundSa*>(find(key)); }
  [[nodiscard]] const NeighborTable::Entry* neighbor(const Key& key) const {
    return static_cast<const NeighborTable::Entry*>(find(key));
  }
  void put(const Key& key, OutboundSa& sa) { insert(key, &sa); }  // clear
  void put(const Key& key, InboundSa& sa) { insert(key, &sa); }   // esp
  void put(const Key& key, const NeighborTable::Entry& neighbor) {  // decrypted
    insert(key, const_cast<NeighborTable::Entry*>(&neighbor));
  }

 private:
  struct Entry {
    std::uint64_t addresses = 0, rest = 0;
    void* to = nullptr;
    std::uint32_t epoch = 0, spare = 0;  // in which it was put in; 0: never
  };
  struct alignas(64) Set {
    std::array<Entry, kWays> ways;
  };
  static_assert(sizeof(Set) == 64);

  [[nodiscard]] const Set& set(const Key& key) const {
    __extension__ using Wide = unsigned __int128;
    const Wide product = Wide{key.addresses_ ^ secrets_[0]} * (key.rest_ ^ secrets_[1]);
    const auto mixed = static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
    return sets_[(mixed >> 32 ^ mixed) & (kSets - 1)];
  }
  // The first epoch of which entries of this kind are still valid.
  [[nodiscard]] std::uint32_t first_valid(std::uint64_t rest) const {
    return Key::kind(rest) == Key::Kind::decrypted ? epoch_ : decided_;
  }
  [[nodiscard]] [[gnu::always_inline]] void* find(const Key& key) const {
    for (const Entry& e : set(key).ways)
      if (e.addresses == key.addresses_ && e.rest == key.rest_ && e.epoch >= first_valid(key.rest_)) return e.to;
    return nullptr;
  }
  void insert(const Key& key, void* to);
  void forget(bool decisions);

  struct Free {
    void operator()(Set* memory) const;
  };
  std::unique_ptr<Set[], Free> sets_;
  std::array<std::uint64_t, 2> secrets_;
  std::uint64_t decisions_ = 0, neighbors_ = 0;
  std::uint32_t epoch_ = 1;    // grows with every change
  std::uint32_t decided_ = 1;  // the one since when decisions are the same
};

}  // namespace causeway::dataplane
