// Security associations on the control thread's side: built here, owned by a worker from install() until
// its RetireReport, then wiped and freed here. A worker's report ring never overflows, because there are
// never more commands under way than it takes (push() in gateway_send.cpp).
#include <algorithm>
#include <utility>

#include "dataplane/gateway.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint64_t kLimitCheckMs = 500, kSpreadLimitCheckMs = 50;

}  // namespace

Gateway::SaKey Gateway::key_of(Direction direction, std::uint32_t spi, ChildSlot child) {
  return {direction, spi, direction == Direction::inbound ? 0 : child};
}

// The first bucket from the tunnel's own on that is the wanted worker's: it stays the same as long as the map does.
std::uint32_t Gateway::allocate_spi(std::uint32_t affinity, std::uint16_t resource) {
  const std::uint16_t worker = worker_of(affinity, resource);
  std::uint32_t bucket = SpiAllocator::bucket(affinity);
  for (std::uint32_t i = 0; i < kSpiBuckets && buckets_->worker(bucket) != worker; ++i) bucket = (bucket + 1) % kSpiBuckets;
  return spis_->allocate_in(bucket);
}

void Gateway::release_spi(std::uint32_t spi) {
  if (!sas_.contains(key_of(Direction::inbound, spi, 0))) spis_->release(spi);
}

void Gateway::refuse(const SaSpec& spec, std::uint64_t token, std::string why) {
  undelivered_.emplace_back(Installed{spec.direction, spec.spi, token, false, std::move(why)});
}

SaCounters Gateway::SaRecord::counters() const {
  if (inbound) return inbound->counters.read();
  SaCounters sum;
  for (const auto& replica : outbound) sum += replica->counters.read();
  return sum;
}

tl::expected<void, std::string> Gateway::build(const SaSpec& spec, SaRecord& record) {
  record.local = spec.local;
  record.remote = spec.remote;
  record.udp_encap = spec.udp_encap;
  if (spec.direction == Direction::inbound) {
    record.worker = static_cast<std::uint16_t>(buckets_->worker(codec_->decode(spec.spi).bucket));
    auto made = make_inbound(spec, *engine_, random_, sockets_[record.worker]);
    if (!made) return tl::unexpected(made.error());
    record.inbound = std::move(*made);
    return {};
  }
  record.sizes = EspSizes::of(spec.suite);
  record.configured_mtu = spec.mtu;
  record.fixed_path_mtu = spec.path_mtu;
  // Where the outer packet may be fragmented on its way, nothing is swallowed for its size.
  const bool fixed = spec.df == conf::DfPolicy::copy || spec.df == conf::DfPolicy::set;
  record.probe = spec.probe && (fixed || spec.remote.address.family == conf::Family::v6);
  record.probe_host = spec.probe_host;
  if (spec.health_host) record.health = SaRecord::Health{*spec.health_host, spec.selectors};
  if (spec.cores == conf::Cores::spread && spec.resource == 0 && workers_.size() > 1) {
    record.shared = std::make_unique<SharedSequence>(last_sequence(spec));
    auto made = make_spread(spec, *engine_, random_, path_mtu(record), sockets_, *record.shared);
    if (!made) return tl::unexpected(made.error());
    record.outbound = std::move(*made);
  } else {
    record.worker = worker_of(spec.tunnel, spec.resource);
    auto made = make_outbound(spec, *engine_, random_, path_mtu(record), sockets_[record.worker]);
    if (!made) return tl::unexpected(made.error());
    (*made)->beside_owner = record.worker != owner_of(spec.tunnel);
    record.outbound.push_back(std::move(*made));
  }
  record.mtu = record.outbound.front()->inner_mtu;
  return {};
}

void Gateway::install(SaSpec spec, std::uint64_t token) {
  const SaKey key = key_of(spec.direction, spec.spi, spec.child);
  if (sas_.contains(key)) return refuse(spec, token, "an SA with this SPI is installed already");
  SaRecord record;
  record.tunnel = spec.tunnel;
  record.child = spec.child;
  record.soft_bytes = spec.soft_bytes;
  record.hard_bytes = spec.hard_bytes;
  record.soft_packets = spec.soft_packets;
  record.hard_packets = spec.hard_packets;
  if (auto built = build(spec, record); !built) return refuse(spec, token, built.error());
  if (record.inbound) {
    record.installing = 1;
    command(record.worker, InstallInbound{record.inbound.get(), token});
  }
  for (std::uint16_t w = 0; w < record.outbound.size(); ++w) {
    ++record.installing;
    command(static_cast<std::uint16_t>(record.worker + w), InstallOutbound{record.outbound[w].get(), token});
  }
  if (record.shared) spread_.insert(key);
  sas_.emplace(key, std::move(record));
}

void Gateway::tell_owners(const SaRecord& record, const Command& what) {
  command(record.worker, what);
  for (std::uint16_t w = 1; w < record.outbound.size(); ++w)
    command(static_cast<std::uint16_t>(record.worker + w), what);
}

void Gateway::remove(Direction direction, std::uint32_t spi, ChildSlot child) {
  const auto it = sas_.find(key_of(direction, spi, child));
  if (it == sas_.end()) {
    undelivered_.emplace_back(Retired{direction, spi, 0, {}});
    return;
  }
  SaRecord& record = it->second;
  if (std::exchange(record.removing, true)) return;
  record.retiring = std::max<std::size_t>(record.outbound.size(), 1);
  tell_owners(record, RemoveSa{direction, spi, child});
}

void Gateway::update_endpoints(std::uint32_t spi_out, ChildSlot child, conf::Endpoint local, conf::Endpoint remote) {
  const auto it = sas_.find(key_of(Direction::outbound, spi_out, child));
  if (it == sas_.end()) return;
  it->second.local = local;
  it->second.remote = remote;
  tell_owners(it->second, SetEndpoints{spi_out, child, local, remote});
  set_mtu(it->first, it->second);
}

void Gateway::take_reports(Mailbox& mail, std::uint16_t worker, const Sink& sink) {
  for (Report report; mail.reports.pop(report);) {
    --under_way_[worker];
    std::visit([&](const auto& r) { on_report(r, sink); }, report);
  }
}

// A spread SA is installed when every worker has its replica: until then its child's packets go on as before on those
// that do not. The one reason to refuse, a child slot beyond the table, is the same for all.
void Gateway::on_report(const InstallReport& report, const Sink& sink) {
  const auto it = sas_.find(key_of(report.direction, report.spi, report.child));
  if (it == sas_.end() || --it->second.installing != 0) return;
  Installed event{report.direction, report.spi, report.token, report.ok, {}};
  if (!report.ok) {
    event.why = "the worker's table has no room";
    forget(it);
  }
  sink(Event(std::move(event)));
}

// Freed when every replica is out of its worker's table.
void Gateway::on_report(const RetireReport& report, const Sink& sink) {
  const auto it = sas_.find(key_of(report.direction, report.spi, report.child));
  if (it == sas_.end() || --it->second.retiring != 0) return;
  const Retired event{report.direction, report.spi, it->second.tunnel, it->second.counters()};
  forget(it);
  if (report.direction == Direction::inbound) spis_->release(report.spi);
  sink(Event(event));
}

void Gateway::forget(std::map<SaKey, SaRecord>::iterator it) {
  spread_.erase(it->first);
  if (it->second.steered) forget_steering(it->first.spi);
  sas_.erase(it);  // wipes
}

void Gateway::tell_limit(const LimitReached& limit, const Sink& sink) {
  const auto it = sas_.find(key_of(limit.direction, limit.spi, limit.child));
  if (it == sas_.end()) return;
  bool& told = limit.hard ? it->second.hard_told : it->second.soft_told;
  if (std::exchange(told, true)) return;
  sink(Event(limit));
}

// A worker's notice of a limit may be lost with a full ring; the counters are not. Nor does a worker see the octets
// of an SA's other replicas: their sum is looked at here, so a spread SA may overshoot a limit in octets by what all
// workers send in kSpreadLimitCheckMs and a poll, but none of them alone sends more than the limit. Packets it counts
// by its sequence numbers, exactly.
void Gateway::check_limits(const Sink& sink) {
  if (now_ms_ >= next_spread_limits_ms_) {
    next_spread_limits_ms_ = now_ms_ + kSpreadLimitCheckMs;
    for (const SaKey& key : spread_) check_limits(key, sas_.at(key), sink);
  }
  if (now_ms_ < next_limits_ms_) return;
  next_limits_ms_ = now_ms_ + kLimitCheckMs;
  for (auto& [key, record] : sas_) check_limits(key, record, sink);
}

void Gateway::check_limits(const SaKey& key, SaRecord& record, const Sink& sink) {
  if (record.removing || (record.soft_bytes | record.hard_bytes | record.soft_packets | record.hard_packets) == 0)
    return;
  const SaCounters now = record.counters();
  const auto reached = [&](std::uint64_t bytes, std::uint64_t packets) {
    return (bytes != 0 && now.bytes >= bytes) || (packets != 0 && now.packets >= packets);
  };
  LimitReached limit{key.direction, key.spi, record.tunnel, record.child, false};
  if (reached(record.soft_bytes, record.soft_packets)) tell_limit(limit, sink);
  if (!reached(record.hard_bytes, record.hard_packets)) return;
  if (record.shared) record.shared->last.store(0, std::memory_order_relaxed);
  limit.hard = true;
  tell_limit(limit, sink);
}

std::optional<SaCounters> Gateway::counters(Direction direction, std::uint32_t spi, ChildSlot child) const {
  const auto it = sas_.find(key_of(direction, spi, child));
  if (it == sas_.end()) return std::nullopt;
  return it->second.counters();
}

std::uint32_t Gateway::effective_mtu(std::uint32_t spi_out, ChildSlot child) const {
  const auto it = sas_.find(key_of(Direction::outbound, spi_out, child));
  return it == sas_.end() ? 0 : it->second.mtu;
}

std::vector<CryptoStatus> Gateway::crypto() const {
  std::vector<CryptoStatus> out;
  for (const auto& row : plan_->rows())
    out.push_back({row.suite, std::string(name(row.level)), std::string(name(row.api)), row.packets, row.octets});
  return out;
}

}  // namespace causeway::dataplane
