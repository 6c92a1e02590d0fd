// Data attributes of transforms and notifications (RFC 2408 3.3): a value of two octets (TV) or of a length (TLV).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/ike/bytes.h"
#include "control/ike/message.h"

namespace causeway::ikev1 {

struct Attribute {
  std::uint16_t type = 0;
  ike::Bytes value;  // two octets where it came as TV

  // As an unsigned number of up to eight octets; nothing where it is longer or empty.
  [[nodiscard]] std::optional<std::uint64_t> number() const;
};

ike::Parsed<std::vector<Attribute>> decode_attributes(ike::ByteView body);
// As TV where the value fits into two octets, else as TLV of four.
void put_attribute(ike::Writer& w, std::uint16_t type, std::uint32_t value);

// Pairs of life type and life duration (RFC 2407 4.5); unset: not said.
struct Lifetimes {
  std::optional<std::uint64_t> seconds, kilobytes;
  bool operator==(const Lifetimes&) const = default;
};
// Collects them while attributes are walked in order: a duration belongs to the type before it.
class LifetimeReader {
 public:
  LifetimeReader(std::uint16_t type_attribute, std::uint16_t duration_attribute)
      : type_(type_attribute), duration_(duration_attribute) {}
  // True where the attribute was one of the two.
  bool take(const Attribute& a);
  [[nodiscard]] const Lifetimes& lifetimes() const { return lifetimes_; }

 private:
  std::uint16_t type_, duration_;
  std::uint64_t current_ = 0;
  Lifetimes lifetimes_;
};
void put_lifetime(ike::Writer& w, std::uint16_t type_attribute, std::uint16_t duration_attribute,
                  const Lifetimes& lifetimes);

}  // namespace causeway::ikev1
