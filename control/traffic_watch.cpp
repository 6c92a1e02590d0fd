#include "control/traffic_watch.h"

#include <algorithm>

namespace causeway::control {

namespace {

constexpr ike::Time kRecent{60'000};
constexpr ike::Time kStillWaits{120'000};  // who asked last before that has given up
constexpr std::size_t kHosts = 32;

std::optional<diagnosis::Ago> ago(const std::optional<ike::Time>& t, ike::Time now) {
  return t ? std::optional(now - *t) : std::nullopt;
}

// Adds what `now` has more of than `before`, as far as it is looked at here.
void add_gain(dataplane::SaCounters& sum, const dataplane::SaCounters& now, const dataplane::SaCounters& before) {
  using C = dataplane::SaCounters;
  for (const auto field : {&C::packets, &C::own, &C::selector_mismatch, &C::no_route, &C::no_neighbor, &C::tcp_asked,
                           &C::tcp_answered, &C::echo_asked, &C::echo_answered}) {
    sum.*field += now.*field - before.*field;
  }
}

}  // namespace

void TrafficWatch::Waiting::add(std::uint64_t asked, std::uint64_t answers, ike::Time now) {
  if (answers != 0) {  // what was asked in the meantime beyond that waits
    answered += answers;
    unanswered = 0;
    asked -= std::min(asked, answers);
  }
  if (asked == 0) return;
  if (unanswered == 0 || now - last > kStillWaits) unanswered = 0, first = now;
  unanswered += asked;
  last = now;
}

diagnosis::Asked TrafficWatch::Waiting::as_asked(ike::Time now) const {
  diagnosis::Asked out;
  out.answered = answered;
  if (unanswered == 0 || now - last > kStillWaits) return out;
  out.unanswered = unanswered;
  out.first = now - first;
  out.last = now - last;
  return out;
}

void TrafficWatch::Recent::add(std::uint64_t n, ike::Time now) {
  if (n == 0) return;
  if (now - last > kRecent) count = 0;
  count += n;
  last = now;
}

std::uint64_t TrafficWatch::Recent::of(ike::Time now) const { return now - last > kRecent ? 0 : count; }

dataplane::SaCounters TrafficWatch::gained(Counts& known, std::span<const Seen> sas) {
  dataplane::SaCounters sum;
  Counts now;
  for (const Seen& s : sas) {
    const auto before = known.find(s.spi);
    add_gain(sum, s.counters, before == known.end() ? dataplane::SaCounters{} : before->second);
    now.insert_or_assign(s.spi, s.counters);
  }
  known = std::move(now);
  return sum;
}

void TrafficWatch::look(std::span<const Seen> inbound, std::span<const Seen> outbound, ike::Time now) {
  const dataplane::SaCounters in = gained(in_, inbound), out = gained(out_, outbound);
  packets_in_ += in.packets;
  packets_out_ += out.packets;
  if (in.packets > in.own) last_in_ = now;
  if (out.packets > out.own) last_out_ = now;
  tcp_out_.add(out.tcp_asked, in.tcp_answered, now);
  echo_out_.add(out.echo_asked, in.echo_answered, now);
  tcp_in_.add(in.tcp_asked, out.tcp_answered, now);
  echo_in_.add(in.echo_asked, out.echo_answered, now);
  mismatch_.add(in.selector_mismatch, now);
  no_neighbor_.add(in.no_neighbor, now);
  no_route_.add(in.no_route, now);
}

void TrafficWatch::asked(const dataplane::Asked& sample, ike::Time now) {
  if (sample.answered) {
    if (echoed_.size() >= kHosts && !echoed_.contains(sample.host)) {
      echoed_.erase(std::ranges::min_element(echoed_, {}, [](const auto& e) { return e.second; }));
    }
    echoed_[sample.host] = now;
  } else if (sample.port != 0) {
    asked_host_ = sample.host;
    asked_port_ = sample.port;
  }
}

void TrafficWatch::outside(const conf::IpAddress& source, bool theirs) {
  outside_ = source;
  outside_theirs_ = theirs;
}

diagnosis::Traffic TrafficWatch::traffic(ike::Time now) const {
  diagnosis::Traffic t;
  t.packets_in = packets_in_;
  t.packets_out = packets_out_;
  t.last_in = ago(last_in_, now);
  t.last_out = ago(last_out_, now);
  t.tcp_out = tcp_out_.as_asked(now);
  t.echo_out = echo_out_.as_asked(now);
  t.tcp_in = tcp_in_.as_asked(now);
  t.echo_in = echo_in_.as_asked(now);
  if (asked_host_) {
    t.asked_host = asked_host_->str();
    t.asked_port = asked_port_;
    const auto echo = echoed_.find(*asked_host_);
    t.asked_host_answers_ping = echo != echoed_.end() && now - echo->second < kStillWaits;
  }
  t.outside_selectors = mismatch_.of(now);
  if (outside_) {
    t.outside_source = outside_->str();
    t.outside_source_is_theirs = outside_theirs_;
  }
  t.no_neighbor = no_neighbor_.of(now);
  t.no_route = no_route_.of(now);
  return t;
}

}  // namespace causeway::control
