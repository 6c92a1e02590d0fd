// causeway-load - packets at a steady rate through a gateway, and how many come out: the far ends of its two ports in
// one process. testpmd sends as fast as it can, which says what a sender loses, not what a gateway carries; on devices
// without a rate limiter of their own (memif among them) somebody has to keep time.
//
//   causeway-load --tx DEVICE --rx DEVICE --to MAC --from-ip A --to-ip B --rate PPS --size N --seconds S
//
// One line of JSON: {"sent","received","seconds","late"}. `late`: packets that left in bursts of more than 32 because
// this process was not running when they were due: a trial with many of them judges the machine, not the gateway.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "conf/address.h"
#include "dataplane/headers.h"

namespace causeway::bench {

namespace {

using namespace causeway::dataplane;

constexpr std::uint16_t kBurst = 32;
constexpr std::array<std::uint8_t, 6> kOwnMac = {2, 0, 0, 0, 0, 0x99};

struct Options {
  std::string tx, rx, to_mac, from_ip, to_ip;
  double rate = 100'000, seconds = 1, settle = 0.3;
  std::uint32_t size = 64;
  std::uint16_t flows = 1;
};

struct Device {
  std::uint16_t id = 0;
  Device(const std::string& arguments, rte_mempool* pool) {
    const std::string name = arguments.substr(0, arguments.find(','));
    const std::string rest = name.size() == arguments.size() ? "" : arguments.substr(name.size() + 1);
    const bool made = arguments.starts_with("net_") ? rte_eal_hotplug_add("vdev", name.c_str(), rest.c_str()) == 0
                                                    : rte_dev_probe(arguments.c_str()) == 0;
    if (!made || rte_eth_dev_get_port_by_name(name.c_str(), &id) != 0) throw std::runtime_error("no device " + arguments);
    rte_eth_conf conf{};
    if (rte_eth_dev_configure(id, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup(id, 0, 1024, SOCKET_ID_ANY, nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(id, 0, 1024, SOCKET_ID_ANY, nullptr) != 0)
      throw std::runtime_error("device " + arguments + " cannot be set up");
    // A memif server may still be busy with the end of the connection before.
    for (int tries = 0; rte_eth_dev_start(id) != 0; ++tries) {
      if (tries == 50) throw std::runtime_error("device " + arguments + " does not start");
      ::usleep(100'000);
    }
    rte_eth_promiscuous_enable(id);
  }
  ~Device() { rte_eth_dev_stop(id), rte_eth_dev_close(id); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
};

std::array<std::uint8_t, 6> parse_mac(const std::string& text) {
  std::array<unsigned, 6> octets{};
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &octets[0], &octets[1], &octets[2], &octets[3], &octets[4],
                  &octets[5]) != 6)
    throw std::runtime_error("'" + text + "' is no MAC address");
  std::array<std::uint8_t, 6> out{};
  for (std::size_t i = 0; i < 6; ++i) out[i] = static_cast<std::uint8_t>(octets[i]);
  return out;
}

class Load {
 public:
  Load(const Options& options, rte_mempool* pool) : o_(options), pool_(pool), tx_(o_.tx, pool), rx_(o_.rx, pool) {
    const auto from = conf::IpAddress::parse(o_.from_ip), to = conf::IpAddress::parse(o_.to_ip);
    if (!from || !to) throw std::runtime_error("--from-ip and --to-ip take IPv4 addresses");
    frame_.resize(kEthernetHeader + o_.size);
    const auto mac = parse_mac(o_.to_mac);
    std::copy(mac.begin(), mac.end(), frame_.begin());
    std::copy(kOwnMac.begin(), kOwnMac.end(), frame_.begin() + 6);
    put_be16(&frame_[12], RTE_ETHER_TYPE_IPV4);
    auto& ip = *reinterpret_cast<rte_ipv4_hdr*>(&frame_[kEthernetHeader]);
    ip.version_ihl = RTE_IPV4_VHL_DEF;
    ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(o_.size));
    ip.time_to_live = 64;
    ip.next_proto_id = kProtocolUdp;
    ip.src_addr = network_order_v4(*from);
    ip.dst_addr = network_order_v4(*to);
    set_checksum(ip);
    put_be16(&frame_[kEthernetHeader + kIpv4Header + 2], 5001);
    put_be16(&frame_[kEthernetHeader + kIpv4Header + 4], static_cast<std::uint16_t>(o_.size - kIpv4Header));
  }

  void run() {
    const double hz = static_cast<double>(rte_get_tsc_hz());
    for (const std::uint64_t until = rte_rdtsc() + static_cast<std::uint64_t>(o_.settle * hz); rte_rdtsc() < until;)
      look();  // links come up, questions for neighbors are answered; a first packet asks the gateway's
    const std::uint64_t begin = rte_rdtsc();
    const auto all = static_cast<std::uint64_t>(o_.rate * o_.seconds);
    std::uint64_t given = 0;
    while (given < all) {
      const double passed = static_cast<double>(rte_rdtsc() - begin) / hz;
      const auto due = std::min(all, static_cast<std::uint64_t>(passed * o_.rate));
      if (due - given > kBurst) late_ += due - given - kBurst;
      while (given < due) {
        const auto n = static_cast<std::uint16_t>(std::min<std::uint64_t>(kBurst, due - given));
        given += n;
        send(n);
        look();
      }
      look();
    }
    seconds_ = static_cast<double>(rte_rdtsc() - begin) / hz;
    for (const std::uint64_t until = rte_rdtsc() + static_cast<std::uint64_t>(o_.settle * hz); rte_rdtsc() < until;) look();
    std::printf("{\"sent\": %lu, \"received\": %lu, \"seconds\": %.4f, \"late\": %lu}\n",
                static_cast<unsigned long>(sent_), static_cast<unsigned long>(received_), seconds_,
                static_cast<unsigned long>(late_));
  }

 private:
  // What the device does not take at once is offered again: it counts as sent when it is.
  void send(std::uint16_t n) {
    std::array<rte_mbuf*, kBurst> burst{};
    if (rte_pktmbuf_alloc_bulk(pool_, burst.data(), n) != 0) return;
    for (std::uint16_t i = 0; i < n; ++i) {
      auto* to = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(burst[i], static_cast<std::uint16_t>(frame_.size())));
      std::memcpy(to, frame_.data(), frame_.size());
      put_be16(to + kEthernetHeader + kIpv4Header, static_cast<std::uint16_t>(10'000 + flow_++ % o_.flows));
    }
    std::uint16_t out = 0;
    for (int tries = 0; out < n && tries < 1000; ++tries) {
      out = static_cast<std::uint16_t>(out + rte_eth_tx_burst(tx_.id, 0, burst.data() + out, static_cast<std::uint16_t>(n - out)));
      if (out < n) look();
    }
    sent_ += out;
    for (std::uint16_t i = out; i < n; ++i) rte_pktmbuf_free(burst[i]);
  }

  void look() {
    for (const std::uint16_t device : {tx_.id, rx_.id}) {
      std::array<rte_mbuf*, kBurst> burst{};
      const std::uint16_t n = rte_eth_rx_burst(device, 0, burst.data(), kBurst);
      for (std::uint16_t i = 0; i < n; ++i) on_frame(burst[i], device);
    }
  }

  void on_frame(rte_mbuf* m, std::uint16_t device) {
    auto* at = rte_pktmbuf_mtod(m, std::uint8_t*);
    const std::uint16_t type = be16(at + 12);
    std::uint8_t* arp = at + kEthernetHeader;
    if (type == RTE_ETHER_TYPE_IPV4 && device == rx_.id && arp[9] == kProtocolUdp) ++received_;
    const bool question = type == RTE_ETHER_TYPE_ARP && m->data_len >= 42 && arp[7] == 1 && std::memcmp(arp + 14, arp + 24, 4) != 0;
    if (!question) return rte_pktmbuf_free(m);
    std::array<std::uint8_t, 4> asked{};
    std::memcpy(asked.data(), arp + 24, 4);
    std::memcpy(arp + 18, arp + 8, 10);
    std::memcpy(arp + 8, kOwnMac.data(), 6);
    std::memcpy(arp + 14, asked.data(), 4);
    arp[7] = 2;
    std::memcpy(at, at + 6, 6);
    std::memcpy(at + 6, kOwnMac.data(), 6);
    if (rte_eth_tx_burst(device, 0, &m, 1) == 0) rte_pktmbuf_free(m);
  }

  Options o_;
  rte_mempool* pool_;
  Device tx_, rx_;
  std::vector<std::uint8_t> frame_;
  std::uint64_t sent_ = 0, received_ = 0, late_ = 0;
  std::uint32_t flow_ = 0;
  double seconds_ = 0;
};

int main(int argc, char** argv) {
  CLI::App app{"Packets at a steady rate through a gateway, and how many come out."};
  Options o;
  app.add_option("--tx", o.tx, "device towards the gateway: PCI address or vdev arguments")->required();
  app.add_option("--rx", o.rx, "device where they come out")->required();
  app.add_option("--to", o.to_mac, "the gateway's MAC address on --tx")->required();
  app.add_option("--from-ip", o.from_ip, "source")->required();
  app.add_option("--to-ip", o.to_ip, "destination")->required();
  app.add_option("--rate", o.rate, "packets a second")->check(CLI::PositiveNumber);
  app.add_option("--size", o.size, "octets of the IP packet")->check(CLI::Range(28, 9000));
  app.add_option("--seconds", o.seconds)->check(CLI::PositiveNumber);
  app.add_option("--settle", o.settle, "seconds before and behind")->check(CLI::NonNegativeNumber);
  app.add_option("--flows", o.flows, "source ports")->check(CLI::Range(1, 50'000));
  CLI11_PARSE(app, argc, argv);
  const bool pci = !o.tx.starts_with("net_") || !o.rx.starts_with("net_");
  const std::string prefix = "--file-prefix=causeway-load-" + std::to_string(::getpid());
  std::vector<std::string> arguments = {"causeway-load", "--no-telemetry", "--log-level=error", prefix, "--no-huge", "--no-shconf", "-m", "256"};
  if (!pci) arguments.emplace_back("--no-pci");
  std::vector<char*> eal;
  for (std::string& a : arguments) eal.push_back(a.data());
  if (rte_eal_init(static_cast<int>(eal.size()), eal.data()) < 0) {
    std::cerr << "causeway-load: DPDK does not start\n";
    return 3;
  }
  try {
    rte_mempool* pool = rte_pktmbuf_pool_create("load", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (pool == nullptr) throw std::runtime_error("no memory for packets");
    Load(o, pool).run();
  } catch (const std::exception& error) {
    std::cerr << "causeway-load: " << error.what() << '\n';
    return 3;
  }
  return 0;
}

}  // namespace

}  // namespace causeway::bench

int main(int argc, char** argv) { return causeway::bench::main(argc, argv); }
