#include "test/support/attacker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace causeway::test::attacker {

namespace {

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void ipv4_header(Octets& out, std::uint32_t from, std::uint32_t to, std::uint8_t protocol, std::size_t inside) {
  out = {0x45, 0};
  put16(out, static_cast<std::uint16_t>(20 + inside));
  put32(out, 0);  // the kernel fills identification and checksum in
  out.push_back(64);
  out.push_back(protocol);
  put16(out, 0);
  put32(out, from);
  put32(out, to);
}

}  // namespace

std::uint32_t address(std::string_view text) {
  in_addr a{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &a) != 1) die("an IPv4 address is needed");
  return ntohl(a.s_addr);
}

void put16(Octets& out, std::uint16_t v) {
  out.push_back(static_cast<std::uint8_t>(v >> 8));
  out.push_back(static_cast<std::uint8_t>(v));
}
void put32(Octets& out, std::uint32_t v) {
  put16(out, static_cast<std::uint16_t>(v >> 16));
  put16(out, static_cast<std::uint16_t>(v));
}
void put64(Octets& out, std::uint64_t v) {
  put32(out, static_cast<std::uint32_t>(v >> 32));
  put32(out, static_cast<std::uint32_t>(v));
}

Octets Ike::octets() const {
  Octets chain;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const bool sealed = payloads[i].type == kSk || payloads[i].type == kSkf;
    // What a sealed payload holds first is as false as the rest of it.
    const std::uint8_t next =
        i + 1 < payloads.size() ? payloads[i + 1].type : static_cast<std::uint8_t>(sealed ? 41 : 0);
    chain.push_back(next);
    chain.push_back(0);
    put16(chain, static_cast<std::uint16_t>(4 + payloads[i].body.size()));
    chain.insert(chain.end(), payloads[i].body.begin(), payloads[i].body.end());
  }
  Octets out;
  put64(out, spi_i);
  put64(out, spi_r);
  out.push_back(payloads.empty() ? std::uint8_t{0} : payloads.front().type);
  out.push_back(0x20);
  out.push_back(exchange);
  out.push_back(flags);
  put32(out, id);
  put32(out, static_cast<std::uint32_t>(28 + chain.size()));
  out.insert(out.end(), chain.begin(), chain.end());
  return out;
}

Ike::Payload notify(std::uint16_t type, Octets data) {
  Octets body{0, 0};
  put16(body, type);
  body.insert(body.end(), data.begin(), data.end());
  return {kNotify, std::move(body)};
}

Octets sa_body() {
  return {0, 0, 0, 36, 1, 1, 0, 3,                         // one proposal: IKE, no SPI, three transforms
          3, 0, 0, 12, 1, 0, 0, 20, 0x80, 14, 0x01, 0x00,  // AES-GCM-16 with 256 bits
          3, 0, 0, 8,  2, 0, 0, 6,                         // PRF_HMAC_SHA2_384
          0, 0, 0, 8,  4, 0, 0, 31};                       // X25519
}

Octets ke_body(Dice& dice) {
  Octets body{0, 31, 0, 0};
  const Octets value = random_octets(dice, 32);
  body.insert(body.end(), value.begin(), value.end());
  return body;
}

Octets random_octets(Dice& dice, std::size_t n) {
  Octets out(n);
  dice.fill(out);
  return out;
}

Octets udp_packet(Endpoint from, Endpoint to, std::span<const std::uint8_t> message) {
  const std::size_t marker = from.port == 4500 || to.port == 4500 ? 4 : 0;
  Octets out;
  ipv4_header(out, from.address, to.address, IPPROTO_UDP, 8 + marker + message.size());
  put16(out, from.port);
  put16(out, to.port);
  put16(out, static_cast<std::uint16_t>(8 + marker + message.size()));
  put16(out, 0);  // no checksum, as IPv4 allows
  out.resize(out.size() + marker);
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

Octets icmp_unreachable(std::uint32_t from, std::uint32_t to, std::span<const std::uint8_t> quoted) {
  const std::size_t n = quoted.size() < 28 ? quoted.size() : 28;
  Octets icmp{3, 3, 0, 0, 0, 0, 0, 0};  // port unreachable
  icmp.insert(icmp.end(), quoted.begin(), quoted.begin() + static_cast<std::ptrdiff_t>(n));
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < icmp.size(); i += 2) sum += static_cast<std::uint32_t>(icmp[i] << 8 | icmp[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  icmp[2] = static_cast<std::uint8_t>(~sum >> 8);
  icmp[3] = static_cast<std::uint8_t>(~sum);
  Octets out;
  ipv4_header(out, from, to, IPPROTO_ICMP, icmp.size());
  out.insert(out.end(), icmp.begin(), icmp.end());
  return out;
}

RawSender::RawSender() : fd_(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)) {
  if (fd_ < 0) die("a raw socket");
  const int size = 8 << 20;
  setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
}

RawSender::~RawSender() { close(fd_); }

std::size_t RawSender::send(std::span<const Octets> packets) {
  std::vector<mmsghdr> messages(packets.size());
  std::vector<iovec> parts(packets.size());
  std::vector<sockaddr_in> to(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const Octets& p = packets[i];
    parts[i] = {const_cast<std::uint8_t*>(p.data()), p.size()};  // sendmmsg does not write to it
    to[i].sin_family = AF_INET;
    to[i].sin_addr.s_addr = htonl(static_cast<std::uint32_t>(p[16]) << 24 | static_cast<std::uint32_t>(p[17]) << 16 |
                                  static_cast<std::uint32_t>(p[18]) << 8 | p[19]);
    messages[i].msg_hdr.msg_name = &to[i];
    messages[i].msg_hdr.msg_namelen = sizeof to[i];
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(fd_, messages.data(), static_cast<unsigned>(messages.size()), 0);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

}  // namespace causeway::test::attacker
