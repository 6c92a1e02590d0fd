#include "control/ike/distinguished_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "control/ike/text.h"

namespace causeway::ike {
namespace {

using Error = tl::unexpected<std::string>;

constexpr std::uint8_t kOid = 0x06, kUtf8 = 0x0c, kPrintable = 0x13, kIa5 = 0x16, kSequence = 0x30, kSet = 0x31;
constexpr std::size_t kMaxAttributes = 64;

struct AttributeName {
  std::string_view name;  // the first of an OID is the one to print
  std::string_view oid;
};
constexpr std::array kNames = {
    AttributeName{"C", "2.5.4.6"},
    AttributeName{"ST", "2.5.4.8"},
    AttributeName{"L", "2.5.4.7"},
    AttributeName{"STREET", "2.5.4.9"},
    AttributeName{"O", "2.5.4.10"},
    AttributeName{"OU", "2.5.4.11"},
    AttributeName{"CN", "2.5.4.3"},
    AttributeName{"E", "1.2.840.113549.1.9.1"},
    AttributeName{"email", "1.2.840.113549.1.9.1"},
    AttributeName{"emailAddress", "1.2.840.113549.1.9.1"},
    AttributeName{"serialNumber", "2.5.4.5"},
    AttributeName{"SN", "2.5.4.5"},
    AttributeName{"DC", "0.9.2342.19200300.100.1.25"},
    AttributeName{"UID", "0.9.2342.19200300.100.1.1"},
    AttributeName{"S", "2.5.4.4"},
    AttributeName{"G", "2.5.4.42"},
    AttributeName{"I", "2.5.4.43"},
    AttributeName{"T", "2.5.4.12"},
    AttributeName{"D", "2.5.4.13"},
    AttributeName{"N", "2.5.4.41"},
    AttributeName{"dnQualifier", "2.5.4.46"},
};

struct Attribute {
  std::size_t rdn = 0;  // which relative name it belongs to: more than one attribute may
  ByteView oid;
  std::uint8_t tag = 0;
  ByteView value;
};

struct Tlv {
  std::uint8_t tag = 0;
  ByteView body;
};

// DER with lengths up to 65535 octets.
std::optional<Tlv> read_tlv(Reader& r) {
  Tlv t;
  t.tag = r.u8();
  std::size_t length = r.u8();
  if (length == 0x81) {
    length = r.u8();
  } else if (length == 0x82) {
    length = r.be16();
  } else if (length >= 0x80) {
    return std::nullopt;
  }
  t.body = r.take(length);
  if (!r.ok()) return std::nullopt;
  return t;
}

void write_tlv(Writer& w, std::uint8_t tag, ByteView body) {
  w.u8(tag);
  if (body.size() < 0x80) {
    w.u8(static_cast<std::uint8_t>(body.size()));
  } else if (body.size() < 0x100) {
    w.u8(std::uint8_t{0x81});
    w.u8(static_cast<std::uint8_t>(body.size()));
  } else {
    w.u8(std::uint8_t{0x82});
    w.be16(static_cast<std::uint16_t>(body.size()));
  }
  w.bytes(body);
}

std::optional<std::vector<Attribute>> attributes_of(ByteView der) {
  Reader outer(der);
  const auto name = read_tlv(outer);
  if (!name || name->tag != kSequence || !outer.at_end()) return std::nullopt;
  std::vector<Attribute> found;
  Reader rdns(name->body);
  for (std::size_t rdn = 0; rdns.left() > 0; ++rdn) {
    const auto set = read_tlv(rdns);
    if (!set || set->tag != kSet || set->body.empty()) return std::nullopt;
    Reader members(set->body);
    while (members.left() > 0) {
      const auto pair = read_tlv(members);
      if (!pair || pair->tag != kSequence) return std::nullopt;
      Reader inside(pair->body);
      const auto oid = read_tlv(inside);
      if (!oid || oid->tag != kOid || oid->body.empty()) return std::nullopt;
      const auto value = read_tlv(inside);
      if (!value || !inside.at_end() || found.size() == kMaxAttributes) return std::nullopt;
      found.push_back({rdn, oid->body, value->tag, value->body});
    }
  }
  return found;
}

std::optional<Bytes> oid_from_text(std::string_view text) {
  std::vector<std::uint32_t> arcs;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    std::uint32_t arc = 0;
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), arc);
    if (problem != std::errc() || end != part.data() + part.size() || arc > 0x0fffffff) return std::nullopt;
    arcs.push_back(arc);
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  if (arcs.size() < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] > 39)) return std::nullopt;
  Bytes out;
  for (std::size_t i = 1; i < arcs.size(); ++i) {
    const std::uint32_t arc = i == 1 ? arcs[0] * 40 + arcs[1] : arcs[i];
    for (unsigned shift = 28; shift > 0; shift -= 7) {
      if (arc >> shift != 0) out.push_back(static_cast<std::uint8_t>((arc >> shift & 0x7f) | 0x80));
    }
    out.push_back(static_cast<std::uint8_t>(arc & 0x7f));
  }
  return out;
}

std::string oid_to_text(ByteView oid) {
  std::string text;
  std::uint64_t arc = 0;
  for (const std::uint8_t o : oid) {
    arc = (arc << 7 | (o & 0x7f)) & 0xffffffff;
    if ((o & 0x80) != 0) continue;
    if (text.empty()) {
      const std::uint64_t first = std::min<std::uint64_t>(arc / 40, 2);
      text = std::to_string(first) + "." + std::to_string(arc - first * 40);
    } else {
      text += "." + std::to_string(arc);
    }
    arc = 0;
  }
  return text;
}

std::string attribute_name(ByteView oid) {
  const std::string dotted = oid_to_text(oid);
  const auto it = std::find_if(kNames.begin(), kNames.end(), [&](const AttributeName& n) { return n.oid == dotted; });
  return it == kNames.end() ? dotted : std::string(it->name);
}

bool printable_string(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
  });
}

std::uint8_t string_type(std::string_view oid, std::string_view value) {
  if (oid == "1.2.840.113549.1.9.1" || oid == "0.9.2342.19200300.100.1.25") return kIa5;  // RFC 5280 4.1.2.6
  return printable_string(value) ? kPrintable : kUtf8;
}

// Cuts the text at its separators, taking quotes away.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      parts.back() += text[++i];
    } else if (text[i] == separator) {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

tl::expected<Bytes, std::string> rdn_from_text(std::string_view part) {
  const std::size_t equals = part.find('=');
  if (equals == std::string_view::npos) {
    return Error("'" + std::string(part) + "' in a distinguished name has no '='");
  }
  const std::string_view name = trimmed(part.substr(0, equals));
  const std::string_view value = trimmed(part.substr(equals + 1));
  const auto known = std::find_if(kNames.begin(), kNames.end(),
                                  [name](const AttributeName& n) { return equal_without_case(n.name, name); });
  const std::string_view dotted = known != kNames.end() ? known->oid : name;
  const auto oid = oid_from_text(dotted);
  if (!oid) return Error("'" + std::string(name) + "' is no attribute of a distinguished name");
  if (value.empty()) return Error("'" + std::string(name) + "' in a distinguished name is empty");
  if (value.size() > 1024) return Error("'" + std::string(name) + "' in a distinguished name is too long");
  Writer pair, set, out;
  write_tlv(pair, kOid, *oid);
  write_tlv(pair, string_type(dotted, value), as_octets(value));
  write_tlv(set, kSequence, pair.view());
  write_tlv(out, kSet, set.view());
  return out.take();
}

bool same_value(const Attribute& a, const Attribute& b) {
  return equal_without_case(trimmed(as_text(a.value)), trimmed(as_text(b.value)));
}

}  // namespace

tl::expected<Bytes, std::string> dn_from_text(std::string_view text) {
  text = trimmed(text);
  const char separator = text.starts_with('/') ? '/' : ',';
  if (separator == '/') text.remove_prefix(1);
  const std::vector<std::string> parts = split(text, separator);
  if (parts.size() > kMaxAttributes) return Error("a distinguished name with too many parts");
  Writer rdns, out;
  for (const std::string& part : parts) {
    const auto rdn = rdn_from_text(part);
    if (!rdn) return Error(rdn.error());
    rdns.bytes(*rdn);
  }
  if (rdns.size() > 0xffff) return Error("a distinguished name that is too long");
  write_tlv(out, kSequence, rdns.view());
  return out.take();
}

std::optional<std::string> dn_to_text(ByteView der) {
  const auto attributes = attributes_of(der);
  if (!attributes) return std::nullopt;
  std::string text;
  std::size_t rdn = 0;
  for (const Attribute& a : *attributes) {
    if (!text.empty()) text += a.rdn == rdn ? "+" : ", ";
    rdn = a.rdn;
    text += attribute_name(a.oid) + "=";
    for (const char c : as_text(a.value)) {
      if (c == ',' || c == '\\') text += '\\';
      text += is_control(c) ? '?' : c;
    }
  }
  return text;
}

bool dn_matches(ByteView pattern, ByteView name) {
  const auto wanted = attributes_of(pattern), said = attributes_of(name);
  if (!wanted || !said || wanted->size() != said->size()) return false;
  return std::equal(wanted->begin(), wanted->end(), said->begin(), [](const Attribute& w, const Attribute& s) {
    return w.rdn == s.rdn && std::ranges::equal(w.oid, s.oid) && (as_text(w.value) == "*" || same_value(w, s));
  });
}

}  // namespace causeway::ike
