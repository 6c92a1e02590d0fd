// What a certificate calls its owner, held against what the owner said in its ID payload (RFC 4945 3.1).
#include <algorithm>
#include <cstring>

#include "crypto/x509_handle.h"

namespace causeway::crypto {
namespace {

using NamesHandle = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;

// ID payload types of RFC 7296 3.5 that a certificate can bear out.
enum IdType : std::uint8_t { ipv4 = 1, fqdn = 2, rfc822 = 3, ipv6 = 5, dn = 9, key_id = 11 };

NamesHandle alternative_names(const X509* x509) {
  return NamesHandle{static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr))};
}

std::span<const std::uint8_t> octets(const ASN1_STRING* string) {
  if (string == nullptr) return {};
  return {ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string printable(std::span<const std::uint8_t> text) {
  std::string out;
  for (const std::uint8_t c : text) out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  return out;
}

std::string address_text(std::span<const std::uint8_t> address) {
  std::string out;
  constexpr std::string_view kHex = "0123456789abcdef";
  if (address.size() == 4) {
    for (const std::uint8_t octet : address) out += (out.empty() ? "" : ".") + std::to_string(octet);
    return out;
  }
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (i != 0 && i % 2 == 0) out += ':';
    out += kHex[address[i] >> 4];
    out += kHex[address[i] & 15];
  }
  return out;
}

std::uint8_t lower(std::uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c; }

// Names compare without case (RFC 4945 3.1.2), never by pattern. A NUL inside is a character like any other, so
// that "gw.example.com\0.evil.com" is not "gw.example.com".
bool same_name(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return !a.empty() &&
         std::equal(a.begin(), a.end(), b.begin(), b.end(), [](auto x, auto y) { return lower(x) == lower(y); });
}

bool same_octets(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return !a.empty() && std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool alternative_name_fits(const X509* x509, const ClaimedIdentity& identity) {
  const NamesHandle names = alternative_names(x509);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int kind = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind);
    const auto* string = static_cast<const ASN1_STRING*>(value);
    if (kind == GEN_IPADD && (identity.type == ipv4 || identity.type == ipv6) &&
        same_octets(octets(string), identity.data))
      return true;
    if (((kind == GEN_DNS && identity.type == fqdn) || (kind == GEN_EMAIL && identity.type == rfc822)) &&
        same_name(octets(string), identity.data))
      return true;
  }
  return false;
}

NameHandle read_name(std::span<const std::uint8_t> der) {
  const unsigned char* p = der.data();
  NameHandle name{der.empty() ? nullptr : d2i_X509_NAME(nullptr, &p, static_cast<long>(der.size()))};
  if (name && p != der.data() + der.size()) name.reset();
  return name;
}

bool subject_fits(const X509* x509, std::span<const std::uint8_t> der) {
  const X509_NAME* subject = X509_get_subject_name(x509);
  const NameHandle said = read_name(der);
  return said && X509_NAME_entry_count(subject) > 0 && X509_NAME_cmp(subject, said.get()) == 0;
}

std::string identity_text(const ClaimedIdentity& identity) {
  switch (identity.type) {
    case ipv4:
    case ipv6:
      return "the address " + address_text(identity.data);
    case fqdn:
      return "the name " + printable(identity.data);
    case rfc822:
      return "the mailbox " + printable(identity.data);
    case dn:
      return "the DN \"" + name_text(read_name(identity.data).get()) + "\"";
    case key_id:
      return "a key ID";
    default:
      return "an identity of type " + std::to_string(identity.type);
  }
}

std::string cure(const ClaimedIdentity& identity) {
  switch (identity.type) {
    case ipv4:
    case ipv6:
    case fqdn:
    case rfc822:
      return "set the peer's identity to one of these, or issue it a certificate with that subjectAltName";
    case dn:
      return "set the peer's identity to the subject of its certificate";
    default:
      return "set the peer's identity to its certificate's subject or one of its subjectAltNames";
  }
}

}  // namespace

std::vector<std::string> Certificate::names() const {
  std::vector<std::string> out;
  const NamesHandle names = alternative_names(impl_->x509.get());
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int kind = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind);
    const auto* string = static_cast<const ASN1_STRING*>(value);
    if (kind == GEN_DNS) out.push_back("DNS:" + printable(octets(string)));
    if (kind == GEN_EMAIL) out.push_back("email:" + printable(octets(string)));
    if (kind == GEN_IPADD) out.push_back("IP:" + address_text(octets(string)));
  }
  return out;
}

std::optional<CertificateError> Certificate::refuses(const ClaimedIdentity& identity) const {
  const QuietErrors quiet;
  const X509* x509 = impl_->x509.get();
  switch (identity.type) {
    case ipv4:
    case ipv6:
    case fqdn:
    case rfc822:
      if (alternative_name_fits(x509, identity)) return std::nullopt;
      break;
    case dn:
      if (subject_fits(x509, identity.data)) return std::nullopt;
      break;
    case key_id:
      if (same_octets(octets(X509_get0_subject_key_id(impl_->x509.get())), identity.data)) return std::nullopt;
      break;
    default:
      break;
  }
  std::string holds;
  for (const std::string& name : names()) holds += (holds.empty() ? "" : ", ") + name;
  return CertificateError{CertificateProblem::wrong_identity,
                          "the peer calls itself " + identity_text(identity) + ", but " + label(*this) + " holds " +
                              (holds.empty() ? "no subjectAltName" : holds) + ": " + cure(identity),
                          subject()};
}

}  // namespace causeway::crypto
