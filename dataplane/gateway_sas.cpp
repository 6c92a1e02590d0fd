// Security associations on the control thread's side: built here, owned by a worker from install() until
// its RetireReport, then wiped and freed here. A worker's report ring never overflows, because there are
// never more commands under way than it takes (push() in gateway_send.cpp).
#include <utility>

#include "dataplane/gateway.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint64_t kLimitCheckMs = 500;

}  // namespace

Gateway::SaKey Gateway::key_of(Direction direction, std::uint32_t spi, ChildSlot child) {
  return {direction, spi, direction == Direction::inbound ? 0 : child};
}

std::uint32_t Gateway::allocate_spi(std::uint32_t affinity) { return spis_->allocate(affinity); }

void Gateway::release_spi(std::uint32_t spi) {
  if (!sas_.contains(key_of(Direction::inbound, spi, 0))) spis_->release(spi);
}

void Gateway::refuse(const SaSpec& spec, std::uint64_t token, std::string why) {
  undelivered_.emplace_back(Installed{spec.direction, spec.spi, token, false, std::move(why)});
}

void Gateway::install(SaSpec spec, std::uint64_t token) {
  const SaKey key = key_of(spec.direction, spec.spi, spec.child);
  if (sas_.contains(key)) return refuse(spec, token, "an SA with this SPI is installed already");
  SaRecord record{.tunnel = spec.tunnel,
                  .child = spec.child,
                  .worker = 0,
                  .inbound = nullptr,
                  .outbound = nullptr,
                  .soft_bytes = spec.soft_bytes,
                  .hard_bytes = spec.hard_bytes,
                  .soft_packets = spec.soft_packets,
                  .hard_packets = spec.hard_packets};
  if (spec.direction == Direction::inbound) {
    auto made = make_inbound(spec, *engine_, random_, SOCKET_ID_ANY);
    if (!made) return refuse(spec, token, made.error());
    record.inbound = std::move(*made);
    record.worker = static_cast<std::uint16_t>(buckets_->worker(codec_->decode(spec.spi).bucket));
    command(record.worker, InstallInbound{record.inbound.get(), token});
  } else {
    record.local = spec.local;
    record.remote = spec.remote;
    record.udp_encap = spec.udp_encap;
    record.sizes = EspSizes::of(spec.suite);
    record.configured_mtu = spec.mtu;
    record.fixed_path_mtu = spec.path_mtu;
    auto made = make_outbound(spec, *engine_, random_, path_mtu(record), SOCKET_ID_ANY);
    if (!made) return refuse(spec, token, made.error());
    record.outbound = std::move(*made);
    record.mtu = record.outbound->inner_mtu;
    record.worker = owner_of(spec.tunnel);
    command(record.worker, InstallOutbound{record.outbound.get(), token});
  }
  sas_.emplace(key, std::move(record));
}

void Gateway::remove(Direction direction, std::uint32_t spi, ChildSlot child) {
  const auto it = sas_.find(key_of(direction, spi, child));
  if (it == sas_.end()) {
    undelivered_.emplace_back(Retired{direction, spi, 0, {}});
    return;
  }
  if (it->second.removing) return;
  it->second.removing = true;
  command(it->second.worker, RemoveSa{direction, spi, child});
}

void Gateway::update_endpoints(std::uint32_t spi_out, ChildSlot child, conf::Endpoint local, conf::Endpoint remote) {
  const auto it = sas_.find(key_of(Direction::outbound, spi_out, child));
  if (it == sas_.end()) return;
  it->second.local = local;
  it->second.remote = remote;
  command(it->second.worker, SetEndpoints{spi_out, child, local, remote});
  set_mtu(it->first, it->second);
}

void Gateway::take_reports(Mailbox& mail, std::uint16_t worker, const Sink& sink) {
  for (Report report; mail.reports.pop(report);) {
    --under_way_[worker];
    std::visit([&](const auto& r) { on_report(r, sink); }, report);
  }
}

void Gateway::on_report(const InstallReport& report, const Sink& sink) {
  Installed event{report.direction, report.spi, report.token, report.ok, {}};
  if (!report.ok) {
    event.why = "the worker's table has no room";
    sas_.erase(key_of(report.direction, report.spi, report.child));
  }
  sink(Event(std::move(event)));
}

void Gateway::on_report(const RetireReport& report, const Sink& sink) {
  const auto it = sas_.find(key_of(report.direction, report.spi, report.child));
  if (it == sas_.end()) return;
  const Retired event{report.direction, report.spi, it->second.tunnel, it->second.counters()};
  sas_.erase(it);  // wipes
  if (report.direction == Direction::inbound) spis_->release(report.spi);
  sink(Event(event));
}

void Gateway::tell_limit(const LimitReached& limit, const Sink& sink) {
  const auto it = sas_.find(key_of(limit.direction, limit.spi, limit.child));
  if (it == sas_.end()) return;
  bool& told = limit.hard ? it->second.hard_told : it->second.soft_told;
  if (std::exchange(told, true)) return;
  sink(Event(limit));
}

// A worker's notice of a limit may be lost with a full ring; the counters are not.
void Gateway::check_limits(const Sink& sink) {
  if (now_ms_ < next_limits_ms_) return;
  next_limits_ms_ = now_ms_ + kLimitCheckMs;
  for (const auto& [key, record] : sas_) {
    if (record.removing || (record.soft_bytes | record.hard_bytes | record.soft_packets | record.hard_packets) == 0)
      continue;
    const SaCounters now = record.counters();
    const auto reached = [&](std::uint64_t bytes, std::uint64_t packets) {
      return (bytes != 0 && now.bytes >= bytes) || (packets != 0 && now.packets >= packets);
    };
    LimitReached limit{key.direction, key.spi, record.tunnel, record.child, false};
    if (reached(record.soft_bytes, record.soft_packets)) tell_limit(limit, sink);
    limit.hard = true;
    if (reached(record.hard_bytes, record.hard_packets)) tell_limit(limit, sink);
  }
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
  for (const auto& row : plan_->rows()) out.push_back({row.suite, std::string(name(row.level)), std::string(row.api)});
  return out;
}

}  // namespace causeway::dataplane
