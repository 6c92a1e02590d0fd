// X.501 Names in DER and as text, for identities (RFC 5280 4.1.2.4, RFC 4514).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "control/ike/bytes.h"

namespace causeway::ike {

// "C=CN, O=Example, CN=gw" or "/C=CN/O=Example/CN=gw", in the order of the DER; '\' quotes the next character.
// strongSwan's attribute names, without regard to case: C, ST, L, STREET, O, OU, CN, E, email, emailAddress, SN,
// serialNumber, DC, UID, S, G, I, T, D, N, dnQualifier; or an OID ("2.5.4.97=..."). The error names what it is about.
tl::expected<Bytes, std::string> dn_from_text(std::string_view text);

// Nothing where the octets are no Name. Control characters come out as '?'.
std::optional<std::string> dn_to_text(ByteView der);

// Attribute by attribute, in order, without regard to string type, case and outer spaces; a value "*" in `pattern`
// takes any. False where either is no Name.
bool dn_matches(ByteView pattern, ByteView name);

}  // namespace causeway::ike
