#include "control/ikev1/attributes.h"

#include <algorithm>

#include "control/ikev1/doi.h"

namespace causeway::ikev1 {

namespace {

constexpr std::uint16_t kShortForm = 0x8000;
constexpr std::uint32_t kLargestShort = 0xffff;

}  // namespace

std::optional<std::uint64_t> Attribute::number() const {
  std::uint64_t n = 0;
  if (value.empty() || value.size() > sizeof n) return std::nullopt;
  for (const std::uint8_t o : value) n = n << 8 | o;
  return n;
}

ike::Parsed<std::vector<Attribute>> decode_attributes(ike::ByteView body) {
  std::vector<Attribute> out;
  ike::Reader r(body);
  while (r.left() > 0) {
    Attribute a;
    const std::uint16_t head = r.be16();
    a.type = head & static_cast<std::uint16_t>(~kShortForm);
    const std::size_t length = (head & kShortForm) != 0 ? 2 : r.be16();
    a.value = ike::to_bytes(r.take(length));
    if (!r.ok()) return tl::unexpected(ike::ParseError{.text = "attributes run over the end of their transform"});
    out.push_back(std::move(a));
  }
  if (!r.ok()) return tl::unexpected(ike::ParseError{.text = "an attribute is cut off"});
  return out;
}

void put_attribute(ike::Writer& w, std::uint16_t type, std::uint32_t value) {
  if (value <= kLargestShort) {
    w.be16(static_cast<std::uint16_t>(type | kShortForm));
    w.be16(static_cast<std::uint16_t>(value));
    return;
  }
  w.be16(type);
  w.be16(std::uint16_t{4});
  w.be32(value);
}

bool LifetimeReader::take(const Attribute& a) {
  if (a.type == type_) {
    current_ = a.number().value_or(0);
    return true;
  }
  if (a.type != duration_) return false;
  // A duration too long for a number is as good as none.
  if (current_ == kLifeSeconds) lifetimes_.seconds = a.number();
  if (current_ == kLifeKilobytes) lifetimes_.kilobytes = a.number();
  return true;
}

void put_lifetime(ike::Writer& w, std::uint16_t type_attribute, std::uint16_t duration_attribute,
                  const Lifetimes& lifetimes) {
  const auto put = [&](std::uint16_t unit, const std::optional<std::uint64_t>& duration) {
    if (!duration) return;
    put_attribute(w, type_attribute, unit);
    put_attribute(w, duration_attribute, static_cast<std::uint32_t>(std::min<std::uint64_t>(*duration, 0xffffffff)));
  };
  put(kLifeSeconds, lifetimes.seconds);
  put(kLifeKilobytes, lifetimes.kilobytes);
}

}  // namespace causeway::ikev1
