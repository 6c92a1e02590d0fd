#include "test/bench/rig.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "dataplane/spi.h"
#include "test/bench/statistics.h"

namespace causeway::bench {

using namespace causeway::dataplane;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kPatience = std::chrono::seconds(60);

conf::Prefix prefix(const std::string& text) { return *conf::Prefix::parse(text); }
conf::IpAddress address(const std::array<std::uint8_t, 4>& octets) { return conf::IpAddress::from_octets(octets); }

// A pair is left out where either half took more than this many times its median: the machine was away.
constexpr double kAway = 2.0;

std::array<std::uint8_t, 6> mac_of(std::uint16_t device) {
  rte_ether_addr mac{};
  rte_eth_macaddr_get(device, &mac);
  std::array<std::uint8_t, 6> out{};
  std::copy_n(mac.addr_bytes, 6, out.begin());
  return out;
}

SaSpec sa_spec(const Case& what, std::uint32_t tunnel, std::uint32_t spi) {
  const Keys keys = Keys::of(what.suite);
  SaSpec spec;
  spec.direction = what.direction;
  spec.tunnel = spec.child = tunnel;
  spec.spi = spi;
  spec.suite = what.suite;
  spec.encryption_key = crypto::Secret(keys.encryption);
  spec.integrity_key = crypto::Secret(keys.integrity);
  const auto host = remote_host(tunnel);
  const conf::Prefix remote{address({host[0], host[1], host[2], 0}), 24};
  spec.selectors = {{conf::Selector::of(prefix("10.1.0.0/16"))}, {conf::Selector::of(remote)}};
  spec.local = {address(kOurs), 4500};
  spec.remote = {address(kPeer), 4500};
  spec.udp_encap = what.udp;
  if (what.spread) spec.cores = conf::Cores::spread;
  if (what.lend) spec.cores = conf::Cores::lend;
  if (what.flow) spec.replay_window = 0;
  return spec;
}

}  // namespace

std::vector<int> usable_cores() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  ::sched_getaffinity(0, sizeof cpus, &cpus);
  std::vector<int> out;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu)
    if (CPU_ISSET(static_cast<unsigned>(cpu), &cpus)) out.push_back(cpu);
  return out;  // the last first: the first is where a system keeps its own work
}

Rig::Rig(const Case& what, const RigOptions& options) : what_(what), options_(options) {
  start();
  install();
  warm_up();
}

Rig::~Rig() {
  gateway_.reset();  // the workers first: they are in the meters
}

void Rig::start() {
  Setup setup;
  setup.cores = options_.cores;
  setup.polling = conf::Polling::busy;
  setup.file_prefix = "causeway-bench-" + std::to_string(::getpid());
  for (const bool wan : {true, false}) {
    PortSetup port;
    port.name = wan ? "wan" : "lan";
    port.device = wan ? MemoryPorts::wan() : MemoryPorts::lan();
    port.addresses = {prefix(wan ? "192.0.2.1/24" : "10.1.0.1/16")};
    port.trusted = !wan;
    port.mtu = wan ? 1600 : 1500;  // 1,420 octets inside stay in one piece, whatever the suite adds
    setup.ports.push_back(port);
  }
  for (std::uint32_t n = 0; n < what_.sas; ++n) {
    PolicySpec policy;
    policy.tunnel = policy.child = n;
    policy.selectors = sa_spec(what_, n, 0).selectors;
    setup.table.policies.push_back(policy);
  }
  for (std::size_t w = 0; w < options_.cores.size(); ++w) {
    clocks_.push_back(std::make_unique<StageClock>());
    StageClock* clock = options_.profile ? clocks_.back().get() : nullptr;
    meters_.push_back(std::make_unique<Meter>(clock));
    setup.stage_clocks.push_back(clock);
  }
  auto started = Dataplane::start(setup);
  if (!started) throw std::runtime_error(started.error().text);
  gateway_ = std::move(*started);
  for (const PortStatus& port : gateway_->ports())
    for (const std::string& fallback : port.fallbacks)
      if (fallback.find("hugepages") != std::string::npos) note_ = fallback;
  std::uint16_t wan = 0, lan = 0;
  if (rte_eth_dev_get_port_by_name("net_null0", &wan) != 0 || rte_eth_dev_get_port_by_name("net_null1", &lan) != 0)
    throw std::runtime_error("DPDK's null device is missing (package librte-net-null)");
  addresses_ = {mac_of(wan), mac_of(lan)};
  pool_ = rte_mempool_lookup("causeway-packets");
  if (pool_ == nullptr) throw std::runtime_error("the gateway has no packet pool");
  std::vector<FarEnd*> ends;
  for (const auto& meter : meters_) ends.push_back(meter.get());
  ports_ = std::make_unique<MemoryPorts>(wan, lan, ends);
}

void Rig::poll() {
  const auto now = std::chrono::duration_cast<Milliseconds>(Clock::now().time_since_epoch());
  gateway_->poll(now, [this](Event&& event) {
    const auto* installed = std::get_if<Installed>(&event);
    if (installed == nullptr) return;
    ++installed_;
    if (!installed->ok) failure_ = installed->why;
  });
}

void Rig::wait(const std::string& what_for, const std::function<bool()>& done) {
  const auto deadline = Clock::now() + kPatience;
  while (!done()) {
    if (!failure_.empty()) throw std::runtime_error(failure_);
    if (Clock::now() > deadline) throw std::runtime_error("waited in vain for " + what_for);
    poll();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

void Rig::install() {
  for (std::uint32_t n = 0; n < what_.sas; ++n) {
    const bool inbound = what_.direction == Direction::inbound;
    const std::uint32_t spi = inbound ? gateway_->allocate_spi(n) : 0x10000 + n;
    if (spi == 0) throw std::runtime_error("no inbound SPIs left");
    tunnels_.push_back({n, spi, 0});
    gateway_->install(sa_spec(what_, n, spi), n);
    if (n % 256 == 0) poll();
  }
  wait("the SAs to be installed", [this] { return installed_ >= what_.sas; });
}

// Each worker is fed with the tunnels that it owns, as RSS and flow steering would have it.
std::vector<Frames::Tunnel> Rig::tunnels_of(unsigned worker) const {
  std::vector<Frames::Tunnel> out;
  for (const Frames::Tunnel& t : tunnels_)
    if (what_.spread || SpiAllocator::bucket(t.number) % options_.cores.size() == worker) out.push_back(t);
  if (out.empty()) throw std::runtime_error("a worker without a tunnel: take more SAs than cores");
  return out;
}

unsigned Rig::owner() const {
  return SpiAllocator::bucket(tunnels_[0].number) % static_cast<unsigned>(options_.cores.size());
}

void Rig::warm_up() {
  for (const auto& meter : meters_) meter->answer(pool_);
  for (unsigned w = 0; w < meters_.size(); ++w) {
    if (what_.lend && w != owner()) continue;
    meters_[w]->warm_up(what_, addresses_, tunnels_of(w), pool_);
    wait("a first packet to come through", [this, w] { return meters_[w]->at_rest(); });
  }
  drops_ = gateway_->drops();
  for (Frames::Tunnel& t : tunnels_) t.sequence = 64;  // beyond what the first packets used
}

void Rig::check_nothing_lost() const {
  for (const auto& [name, count] : gateway_->drops()) {
    const auto before = drops_.find(name);
    if (count != (before == drops_.end() ? 0 : before->second))
      throw std::runtime_error("packets were dropped, and a figure made of drops is none: " + name);
  }
  std::uint64_t given = 0, taken = 0;
  for (const auto& meter : meters_)  // (one that gave nothing took what the gateway says of itself)
    if (meter->given() != 0) given += meter->given(), taken += meter->taken();
  if (given != taken)
    throw std::runtime_error("of " + std::to_string(given) + " packets " + std::to_string(taken) + " came through");
}

Result Rig::measure() {
  for (unsigned w = 0; w < meters_.size(); ++w)
    meters_[w]->measure(what_, addresses_, tunnels_of(w), pool_, options_.pairs, options_.seconds);
  // The control thread sleeps: it is not part of what is measured.
  while (!std::all_of(meters_.begin(), meters_.end(), [](const auto& m) { return m->at_rest(); }))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  check_nothing_lost();
  Result result;
  result.what = what_;
  result.raw_by = meters_[0]->raw_by();
  double rate = 0;
  Samples ours, raw, difference;
  std::array<Samples, kStages> stages;
  for (const auto& meter : meters_) {
    // Batches of a mix differ by the sizes that they hold, which come round: each kind has its own median.
    const std::size_t kinds = sizes_of(what_).size();
    std::vector<Samples> own_ours(kinds), own_raw(kinds);
    const std::vector<Meter::Pair>& pairs = meter->pairs();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      own_ours[i % kinds].add(static_cast<double>(pairs[i].ours));
      own_raw[i % kinds].add(static_cast<double>(pairs[i].raw));
    }
    Samples clean;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      ++result.batches;
      const Meter::Pair& p = pairs[i];
      const auto a = static_cast<double>(p.ours), b = static_cast<double>(p.raw);
      if (a > own_ours[i % kinds].quantile(0.5) * kAway || b > own_raw[i % kinds].quantile(0.5) * kAway) {
        ++result.left_out;
        continue;
      }
      clean.add(a / what_.burst);
      ours.add(a / what_.burst);
      raw.add(b / what_.burst);
      difference.add((a - b) / what_.burst);
      for (std::size_t s = 0; s < kStages; ++s) stages[s].add(static_cast<double>(p.stages[s]) / what_.burst);
    }
    rate += static_cast<double>(rte_get_tsc_hz()) / clean.quantile(kinds == 1 ? 0.1 : 0.5);
  }
  const double low = what_.size == kImix ? 0.5 : 0.1;  // of a mix the tenth would be that of its small packets
  result.cycles = ours.quantile(low);
  result.raw_cycles = raw.quantile(low);
  result.cycles_median = ours.quantile(0.5);
  result.raw_cycles_median = raw.quantile(0.5);
  result.overhead_p10 = difference.quantile(0.1);
  result.overhead_median = difference.quantile(0.5);
  double octets = 0;
  const auto sizes = sizes_of(what_);
  for (const std::uint32_t size : sizes) octets += size;
  result.mpps = rate / 1e6;
  result.gbps = rate * octets / static_cast<double>(sizes.size()) * 8 / 1e9;
  if (options_.profile)
    for (std::size_t s = 0; s < kStages; ++s) result.profile[s] = stages[s].quantile(0.5);
  return result;
}

// The worker that owns the tunnel is fed; the others have nothing of their own to do.
Flow Rig::flow() {
  constexpr auto kWindow = std::chrono::milliseconds(10);
  Meter& meter = *meters_[owner()];
  const auto lent = [this] {
    std::uint64_t batches = 0;
    for (const WorkerStatus& worker : gateway_->workers()) batches += worker.lent - worker.taken_back;
    return batches;
  };
  const std::uint64_t lent_before = lent();
  meter.flow(what_, addresses_, tunnels_of(owner()), pool_);
  std::this_thread::sleep_for(kWindow * 5);
  Samples rates;
  const auto begin = Clock::now();
  const std::uint64_t first = meter.flowed();
  auto at = begin;
  for (std::uint64_t before = first; at - begin < std::chrono::duration<double>(options_.seconds);) {
    std::this_thread::sleep_for(kWindow);
    const std::uint64_t flowed = meter.flowed();
    const auto now = Clock::now();
    rates.add(static_cast<double>(flowed - before) / std::chrono::duration<double>(now - at).count());
    before = flowed;
    at = now;
  }
  Flow out;
  out.what = what_;
  out.mpps = rates.quantile(0.9) / 1e6;
  out.mpps_overall = static_cast<double>(meter.flowed() - first) / std::chrono::duration<double>(at - begin).count() / 1e6;
  meter.stop();
  wait("the last packets to come through", [&] { return meter.flowed() == meter.given(); });
  check_nothing_lost();
  const double cycles = std::chrono::duration<double>(Clock::now() - begin + kWindow * 5).count() *
                        static_cast<double>(rte_get_tsc_hz());
  out.feed = static_cast<double>(meter.feed_cycles()) / cycles;
  out.lent = static_cast<double>(lent() - lent_before) * what_.burst / static_cast<double>(meter.given());
  return out;
}

Latency Rig::latency(std::size_t samples) {
  meters_[0]->measure(what_, addresses_, tunnels_of(0), pool_, 1, 5);
  while (!meters_[0]->at_rest()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  meters_[0]->lone_packets(samples);
  while (!meters_[0]->at_rest()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  check_nothing_lost();
  Latency out;
  out.what = what_;
  const double us = static_cast<double>(rte_get_tsc_hz()) / 1e6;
  Samples times;
  for (const Meter::Lone& l : meters_[0]->lone()) {
    const double t = static_cast<double>(l.cycles) / us;
    if (l.apart) {
      ++out.apart;
      out.apart_ms += t / 1000;
    } else {
      times.add(t);
    }
  }
  out.samples = times.count();
  out.p50 = times.quantile(0.5);
  out.p90 = times.quantile(0.9);
  out.p99 = times.quantile(0.99);
  out.longest = times.quantile(1.0);
  return out;
}

}  // namespace causeway::bench
