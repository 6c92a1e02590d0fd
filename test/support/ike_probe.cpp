// One IKEv2 SA over real UDP sockets: to see a handshake with any peer long before packets can flow.
//
//   ike-probe LOCAL REMOTE PSK LOCAL_NET REMOTE_NET [--respond] [--ike P] [--esp P] [--seconds N] [--id ID]
//             [--remote-id ID] [--rekey-child S] [--rekey-ike S] [--encap] [--nopfs]
//
// Prints every effect; closes the SA at the end. For the bench and for debugging; no test depends on it.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "control/ike/selectors.h"
#include "control/ikev2/ikev2.h"

namespace {

using namespace causeway;  // a program of its own

class ProbeEnvironment final : public ike::Environment {
 public:
  crypto::Random& random() override { return random_; }
  std::uint32_t allocate_spi(ike::TunnelId, ike::Resource) override {
    return static_cast<std::uint32_t>(random_.next_u64() | 0x10000);
  }
  void release_spi(std::uint32_t) override {}
  std::chrono::sys_seconds wall_time() override {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  }

 private:
  crypto::SystemRandom random_;
};

int open_udp(const conf::IpAddress& local, std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(local.v4());
  if (bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) {
    std::perror("bind");
    std::exit(1);
  }
  return fd;
}

struct Probe {
  ProbeEnvironment env;
  std::vector<std::shared_ptr<const ike::PeerSettings>> settings;
  std::map<std::uint16_t, int> sockets;
  std::vector<std::unique_ptr<ike::IkeSa>> sas;
  bool failed = false;

  void send(const ike::Send& s) {
    std::vector<std::uint8_t> wire;
    if (s.local.port == 4500) wire.assign(4, 0);
    wire.insert(wire.end(), s.message.begin(), s.message.end());
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(s.remote.port);
    to.sin_addr.s_addr = htonl(s.remote.address.v4());
    std::printf("-> %s %zu octets\n", s.remote.str().c_str(), wire.size());
    if (sendto(sockets.at(s.local.port), wire.data(), wire.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to) <
        0) {
      std::perror("sendto");
    }
  }

  void carry_out(ike::Effects& effects) {
    for (auto& e : effects) {
      if (auto* s = std::get_if<ike::Send>(&e)) send(*s);
      if (auto* n = std::get_if<ike::Notice>(&e)) std::printf("   %s\n", n->text.c_str());
      if (auto* i = std::get_if<ike::InstallInbound>(&e)) {
        std::printf("INSTALL in %08x %s %s %s\n", i->sa->spi_in, i->sa->suite.name().c_str(),
                    ike::str(i->sa->selectors).c_str(), i->sa->udp_encap ? "udp" : "native");
      }
      if (auto* u = std::get_if<ike::UseOutbound>(&e)) std::printf("USE out %08x\n", u->sa->spi_out);
      if (auto* r = std::get_if<ike::RemoveInbound>(&e)) std::printf("REMOVE in %08x\n", r->spi);
      if (auto* r = std::get_if<ike::RemoveOutbound>(&e)) std::printf("REMOVE out %08x\n", r->spi);
      if (std::get_if<ike::IkeEstablished>(&e)) std::printf("IKE ESTABLISHED\n");
      if (auto* c = std::get_if<ike::ChildEstablished>(&e)) {
        std::printf("CHILD ESTABLISHED%s %s\n", c->rekey ? " (rekey)" : "", c->sa->key_exchange.c_str());
      }
      if (auto* c = std::get_if<ike::ChildClosed>(&e)) {
        std::printf("CHILD CLOSED %08x%s: %s\n", c->spi_in, c->replaced ? " (replaced)" : "", c->reason.text.c_str());
      }
      if (auto* c = std::get_if<ike::ChildFailed>(&e)) std::printf("CHILD FAILED: %s\n", c->reason.text.c_str());
      if (auto* c = std::get_if<ike::IkeClosed>(&e)) {
        std::printf("IKE CLOSED: %s\n   ours: %s\n   theirs: %s\n", c->reason.text.c_str(), c->reason.ours.c_str(),
                    c->reason.theirs.c_str());
      }
      if (auto* k = std::get_if<ike::SendKeepalive>(&e)) std::printf("KEEPALIVE %s\n", k->remote.str().c_str());
      if (auto* n = std::get_if<ike::NewIkeSa>(&e)) {
        std::printf("NEW IKE SA\n");
        sas.push_back(std::move(n->successor));
      }
    }
    effects.clear();
    std::fflush(stdout);
  }

  void receive(std::uint16_t port, ike::Time now) {
    std::array<std::uint8_t, 65536> buffer{};
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const auto n =
        recvfrom(sockets.at(port), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (n <= 0) return;
    std::size_t skip = 0;
    if (port == 4500) {
      const std::array<std::uint8_t, 4> marker{};
      if (n < 4 || std::memcmp(buffer.data(), marker.data(), 4) != 0) return;  // ESP or a keepalive
      skip = 4;
    }
    ike::Datagram d{{settings.front()->local.address, port},
                    {conf::IpAddress::from_v4(ntohl(from.sin_addr.s_addr)), ntohs(from.sin_port)},
                    {buffer.begin() + static_cast<std::ptrdiff_t>(skip), buffer.begin() + n}};
    std::printf("<- %s %zu octets\n", d.remote.str().c_str(), d.bytes.size());
    ike::Effects effects;
    const auto be64 = [&](std::size_t at) {
      std::uint64_t v = 0;
      for (std::size_t i = 0; i < 8 && at + i < d.bytes.size(); ++i) v = v << 8 | d.bytes[at + i];
      return v;
    };
    const bool from_initiator = d.bytes.size() > 19 && (d.bytes[19] & 8) != 0;
    for (std::size_t i = 0; i < sas.size(); ++i) {
      if (sas[i]->local_spi() == be64(from_initiator ? 8 : 0) || sas[i]->owns_reply_to(be64(0), d.remote)) {
        sas[i]->receive(d, now, effects);
        return carry_out(effects);
      }
    }
    if (be64(8) == 0) {
      if (auto sa = ikev2::accept(d, settings, env, now, effects)) sas.push_back(std::move(sa));
      carry_out(effects);
    }
  }
};

ike::Time clock_now() {
  return std::chrono::duration_cast<ike::Time>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: ike-probe LOCAL REMOTE PSK LOCAL_NET REMOTE_NET [options]\n");
    return 2;
  }
  ike::PeerSettings s;
  s.tunnel = 1;
  s.local = {*conf::IpAddress::parse(argv[1]), 500};
  s.remote = conf::Endpoint{*conf::IpAddress::parse(argv[2]), 500};
  const std::string psk = argv[3];
  s.psk = crypto::Secret(std::span(reinterpret_cast<const std::uint8_t*>(psk.data()), psk.size()));
  s.children = {
      {1,
       "net",
       {{conf::Selector::of(*conf::Prefix::parse(argv[4]))}, {conf::Selector::of(*conf::Prefix::parse(argv[5]))}}}};
  s.config.ike.proposals = {"aes256-sha256-modp2048"};
  s.config.esp.proposals = {"aes256-sha256"};
  bool respond = false;
  int seconds = 5, rekey_child = -1, rekey_ike = -1;
  for (int i = 6; i < argc; ++i) {
    const std::string o = argv[i];
    const auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (o == "--respond") respond = true;
    if (o == "--encap") s.config.encap = conf::Encap::force;
    if (o == "--nopfs") s.config.esp.pfs = false;
    if (o == "--ike") s.config.ike.proposals = {value()};
    if (o == "--esp") s.config.esp.proposals = {value()};
    if (o == "--id") s.config.local_id = value();
    if (o == "--remote-id") s.config.remote_id = value();
    if (o == "--seconds") seconds = std::stoi(value());
    if (o == "--rekey-child") rekey_child = std::stoi(value());
    if (o == "--rekey-ike") rekey_ike = std::stoi(value());
  }
  Probe p;
  p.settings = {std::make_shared<const ike::PeerSettings>(std::move(s))};
  for (const std::uint16_t port : {std::uint16_t{500}, std::uint16_t{4500}}) {
    p.sockets[port] = open_udp(p.settings.front()->local.address, port);
  }
  ike::Effects effects;
  if (!respond) {
    p.sas.push_back(ikev2::make_initiator(p.settings.front(), p.env));
    if (!p.sas.back()) return 1;
    p.sas.back()->start(1, clock_now(), effects);
    p.carry_out(effects);
  }
  const auto begin = clock_now();
  bool closing = false;
  const auto newest = [&]() -> ike::IkeSa* {
    for (std::size_t i = p.sas.size(); i-- > 0;) {
      if (p.sas[i]->status().stage != "closed") return p.sas[i].get();
    }
    return nullptr;
  };
  while (clock_now() - begin < ike::Time{(seconds + 3) * 1000}) {
    std::array<pollfd, 2> fds{{{p.sockets[500], POLLIN, 0}, {p.sockets[4500], POLLIN, 0}}};
    poll(fds.data(), fds.size(), 50);
    const auto now = clock_now();
    if ((fds[0].revents & POLLIN) != 0) p.receive(500, now);
    if ((fds[1].revents & POLLIN) != 0) p.receive(4500, now);
    for (std::size_t i = 0; i < p.sas.size(); ++i) {
      if (const auto d = p.sas[i]->deadline(); d && *d <= now) {
        p.sas[i]->tick(now, effects);
        p.carry_out(effects);
      }
    }
    const auto after = [&](int when) { return when >= 0 && now - begin >= ike::Time{when * 1000}; };
    if (auto* sa = newest(); sa != nullptr) {
      if (after(rekey_child)) sa->rekey_child(1, now, effects), rekey_child = -1;
      if (after(rekey_ike)) sa->rekey_ike(now, effects), rekey_ike = -1;
      if (!closing && now - begin >= ike::Time{seconds * 1000}) sa->close(now, effects), closing = true;
      p.carry_out(effects);
    } else if (!respond) {
      break;
    }
  }
  return 0;
}
