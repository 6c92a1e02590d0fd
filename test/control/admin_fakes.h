// A backend that answers what a test told it to, and a client that never waits for longer than the
// server's own steps take.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/admin.h"

namespace causeway::control::testing {

class FakeBackend final : public AdminBackend {
 public:
  std::vector<TunnelReport> reports;
  CountersReport counted;
  std::vector<RouteReport> known_routes;
  std::vector<dataplane::NeighborStatus> known_neighbors;
  std::vector<LogLine> lines;
  std::string console_of;
  std::vector<std::string> orders;  // "up hangzhou", "rekey hangzhou child net"
  std::vector<Done> waiting;        // of orders not answered at once
  std::optional<Outcome> at_once;   // answers every order before it returns

  [[nodiscard]] std::vector<TunnelReport> tunnels() const override { return reports; }
  [[nodiscard]] std::optional<TunnelReport> tunnel(std::string_view name) const override {
    const auto found = std::ranges::find(reports, name, &TunnelReport::name);
    return found == reports.end() ? std::nullopt : std::optional(*found);
  }
  [[nodiscard]] CountersReport counters() const override { return counted; }
  [[nodiscard]] std::vector<RouteReport> routes() const override { return known_routes; }
  [[nodiscard]] std::vector<dataplane::NeighborStatus> neighbors() const override { return known_neighbors; }
  [[nodiscard]] tl::expected<conf::ConsoleSheet, Outcome> console(std::string_view tunnel,
                                                                  conf::Language language) const override {
    if (tunnel != console_of) return tl::unexpected(Outcome{Outcome::Code::failed, "names no cloud"});
    return conf::ConsoleSheet{console_of,
                              "aliyun",
                              language == conf::Language::chinese ? "阿里云" : "Alibaba",
                              language,
                              {{"ike_version", "IKE version", false, "IKEv2"}, {"dpd", "DPD", true, "on"}},
                              {"publish the routes"}};
  }
  [[nodiscard]] tl::expected<diagnosis::Verdict, Outcome> diagnose(std::string_view tunnel,
                                                                   conf::Language language) const override {
    diagnosis::Verdict v;
    v.tunnel = tunnel;
    v.row = "D9";
    v.certain = false;
    v.others = {"D10"};
    v.text = language == conf::Language::chinese ? "算法不一致" : "the algorithms differ";
    v.evidence = {"ours: aes256", "theirs: aes128"};
    v.cure_here = "set esp.proposals";
    v.cure_there = "set the IPsec algorithms";
    return v;
  }
  [[nodiscard]] std::vector<LogLine> log() const override { return lines; }
  [[nodiscard]] std::uint64_t log_written() const override { return lines.size(); }
  void up(std::string_view tunnel, Done done) override { order("up " + std::string(tunnel), std::move(done)); }
  void down(std::string_view tunnel, Done done) override { order("down " + std::string(tunnel), std::move(done)); }
  void rekey(std::string_view tunnel, RekeyWhat what, std::string_view child, Done done) override {
    const char* name = what == RekeyWhat::ike ? "ike" : what == RekeyWhat::child ? "child " : "all";
    order("rekey " + std::string(tunnel) + " " + name + std::string(child), std::move(done));
  }
  void rehearse(std::string_view tunnel, bool sure, Done done) override {
    order("rehearse " + std::string(tunnel) + (sure ? " sure" : ""), std::move(done));
  }
  void write(const std::string& text) {
    lines.push_back({std::chrono::system_clock::time_point(std::chrono::milliseconds(1'769'850'487'123)), "info",
                     "hangzhou", text});
  }

 private:
  void order(std::string text, Done done) {
    orders.push_back(std::move(text));
    if (at_once) {
      done(*at_once);
    } else {
      waiting.push_back(std::move(done));
    }
  }
};

// A connection that is only ever read when something is there.
class TestClient {
 public:
  explicit TestClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect");
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;
  ~TestClient() { close(); }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t put = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (put <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  // Everything that has come so far.
  std::string read() {
    std::string text;
    std::array<char, 65536> piece;
    ssize_t got = 0;
    while ((got = ::recv(fd_, piece.data(), piece.size(), 0)) > 0)
      text.append(piece.data(), static_cast<std::size_t>(got));
    gone_ = gone_ || got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    return text;
  }
  [[nodiscard]] bool gone() const { return gone_; }  // the server has closed, as read() saw
  void end() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  bool gone_ = false;
};

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// A tunnel with every field set to something that can be told from the others.
inline TunnelReport full_tunnel() {
  TunnelReport t;
  t.name = "hangzhou";
  t.state = TunnelReport::State::established;
  t.ike = IkeReport{.version = 2,
                    .initiator = true,
                    .local = "203.0.113.2:4500",
                    .remote = "198.51.100.7:4500",
                    .nat_us = true,
                    .nat_peer = false,
                    .suite = "aes256gcm16-prfsha384-ecp384",
                    .established_s = 725,
                    .rekey_in_s = 25500,
                    .spi_initiator = 0x0123456789abcdef,
                    .spi_responder = 0xff,
                    .local_id = "203.0.113.2",
                    .remote_id = "gw.example.net",
                    .retransmitted = 3};
  ChildReport c;
  c.name = "net";
  c.suite = "aes256gcm16";
  c.udp_encap = true;
  c.spi_in = 0x0badcafe;
  c.spi_out = 0xc0ffee;
  c.packets_in = 10123;
  c.bytes_in = 12'345'678;
  c.packets_out = 9000;
  c.bytes_out = 1'100;
  c.rekey_in_s = 3120;
  c.local = {"192.168.123.0/24"};
  c.remote = {"172.17.112.0/20"};
  c.mtu = 1438;
  c.mss = 1398;
  c.replay_window = 2048;
  c.sequence_in = 10123;
  c.sequence_out = 9001;
  c.soft_left = {.seconds = 3120, .bytes = std::nullopt, .packets = 5};
  c.hard_left = {.seconds = 3600, .bytes = 7, .packets = std::nullopt};
  c.last_in_s = 2;
  c.drops = {{"icv_failed", 1}, {"replayed", 0}};
  t.children = {c};
  t.port = "wan";
  t.ike_created = 4;
  t.ike_established = 2;
  t.children_created = 5;
  t.children_established = 3;
  t.negotiation_min_ms = 12;
  t.negotiation_avg_ms = 20;
  t.negotiation_max_ms = 31;
  t.dpd_mode = "idle 30 s, retry 5 s, 5 tries";
  t.dpd_sent = 8;
  t.dpd_received = 6;
  t.keepalives_sent = 36;
  t.nat_port = 61002;
  t.history = {"the peer fell silent"};
  return t;
}

inline TunnelReport down_tunnel() {
  TunnelReport t;
  t.name = "branch";
  t.down_reason = "the peer refused our proof: the pre-shared keys differ, or it knows us by another identity";
  return t;
}

}  // namespace causeway::control::testing
