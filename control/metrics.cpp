#include "control/metrics.h"

#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <utility>

namespace causeway::control {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr double kMicro = 1e-6, kKibi = 1024;

std::string spi_text(std::uint32_t spi) {  // as `status` writes it
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", spi);
  return text.data();
}

// Families in the order of their first value; a family has one type and one help text.
class Families {
 public:
  void gauge(const std::string& name, const char* help, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    family(name, help, MetricType::Gauge).metric.push_back(std::move(metric));
  }
  void counter(const std::string& name, const char* help, Labels labels, std::uint64_t value) {
    seconds(name, help, std::move(labels), static_cast<double>(value));
  }
  void seconds(const std::string& name, const char* help, Labels labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = value;
    family(name, help, MetricType::Counter).metric.push_back(std::move(metric));
  }
  std::vector<MetricFamily> take() { return std::move(all_); }

 private:
  MetricFamily& family(const std::string& name, const char* help, MetricType type) {
    const auto [at, added] = index_.try_emplace(name, all_.size());
    if (added) all_.push_back({name, help, type, {}});
    return all_[at->second];
  }

  std::vector<MetricFamily> all_;
  std::map<std::string, std::size_t> index_;
};

void add_child(Families& f, const std::string& tunnel, const ChildReport& c) {
  const auto labels = [&](const char* direction, std::uint32_t spi) {
    return Labels{{"tunnel", tunnel}, {"child", c.name}, {"direction", direction}, {"spi", spi_text(spi)}};
  };
  constexpr const char* kPackets = "Packets that an SA has carried.";
  constexpr const char* kBytes = "Octets of inner packets that an SA has carried.";
  f.counter("causeway_sa_packets_total", kPackets, labels("in", c.spi_in), c.packets_in);
  f.counter("causeway_sa_packets_total", kPackets, labels("out", c.spi_out), c.packets_out);
  f.counter("causeway_sa_bytes_total", kBytes, labels("in", c.spi_in), c.bytes_in);
  f.counter("causeway_sa_bytes_total", kBytes, labels("out", c.spi_out), c.bytes_out);
}

void add_tunnel(Families& f, const TunnelReport& t) {
  f.gauge("causeway_tunnel_established", "1 where the tunnel carries traffic: a child SA is installed both ways.",
          {{"tunnel", t.name}}, t.state == TunnelReport::State::established ? 1 : 0);
  f.gauge("causeway_tunnel_connecting", "1 while the tunnel negotiates.", {{"tunnel", t.name}},
          t.state == TunnelReport::State::connecting ? 1 : 0);
  f.gauge("causeway_tunnel_children", "Child SAs of the tunnel that are installed.", {{"tunnel", t.name}},
          static_cast<double>(t.children.size()));
  if (t.ike) {
    f.gauge("causeway_tunnel_ike_age_seconds", "Since the IKE SA of the tunnel was established.",
            {{"tunnel", t.name}, {"version", std::to_string(t.ike->version)}, {"suite", t.ike->suite}},
            static_cast<double>(t.ike->established_s));
  }
  for (const ChildReport& c : t.children) add_child(f, t.name, c);
}

void add_port(Families& f, const dataplane::PortStatus& p) {
  f.gauge("causeway_port_up", "1 where the link of the port is up.", {{"port", p.name}}, p.up ? 1 : 0);
  for (const auto& [name, value] : p.counters) {
    f.counter("causeway_port_" + name + "_total", "What the device of the port has counted under that name.",
              {{"port", p.name}}, value);
  }
}

void add_worker(Families& f, const dataplane::WorkerStatus& w) {
  const Labels core{{"core", std::to_string(w.core)}};
  f.counter("causeway_worker_rx_packets_total", "Packets that a worker has received.", core, w.rx);
  f.counter("causeway_worker_tx_packets_total", "Packets that a worker has sent.", core, w.tx);
  f.counter("causeway_worker_handed_over_packets_total", "Packets that a worker has given to the owner of their SA.",
            core, w.handed_over);
  f.counter("causeway_worker_polls_total", "Rounds of a worker.", core, w.polls);
  f.counter("causeway_worker_idle_polls_total", "Rounds of a worker that found nothing to do.", core, w.idle_polls);
  f.counter("causeway_worker_lent_batches_total", "Batches that a worker has lent to others to decrypt.", core, w.lent);
  f.counter("causeway_worker_helped_batches_total", "Batches that a worker has decrypted for others.", core, w.helped);
  f.gauge("causeway_worker_inbound_sas", "Inbound SAs that a worker owns.", core, w.sas_inbound);
  f.gauge("causeway_worker_outbound_sas", "Outbound SAs that a worker has.", core, w.sas_outbound);
}

void add_control(Families& f, const std::map<std::string, std::uint64_t>& control) {
  for (const auto& [name, value] : control) {
    const double number = static_cast<double>(value);
    if (name == "ike_sas") {
      f.gauge("causeway_ike_sas", "IKE SAs, half open ones included.", {}, number);
    } else if (name == "half_open") {
      f.gauge("causeway_ike_half_open", "IKE SAs begun by peers that are not authenticated.", {}, number);
    } else if (name == "children") {
      f.gauge("causeway_children", "Child SAs that are installed.", {}, number);
    } else if (name == "fds") {
      f.gauge("causeway_open_fds", "Open file descriptors of the daemon.", {}, number);
    } else if (name == "rss_kib") {
      f.gauge("causeway_resident_memory_bytes", "Resident memory of the daemon.", {}, number * kKibi);
    } else if (name == "control_cpu_us") {
      f.seconds("causeway_control_cpu_seconds_total", "Time that the control thread has worked.", {}, number * kMicro);
    } else if (name == "control_longest_us") {
      f.gauge("causeway_control_longest_seconds", "The longest round of the control thread.", {}, number * kMicro);
    } else {
      f.counter("causeway_control_events_total", "What the control thread has counted, by name.", {{"event", name}}, value);
    }
  }
}

}  // namespace

std::vector<MetricFamily> metric_families(const std::vector<TunnelReport>& tunnels, const CountersReport& counters) {
  Families f;
  for (const TunnelReport& t : tunnels) add_tunnel(f, t);
  for (const auto& [reason, count] : counters.drops)
    f.counter("causeway_drops_total", "Packets dropped, by reason.", {{"reason", reason}}, count);
  for (const auto& [what, count] : counters.treated)
    f.counter("causeway_treated_total", "Packets that something was done to, by what it was.", {{"what", what}}, count);
  for (const auto& p : counters.ports) add_port(f, p);
  for (const auto& w : counters.workers) add_worker(f, w);
  for (const auto& p : counters.pools) {
    f.gauge("causeway_pool_size", "Elements of a memory pool.", {{"pool", p.name}}, static_cast<double>(p.size));
    f.gauge("causeway_pool_in_use", "Elements of a memory pool in use.", {{"pool", p.name}}, static_cast<double>(p.in_use));
  }
  for (const auto& r : counters.rules) {
    f.counter("causeway_rule_packets_total", "Packets that a filter rule has decided about.",
              {{"rule", r.name}, {"action", r.permit ? "permit" : "deny"}}, r.packets);
  }
  add_control(f, counters.control);
  return f.take();
}

}  // namespace causeway::control
