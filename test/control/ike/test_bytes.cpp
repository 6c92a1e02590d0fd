#include "control/ike/bytes.h"
#include "control/ike/text.h"
#include "test/support/catch.h"
#include "test/support/hex.h"

using namespace causeway::ike;
using causeway::test::octets;
using causeway::test::to_hex;

template <typename T>
concept CanWriteBe16 = requires(Writer w, T v) {
  w.be16(v);
};
static_assert(CanWriteBe16<std::uint16_t>);
static_assert(!CanWriteBe16<int>);
static_assert(!CanWriteBe16<std::uint32_t>);
static_assert(!CanWriteBe16<std::uint8_t>);

TEST_CASE("A writer's fields come back from a reader in network order") {
  Writer w;
  w.u8(std::uint8_t{0x01});
  w.be16(std::uint16_t{0x0203});
  w.be32(std::uint32_t{0x04050607});
  w.be64(std::uint64_t{0x08090a0b0c0d0e0f});
  w.bytes(octets("1011"));
  w.zeros(2);
  CHECK(to_hex(w.view()) == "0102030405060708090a0b0c0d0e0f10110000");
  w.patch_u8(0, std::uint8_t{0xff});
  w.patch_be16(1, std::uint16_t{0xfefd});
  w.patch_be32(3, std::uint32_t{0xfcfbfaf9});
  const Bytes all = w.take();
  Reader r(all);
  CHECK(r.u8() == 0xff);
  CHECK(r.be16() == 0xfefd);
  CHECK(r.be32() == 0xfcfbfaf9);
  CHECK(r.be64() == 0x08090a0b0c0d0e0f);
  CHECK(r.left() == 4);
  CHECK_FALSE(r.at_end());
  CHECK(to_hex(r.rest()) == "10110000");
  CHECK(r.at_end());
}

TEST_CASE("A reader that was asked for too much gives nothing more, even what would be there") {
  const Bytes three = octets("010203");
  Reader r(three);
  CHECK(r.be32() == 0);
  CHECK_FALSE(r.ok());
  CHECK(r.u8() == 0);
  CHECK(r.left() == 0);
  CHECK(r.rest().empty());
  CHECK_FALSE(r.at_end());
  CHECK_FALSE(r.sub(0).ok());
}

TEST_CASE("A reader of a part cannot see what is behind it") {
  const Bytes four = octets("01020304");
  Reader r(four);
  Reader part = r.sub(2);
  CHECK(part.be16() == 0x0102);
  CHECK(part.at_end());
  CHECK(part.u8() == 0);
  CHECK_FALSE(part.ok());
  CHECK(r.be16() == 0x0304);
  CHECK_FALSE(r.sub(1).ok());
}

TEST_CASE("Patching outside of what was written is refused") {
  Writer w;
  w.be16(std::uint16_t{1});
  CHECK_THROWS_AS(w.patch_be16(1, std::uint16_t{2}), std::out_of_range);
}

TEST_CASE("Hexadecimal text is read with and without colons, and refused when it is none") {
  CHECK(from_hex("0a0B") == octets("0a0b"));
  CHECK(from_hex("0a:0b:ff") == octets("0a0bff"));
  CHECK(from_hex("") == Bytes{});
  CHECK(hex(octets("00ff10")) == "00ff10");
  for (const char* bad : {"0", "0g", ":0a", "0a:", "0a::0b", "0 a"}) CHECK_FALSE(from_hex(bad));
}
