#include "test/support/ike_pair.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <type_traits>

#include "control/ikev1/ikev1.h"
#include "control/ikev2/ikev2.h"

namespace causeway::test {

namespace {

constexpr Time kLatency{20};
constexpr Time kTrafficStep{25};

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

std::uint64_t be64(const Bytes& b, std::size_t at) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < 8; ++i) v = v << 8 | (at + i < b.size() ? b[at + i] : 0U);
  return v;
}

// A NAT in front of a side: another address, another port for each of 500 and 4500.
conf::Endpoint translated(const conf::Endpoint& e, const conf::IpAddress& by) {
  return {by, static_cast<std::uint16_t>(e.port + 20000)};
}

std::string hex(std::uint64_t v) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%llx", static_cast<unsigned long long>(v));
  return text.data();
}

conf::Selector net(std::string_view text) { return conf::Selector::of(*conf::Prefix::parse(text)); }

}  // namespace

std::uint32_t PairEnvironment::allocate_spi(ike::TunnelId, ike::Resource) {
  if (none_left) return 0;
  const std::uint32_t spi = next_ + random_.below(0x1000);
  next_ = spi + 1;
  allocated.insert(spi);
  return spi;
}

void PairEnvironment::release_spi(std::uint32_t spi) { allocated.erase(spi); }

ike::IkeSa* Side::ike() const { return sas.empty() ? nullptr : sas.back().get(); }

ike::PeerSettings pair_settings(bool is_b) {
  const auto address_a = *conf::IpAddress::parse("192.0.2.1");
  const auto address_b = *conf::IpAddress::parse("192.0.2.2");
  ike::PeerSettings s;
  s.tunnel = is_b ? 2 : 1;
  s.config.name = is_b ? "to-a" : "to-b";
  s.config.local = is_b ? address_b : address_a;
  s.config.remote = (is_b ? address_a : address_b).str();
  s.config.ike.proposals = {"aes128gcm16-prfsha256-x25519"};
  s.config.esp.proposals = {"aes128gcm16"};
  s.local = {is_b ? address_b : address_a, 500};
  s.remote = conf::Endpoint{is_b ? address_a : address_b, 500};
  const std::string_view psk = "a pre-shared key of the pair";
  s.psk = crypto::Secret(std::span(reinterpret_cast<const std::uint8_t*>(psk.data()), psk.size()));
  const auto mine = net(is_b ? "10.2.0.0/16" : "10.1.0.0/16");
  const auto theirs = net(is_b ? "10.1.0.0/16" : "10.2.0.0/16");
  s.config.local_subnets = {mine};
  s.config.remote_subnets = {theirs};
  s.children = {{1, "net", {{mine}, {theirs}}}};
  return s;
}

IkePair::IkePair(PairOptions options)
    : a("a", options.seed * 2 + 1), b("b", options.seed * 2 + 2), options_(std::move(options)) {
  for (Side* side : {&a, &b}) {
    auto settings = pair_settings(side == &b);
    if (options_.adjust) options_.adjust(settings, side == &b);
    side->settings.push_back(std::make_shared<const ike::PeerSettings>(std::move(settings)));
  }
}

void IkePair::write(const Side& side, const std::string& what) const {
  if (options_.journal)
    std::printf("%8lld %s: %s\n", static_cast<long long>(now_.count()), side.name.c_str(), what.c_str());
}

void IkePair::at(Time when, std::function<void()> action) { events_.push({when, order_++, std::move(action)}); }

void IkePair::start(Side& side, ike::ChildSlot child) {
  const bool v1 = side.settings.front()->config.ike.version == 1;
  side.sas.push_back(v1 ? ikev1::make_initiator(side.settings.front(), side.env, side.sas.empty())
                        : ikev2::make_initiator(side.settings.front(), side.env));
  ike::Effects effects;
  side.sas.back()->start(child, now_, effects);
  carry_out(side, effects);
}

void IkePair::with(Side& side, const std::function<void(ike::IkeSa&, Time, ike::Effects&)>& action) {
  ike::Effects effects;
  if (side.ike() == nullptr) return;
  action(*side.ike(), now_, effects);
  carry_out(side, effects);
  reap(side);
}

void IkePair::with_all(Side& side, const std::function<void(ike::IkeSa&, Time, ike::Effects&)>& action) {
  for (std::size_t i = 0; i < side.sas.size(); ++i) {
    ike::Effects effects;
    action(*side.sas[i], now_, effects);
    carry_out(side, effects);
  }
  reap(side);
}

void IkePair::inject(Side& to, const Bytes& bytes) {
  const Side& from = other(to);
  InFlight d;
  d.to_b = &to == &b;
  d.source = from.settings.front()->local;
  d.destination = to.settings.front()->local;
  if (to.ike() != nullptr && !to.ike()->status().stage.empty()) d.source = to.ike()->status().remote;
  d.bytes = bytes;
  deliver(to, d);
}

void IkePair::run(Time limit, const std::function<bool()>& until) {
  const Time end = now_ + limit;
  Time next_traffic = now_ + kTrafficStep;
  while (!(until && until())) {
    std::optional<Time> next;
    const auto consider = [&](Time t) { next = next ? std::min(*next, t) : t; };
    if (!events_.empty()) consider(events_.top().at);
    for (const Side* side : {&a, &b}) {
      for (const auto& sa : side->sas) {
        if (const auto d = sa->deadline()) consider(*d);
      }
    }
    if (options_.traffic) consider(next_traffic);
    if (!next || *next > end) break;
    now_ = std::max(now_, *next);
    while (!events_.empty() && events_.top().at <= now_) {
      const auto action = events_.top().action;
      events_.pop();
      action();
    }
    if (options_.traffic && next_traffic <= now_) {
      traffic();
      next_traffic = now_ + kTrafficStep;
    }
    tick(a);
    tick(b);
  }
  if (!until || !until()) now_ = std::max(now_, end);
}

void IkePair::tick(Side& side) {
  // A successor may be added while we walk, so by index.
  for (std::size_t i = 0; i < side.sas.size(); ++i) {
    const auto due = side.sas[i]->deadline();
    if (!due || *due > now_) continue;
    ike::Effects effects;
    side.sas[i]->tick(now_, effects);
    const auto again = side.sas[i]->deadline();
    if (again && *again <= now_ && effects.empty()) side.broken_rules.push_back("a deadline that tick() does not move");
    carry_out(side, effects);
  }
  reap(side);
  std::erase_if(side.leaving, [&](const Side::Leaving& l) {
    if (l.at > now_) return false;
    side.inbound.erase(l.spi);
    return true;
  });
}

// What control/tunnel_phases.cpp does for IKEv1: the phase 1 that matters gathers the children of all others, and
// another one is begun where one is wanted.
void IkePair::gather(Side& side) {
  if (side.settings.front()->config.ike.version != 1) return;
  ike::IkeSa* best = nullptr;
  for (const auto& sa : side.sas) {
    if (sa->status().established && (best == nullptr || ike::outranks(sa->status(), best->status()))) best = sa.get();
  }
  for (std::size_t i = 0; best != nullptr && i < side.sas.size(); ++i) {
    ike::IkeSa* other = side.sas[i].get();
    const auto status = other->status();
    const bool holds = !status.children.empty() || !side.inherited.contains(other);
    if (other == best || !holds || (!status.established && !side.headless.contains(other))) continue;
    ike::Effects effects;
    if (best->inherit(*other, now_, effects)) side.inherited.insert(other);
    side.inherited.erase(best);
    carry_out(side, effects);
  }
  const bool connecting = std::ranges::any_of(side.sas, [&](const auto& sa) {
    const auto status = sa->status();
    return status.initiator && !status.established && !side.headless.contains(sa.get()) && status.stage != "closed";
  });
  if (!side.renew || connecting || !renewal) return;
  side.renew = false;
  start(side, ike::kNoChild);
}

void IkePair::reap(Side& side) {
  gather(side);
  for (const auto& sa : side.sas) {
    if (sa->status().stage != "closed") continue;
    side.headless.erase(sa.get());
    side.inherited.erase(sa.get());
  }
  std::erase_if(side.sas, [](const auto& sa) { return sa->status().stage == "closed"; });
}

void IkePair::carry_out(Side& side, ike::Effects& effects) {
  Time held{0};
  for (ike::Effect& effect : effects) {
    std::visit(Overloaded{
                   [&](ike::Send& s) {
                     if (held == Time{0}) return transmit(side, s);
                     at(now_ + held, [this, &side, s = std::move(s)] { transmit(side, s); });
                   },
                   [&](ike::SendKeepalive&) { ++side.keepalives; },
                   [&](ike::InstallInbound& e) {
                     write(side, "install " + hex(e.sa->spi_in) + " / " + hex(e.sa->spi_out));
                     if (side.env.allocated.erase(e.sa->spi_in) == 0)
                       side.broken_rules.push_back("installed an SPI not allocated");
                     side.inbound[e.sa->spi_in] = e.sa;
                     held = options_.install_delay;
                   },
                   [&](ike::UseOutbound& e) {
                     write(side, "use " + hex(e.sa->spi_in) + " / " + hex(e.sa->spi_out));
                     if (!side.inbound.contains(e.sa->spi_in))
                       side.broken_rules.push_back("outbound without its inbound");
                     if (!side.sent_on.insert(e.sa).second)
                       side.broken_rules.push_back("an outbound SA taken up again: its numbers would begin anew");
                     side.outbound[e.sa->child] = e.sa;
                   },
                   [&](ike::RemoveInbound& e) {
                     write(side, "remove " + hex(e.spi));
                     if (!side.inbound.contains(e.spi))
                       side.broken_rules.push_back("removed an inbound SA that is not there");
                     if (e.after == Time{0}) {
                       side.inbound.erase(e.spi);
                     } else {
                       side.leaving.push_back({e.spi, now_ + e.after});
                       // An end for the grace time, even where no timer of an IKE SA is due.
                       at(now_ + e.after, [] {});
                     }
                   },
                   [&](ike::RemoveOutbound& e) {
                     const auto it = side.outbound.find(e.child);
                     if (it != side.outbound.end() && it->second->spi_out == e.spi) side.outbound.erase(it);
                   },
                   [&](ike::EndpointsChanged&) {},
                   [&](ike::IkeEstablished& e) {
                     ++side.established;
                     side.first_contacts += e.initial_contact ? 1 : 0;
                   },
                   [&](ike::ChildEstablished& e) { ++(e.rekey ? side.rekeyed : side.children_established); },
                   [&](ike::ChildClosed& e) { side.child_closed.push_back(e.reason); },
                   [&](ike::ChildFailed& e) { side.child_failed.push_back(e.reason); },
                   [&](ike::NewIkeSa& e) {
                     write(side, "new IKE SA " + hex(e.successor->local_spi()));
                     side.sas.push_back(std::move(e.successor));
                   },
                   [&](ike::ChildrenMoved& e) { write(side, "children move to " + hex(e.to)); },
                   [&](ike::PhaseOneLost& e) {
                     write(side, "phase 1 lost: " + e.reason.text);
                     side.phase_one_lost.push_back(e.reason);
                     for (const auto& sa : side.sas) {
                       if (sa->status().stage.starts_with("phase 1 is gone")) side.headless.insert(sa.get());
                     }
                     side.renew = true;
                   },
                   [&](ike::RenewIke&) { side.renew = true; },
                   [&](ike::RekeyRefused&) {},
                   [&](ike::IkeClosed& e) {
                     write(side, "IKE SA closed: " + e.reason.text);
                     side.ike_closed.push_back(e.reason);
                   },
                   [&](ike::Notice& e) {
                     write(side, e.text);
                     side.notices.push_back(e.text);
                   },
               },
               effect);
  }
}

void IkePair::transmit(Side& from, const ike::Send& send) {
  ++from.sent;
  InFlight d;
  d.number = number_++;
  d.to_b = &from == &a;
  d.source = from.behind_nat ? translated(send.local, from.nat) : send.local;
  d.destination = send.remote;
  d.bytes = send.message;
  if (send.message.empty()) from.broken_rules.push_back("an empty datagram");
  history.push_back(d);
  write(from, "--> " + hex(be64(d.bytes, 0)) + " exchange " + std::to_string(d.bytes.at(18)) +
                  ((d.bytes.at(19) & 0x20) != 0 ? " response " : " request ") + std::to_string(d.bytes.at(23)));
  Fate fate{{kLatency, std::nullopt}};
  if (wire) fate = wire(d);
  for (const Arrival& arrival : fate) {
    InFlight copy = d;
    if (arrival.changed) copy.bytes = *arrival.changed;
    at(now_ + arrival.delay, [this, copy] { deliver(copy.to_b ? b : a, copy); });
  }
}

ike::IkeSa* IkePair::find(Side& side, const ike::Datagram& datagram) {
  const Bytes& m = datagram.bytes;
  const std::uint64_t spi_i = be64(m, 0), spi_r = be64(m, 8);
  const bool from_initiator = m.size() > 19 && (m[19] & 0x08) != 0;
  const bool v1 = m.size() > 17 && m[17] >> 4 == 1;
  for (const auto& sa : side.sas) {
    // IKEv1 does not say who of the two sends.
    if (v1 && (sa->local_spi() == spi_i || sa->local_spi() == spi_r)) return sa.get();
    if (v1 && spi_r == 0 && sa->owns_reply_to(spi_i, datagram.remote)) return sa.get();
    const std::uint64_t ours = from_initiator ? spi_r : spi_i;
    if (ours != 0 && sa->local_spi() == ours && sa->status().initiator != from_initiator) return sa.get();
    if (from_initiator && spi_r == 0 && sa->owns_reply_to(spi_i, datagram.remote)) return sa.get();
  }
  return nullptr;
}

void IkePair::deliver(Side& to, const InFlight& d) {
  if (!to.answers) return;
  ike::Datagram datagram{d.destination, d.source, d.bytes};
  if (to.behind_nat) {  // the NAT turns the address back
    datagram.local = {to.settings.front()->local.address, static_cast<std::uint16_t>(d.destination.port - 20000)};
  }
  ike::Effects effects;
  if (ike::IkeSa* sa = find(to, datagram)) {
    sa->receive(datagram, now_, effects);
  } else if (datagram.bytes.size() >= 20 && be64(datagram.bytes, 8) == 0 && (datagram.bytes[19] & 0x20) == 0) {
    const bool v1 = to.settings.front()->config.ike.version == 1;
    auto accepted = v1 ? ikev1::accept(datagram, to.settings, to.env, now_, effects)
                       : ikev2::accept(datagram, to.settings, to.env, now_, effects);
    if (accepted) to.sas.push_back(std::move(accepted));
  }
  carry_out(to, effects);
  reap(to);
}

void IkePair::traffic() {
  for (Side* from : {&a, &b}) {
    Side& to = other(*from);
    for (const auto& [slot, sa] : from->outbound) {
      ++packets_sent;
      at(now_ + kLatency, [this, &to, sa = sa] {
        if (to.inbound.empty()) return;  // not up there, or torn down: nothing to lose
        const auto it = to.inbound.find(sa->spi_out);
        if (it != to.inbound.end() && it->second->encryption_in == sa->encryption_out) {
          for (const auto& ike : to.sas) ike->esp_received(sa->spi_out, now_);
          return;
        }
        ++packets_lost;
        if (first_loss.empty()) {
          first_loss = "at " + std::to_string(now_.count()) + " ms, " + to.name + " has no inbound SA for what arrived";
        }
      });
    }
  }
}

std::string IkePair::difference() const {
  const auto half = [](const Side& x, const Side& y) -> std::string {
    if (x.outbound.empty()) return x.name + " has no outbound SA";
    for (const auto& [slot, sa] : x.outbound) {
      const auto it = y.inbound.find(sa->spi_out);
      if (it == y.inbound.end()) return x.name + " sends on an SA that " + y.name + " does not have";
      const ike::ChildSa& peer = *it->second;
      if (!(sa->encryption_out == peer.encryption_in) || !(sa->integrity_out == peer.integrity_in)) {
        return x.name + "'s outbound keys differ from " + y.name + "'s inbound keys";
      }
      if (!(sa->encryption_in == peer.encryption_out) || !(sa->integrity_in == peer.integrity_out)) {
        return x.name + "'s inbound keys differ from " + y.name + "'s outbound keys";
      }
      if (sa->spi_in != peer.spi_out) return "SPIs do not cross";
      if (sa->encryption_out.empty()) return "no keys";
      if (!(sa->suite == peer.suite)) return "suites differ";
      if (sa->udp_encap != peer.udp_encap) return "encapsulation differs";
      if (sa->selectors.local != peer.selectors.remote || sa->selectors.remote != peer.selectors.local) {
        return "selectors do not mirror";
      }
    }
    return {};
  };
  if (auto d = half(a, b); !d.empty()) return d;
  if (auto d = half(b, a); !d.empty()) return d;
  if (a.live() != b.live()) {
    return "a has " + std::to_string(a.live()) + " inbound SAs, b " + std::to_string(b.live());
  }
  return {};
}

std::string IkePair::stuck() const {
  for (const Side* side : {&a, &b}) {
    for (const auto& sa : side->sas) {
      const auto status = sa->status();
      if (!status.established && !sa->deadline()) return side->name + ": no deadline in stage " + status.stage;
    }
    if (side->sas.empty() && !side->env.allocated.empty()) return side->name + " leaked an SPI";
    if (side->sas.empty() && side->live() != 0) return side->name + " left an inbound SA behind";
    if (!side->broken_rules.empty()) return side->name + ": " + side->broken_rules.front();
  }
  return {};
}

}  // namespace causeway::test
