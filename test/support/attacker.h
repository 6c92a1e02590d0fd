// What attackers of the flood suite share: IKE messages octet by octet (RFC 7296 3), in IPv4 and UDP with whatever
// source they like, through a raw socket. Independent of control/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace causeway::test::attacker {

using Octets = std::vector<std::uint8_t>;

struct Dice {  // xorshift64*: fast, and good enough to lie with
  std::uint64_t state = 0x9e3779b97f4a7c15;
  std::uint64_t next() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
  }
  void fill(std::span<std::uint8_t> out) {
    for (auto& o : out) o = static_cast<std::uint8_t>(next() >> 24);
  }
};

std::uint32_t address(std::string_view text);  // host order; ends the program where it is none

void put16(Octets& out, std::uint16_t v);
void put32(Octets& out, std::uint32_t v);
void put64(Octets& out, std::uint64_t v);

struct Ike {
  std::uint64_t spi_i = 0, spi_r = 0;
  std::uint8_t exchange = 34, flags = 0x08;
  std::uint32_t id = 0;
  struct Payload {
    std::uint8_t type;
    Octets body;
  };
  std::vector<Payload> payloads;
  [[nodiscard]] Octets octets() const;
};
constexpr std::uint8_t kInitiator = 0x08, kResponse = 0x20;
constexpr std::uint8_t kSa = 33, kKe = 34, kNonce = 40, kNotify = 41, kDelete = 42, kSk = 46, kSkf = 53;

Ike::Payload notify(std::uint16_t type, Octets data = {});
Octets sa_body();            // aes256gcm16-prfsha384-x25519 alone
Octets ke_body(Dice& dice);  // X25519: any 32 octets are a value
Octets random_octets(Dice& dice, std::size_t n);

// An IPv4 packet with UDP. Port 4500 on either end: behind the non-ESP marker.
struct Endpoint {
  std::uint32_t address = 0;
  std::uint16_t port = 500;
};
Octets udp_packet(Endpoint from, Endpoint to, std::span<const std::uint8_t> message);
Octets icmp_unreachable(std::uint32_t from, std::uint32_t to, std::span<const std::uint8_t> quoted);

class RawSender {
 public:
  RawSender();  // ends the program where it may not
  ~RawSender();
  RawSender(const RawSender&) = delete;
  RawSender& operator=(const RawSender&) = delete;
  // How many the kernel took.
  std::size_t send(std::span<const Octets> packets);

 private:
  int fd_;
};

}  // namespace causeway::test::attacker
