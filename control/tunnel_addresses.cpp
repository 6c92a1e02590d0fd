// IKE and ESP of one peer from two public addresses: a box with two uplinks, or behind a NAT with a pool of addresses that
// deals UDP 500, UDP 4500 and IP protocol 50 to different ones.
//
// What comes from the second address is taken: an inbound SA asks for no source. What we send goes to IKE's address, and
// whether that one passes it on is for the box to decide, so this is said, and nothing is done about it: ESP that was
// caught and is sent on from elsewhere looks the same. It is said only where it lasts, because a NAT that forgot its
// mapping shows the same for a moment, until IKE has followed.
#include <algorithm>

#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr Time kLasts{3000};
constexpr Time kOver{5000};  // ESP from IKE's address alone for so long

}  // namespace

void Tunnel::esp_elsewhere(std::uint32_t spi_in, const conf::IpAddress& from, Time now, Actions& out) {
  std::uint64_t owner = 0;
  for (const Child& c : children_) {
    for (const LiveChild& l : c.live) {
      if (l.sa->spi_in == spi_in) owner = l.ike;
    }
  }
  const auto it = ikes_.find(owner);
  if (it == ikes_.end()) return;
  const conf::IpAddress ike = it->second.sa->status().remote.address;
  if (from == ike) return elsewhere_.reset();  // IKE has followed
  if (!elsewhere_) elsewhere_ = TwoAddresses{.ike = ike, .esp = from, .first = now};
  elsewhere_->ike = ike;
  elsewhere_->esp = from;
  elsewhere_->last = now;
  if (elsewhere_->named || now - elsewhere_->first < kLasts) return;
  elsewhere_->named = true;
  note(now, two_addresses_text());
  say(out, ike::Notice::Level::warning, two_addresses_text());
}

void Tunnel::watch_addresses(Time esp_at) {
  if (elsewhere_ && esp_at - elsewhere_->last > kOver) elsewhere_.reset();
}

const TwoAddresses* Tunnel::two_addresses() const {
  return elsewhere_ && elsewhere_->named ? &*elsewhere_ : nullptr;
}

std::string Tunnel::two_addresses_text() const {
  return "IKE of the peer comes from " + elsewhere_->ike.str() + ", its ESP from " + elsewhere_->esp.str() +
         ": two public addresses of one box. What we send goes to the first. Bind UDP 500, UDP 4500 and IP protocol 50 to "
         "one address there";
}

std::string Tunnel::notice() const {
  if (two_addresses() == nullptr) return notice_;
  return notice_.empty() ? two_addresses_text() : notice_ + "; " + two_addresses_text();
}

}  // namespace causeway::control
