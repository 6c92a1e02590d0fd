#include "control/ike/distinguished_name.h"
#include "control/ike/ids.h"
#include "control/ike/text.h"
#include "test/support/catch.h"
#include "test/support/damage.h"
#include "test/support/hex.h"

using namespace causeway;
using namespace causeway::ike;
using test::octets;
using test::text_octets;
using test::to_hex;

namespace {

Identity id(std::string_view text) {
  auto parsed = Identity::parse(text);
  INFO(text);
  if (!parsed) FAIL(parsed.error());
  return *parsed;
}

// "C=CN, O=Example, CN=gw" as openssl writes it.
const char* const kName =
    "302c310b300906035504061302434e3110300e060355040a0c074578616d706c65310b300906035504030c026777";

}  // namespace

TEST_CASE("An identity's type follows from its form, as in strongSwan") {
  CHECK(id("10.1.2.3") == Identity{IdType::ipv4, octets("0a010203")});
  CHECK(id("2001:db8::1") == Identity{IdType::ipv6, octets("20010db8000000000000000000000001")});
  CHECK(id("gw.example.com") == Identity{IdType::fqdn, text_octets("gw.example.com")});
  CHECK(id("@gw.example.com") == id("gw.example.com"));
  CHECK(id("@10.1.2.3") == Identity{IdType::fqdn, text_octets("10.1.2.3")});
  CHECK(id("admin@example.com") == Identity{IdType::rfc822, text_octets("admin@example.com")});
  CHECK(id("@@admin@example.com") == id("admin@example.com"));
  CHECK(id("@#0a0b") == Identity{IdType::key_id, octets("0a0b")});
  CHECK(id("C=CN, CN=gw").type == IdType::dn);
  CHECK(id("branch:7") == Identity{IdType::key_id, text_octets("branch:7")});
  CHECK(id("  gw.example.com ") == id("gw.example.com"));
  for (const char* any : {"any", "%any", "*"}) CHECK(id(any).type == IdType::any);
}

TEST_CASE("A prefix names the type, whatever the form") {
  CHECK(id("fqdn:gw") == id("@gw"));
  CHECK(id("dns:gw") == id("@gw"));
  CHECK(id("FQDN:gw") == id("@gw"));
  CHECK(id("email:a@b") == id("a@b"));
  CHECK(id("rfc822:a@b") == id("a@b"));
  CHECK(id("userfqdn:a@b") == id("a@b"));
  CHECK(id("keyid:site-7") == Identity{IdType::key_id, text_octets("site-7")});
  CHECK(id("keyid:10.1.2.3") == Identity{IdType::key_id, text_octets("10.1.2.3")});
  CHECK(id("keyid:#00ff") == Identity{IdType::key_id, octets("00ff")});
  CHECK(id("fqdn:#6777") == id("@gw"));
  CHECK(id("dn:CN=gw") == id("CN=gw"));
  CHECK(id("asn1dn:#" + std::string(kName)) == Identity{IdType::dn, octets(kName)});
  CHECK(id("ipv4:10.1.2.3") == id("10.1.2.3"));
  CHECK(id("ipv6:::1") == id("::1"));
}

TEST_CASE("What is no identity is refused with the cause") {
  for (const char* bad : {"", "  ", "10.1.2.300", "1.2.3", "ipv4:gw", "ipv6:10.1.2.3", "keyid:", "keyid:#0", "@", "@@",
                          "@#", "dn:gw", "X=1", "C=", "CN=a,,O=b", "dn:#3000ff", "gw\x01", "fqdn:#00"}) {
    INFO(bad);
    const auto parsed = Identity::parse(bad);
    CHECK_FALSE(parsed);
    if (!parsed) CHECK_FALSE(parsed.error().empty());
  }
  CHECK(Identity::parse("10.1.2.300").error() == "'10.1.2.300' is neither an address nor a name");
  CHECK(Identity::parse("site=7").error().find("keyid:") != std::string::npos);
}

TEST_CASE("An identity is printed so that it can be read back") {
  for (const char* text : {"10.1.2.3", "2001:db8::1", "gw.example.com", "admin@example.com", "keyid:site-7",
                           "keyid:#00ff", "C=CN, O=Example, CN=gw", "any", "keyid:#2361"}) {
    CHECK(id(text).str() == text);
    CHECK(id(id(text).str()) == id(text));
  }
  CHECK((Identity{IdType::ipv4_subnet, octets("0a000000ff000000")}.str()) == "10.0.0.0/255.0.0.0");
  CHECK((Identity{IdType::ipv4_range, octets("0a0000000a0000ff")}.str()) == "10.0.0.0-10.0.0.255");
  CHECK((Identity{IdType::general_name, octets("8200")}.str()) == "general name:#8200");
  CHECK(id("gw.example.com").type_name() == "FQDN");
}

TEST_CASE("An ID payload has type, three reserved octets and data, and comes back") {
  CHECK(to_hex(id("10.1.2.3").encode()) == "010000000a010203");
  for (const char* text : {"10.1.2.3", "2001:db8::1", "gw.example.com", "a@b", "keyid:#00ff", "C=CN, CN=gw"}) {
    const Bytes body = id(text).encode();
    const auto back = Identity::decode(body);
    REQUIRE(back);
    CHECK(*back == id(text));
    test::each_damage(body, [](ByteView damaged) {
      const auto decoded = Identity::decode(damaged);
      if (!decoded) return;
      REQUIRE(Identity::decode(decoded->encode()) == *decoded);
      REQUIRE_FALSE(decoded->str().empty());
      REQUIRE(decoded->matches(*decoded));
    });
  }
}

TEST_CASE("ID payloads of wrong sizes, unknown types or with control characters are refused") {
  for (const char* bad :
       {"", "01000000", "010000000a0102", "010000000a01020304", "0500000020010db8", "02000000", "0200000067770a",
        "020000006700", "0900000030", "0c00000001", "0000000001", "040000000a000000"}) {
    CAPTURE(bad);
    CHECK_FALSE(Identity::decode(octets(bad)));
  }
}

TEST_CASE("An identity longer than any honest one is refused") {
  Bytes body = octets("0b000000");
  body.resize(4 + 2048, 'x');
  CHECK(Identity::decode(body));
  body.push_back('x');
  CHECK_FALSE(Identity::decode(body));
}

TEST_CASE("Names match without case, and only ends after a star") {
  CHECK(id("gw.example.com").matches(id("GW.Example.COM")));
  CHECK_FALSE(id("gw.example.com").matches(id("gw.example.org")));
  CHECK_FALSE(id("gw.example.com").matches(id("keyid:gw.example.com")));
  CHECK(id("*.example.com").matches(id("gw.example.com")));
  CHECK_FALSE(id("*.example.com").matches(id("example.com")));
  CHECK_FALSE(id("*.example.com").matches(id("@.example.com")));
  CHECK_FALSE(id("*.example.com").matches(id("gw.example.com.evil.org")));
  CHECK(id("*@example.com").matches(id("admin@Example.com")));
  CHECK_FALSE(id("*@example.com").matches(id("admin@other.com")));
  CHECK(id("10.1.2.3").matches(id("10.1.2.3")));
  CHECK_FALSE(id("10.1.2.3").matches(id("10.1.2.4")));
  CHECK_FALSE(id("keyid:a").matches(id("keyid:A")));
  // A star that the peer says is no pattern.
  CHECK_FALSE(id("gw.example.com").matches(id("*.example.com")));
  for (const char* any : {"10.1.2.3", "gw", "a@b", "keyid:x", "CN=x"}) CHECK(id("any").matches(id(any)));
}

TEST_CASE("A distinguished name is written as openssl writes it, but for the type of its strings") {
  CHECK(to_hex(*dn_from_text("C=CN, O=Example, CN=gw")) ==
        "302c310b300906035504061302434e3110300e060355040a13074578616d706c65310b3009060355040313026777");
  CHECK(dn_from_text("/C=CN/O=Example/CN=gw") == dn_from_text("C=CN, O=Example, CN=gw"));
  CHECK(dn_to_text(octets(kName)) == "C=CN, O=Example, CN=gw");
  CHECK(Identity::of_dn(octets(kName)).str() == "C=CN, O=Example, CN=gw");
  CHECK(dn_to_text(octets("3000")) == "");
}

TEST_CASE("Distinguished names with quoting, other attributes and long values come back") {
  for (const char* text :
       {"O=Example\\, Inc., CN=a\\\\b", "E=admin@example.com, CN=x", "DC=example, DC=com", "2.5.4.97=VAT-1",
        "CN=\xe4\xb8\xad\xe5\x9b\xbd", "serialNumber=7, UID=u", "1.2.840.113549.1.9.2=n"}) {
    const auto der = dn_from_text(text);
    REQUIRE(der);
    CHECK(dn_to_text(*der) == text);
  }
  for (const std::size_t n : {100u, 200u, 300u, 1000u}) {
    const std::string text = "CN=" + std::string(n, 'x');
    CHECK(dn_to_text(*dn_from_text(text)) == text);
  }
  CHECK_FALSE(dn_from_text("CN=" + std::string(2000, 'x')));
}

TEST_CASE("Distinguished names match attribute by attribute, string types and case apart") {
  const Identity ours = id("C=CN, O=example, CN=GW");
  CHECK(ours.matches(Identity::of_dn(octets(kName))));
  CHECK(id("C=CN, O=*, CN=gw").matches(Identity::of_dn(octets(kName))));
  CHECK_FALSE(id("C=CN, CN=gw").matches(Identity::of_dn(octets(kName))));
  CHECK_FALSE(id("O=Example, C=CN, CN=gw").matches(Identity::of_dn(octets(kName))));
  CHECK_FALSE(id("C=CN, O=Example, CN=other").matches(Identity::of_dn(octets(kName))));
  CHECK_FALSE(id("C=CN, OU=Example, CN=gw").matches(Identity::of_dn(octets(kName))));
  CHECK_FALSE(dn_matches(octets("00"), octets("00")));
}

TEST_CASE("Damage to a distinguished name is refused or read within its octets") {
  const Bytes der = octets(kName);
  test::each_truncation(der, [](ByteView v) { CHECK_FALSE(dn_to_text(v)); });
  int taken = 0;
  test::each_damage(der, [&](ByteView v) {
    const auto text = dn_to_text(v);
    if (!text) return;
    ++taken;
    for (const char c : *text) REQUIRE_FALSE(is_control(c));
    REQUIRE(dn_matches(v, v));
  });
  CHECK(taken > 0);
}
