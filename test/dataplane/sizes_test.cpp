// SIZES.md is true: its table against the product, and against the size of packets that the reference makes.
#include <fstream>
#include <map>
#include <sstream>

#include "crypto/algorithms.h"
#include "dataplane/overhead.h"
#include "dataplane/tcp_mss.h"
#include "test/support/catch.h"
#include "test/support/esp_reference.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

struct Cell {
  std::uint32_t mtu = 0, mss4 = 0, mss6 = 0;
};
// By suite; native and in UDP over IPv4, the same over IPv6.
std::map<std::string, std::vector<Cell>> documented() {
  std::ifstream file(CAUSEWAY_TOP "/SIZES.md");
  std::map<std::string, std::vector<Cell>> table;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    std::istringstream columns(line.substr(1));
    std::string names, text;
    std::getline(columns, names, '|');
    std::vector<Cell> cells;
    while (std::getline(columns, text, '|')) {
      Cell cell;
      char slash = 0;
      std::istringstream(text) >> cell.mtu >> slash >> cell.mss4 >> slash >> cell.mss6;
      cells.push_back(cell);
    }
    for (std::size_t at = names.find('`'); at != std::string::npos; at = names.find('`', at)) {
      const std::size_t end = names.find('`', at + 1);
      table[names.substr(at + 1, end - at - 1)] = cells;
      at = end + 1;
    }
  }
  return table;
}

}  // namespace

TEST_CASE("The documented sizes of every suite, encapsulation and outer family are right to the octet") {
  const auto table = documented();
  std::size_t suites = 0;
  for (const crypto::EncryptionInfo& cipher : crypto::encryptions()) {
    if (!cipher.for_esp) continue;
    for (const crypto::IntegrityInfo& integrity : crypto::integrities()) {
      const bool aead = cipher.aead();
      const crypto::EspSuite suite{cipher.id, cipher.key_bits, aead ? crypto::Integrity::none : integrity.id, false};
      const std::string name = std::string(cipher.name) + (aead ? "" : "-" + std::string(integrity.name));
      INFO(name);
      const auto row = table.find(name);
      REQUIRE(row != table.end());
      REQUIRE(row->second.size() == 4);
      ++suites;
      for (int column = 0; column < 4; ++column) {
        const Cell& cell = row->second[static_cast<std::size_t>(column)];
        const bool udp = column % 2 == 1;
        const auto outer = column < 2 ? conf::Family::v4 : conf::Family::v6;
        const EspSizes sizes = EspSizes::of(suite);
        CHECK(inner_mtu(1500, sizes, udp, outer) == cell.mtu);
        CHECK(mss_of(cell.mtu, conf::Family::v4) == cell.mss4);
        CHECK(mss_of(cell.mtu, conf::Family::v6) == cell.mss6);
        ReferenceSa sa;
        sa.cipher = cipher.name;
        sa.integrity = aead ? "" : integrity.name;
        sa.key.resize(cipher.key_octets + cipher.salt_octets, 7);
        if (!aead) sa.integrity_key.resize(integrity.key_octets, 9);
        sa.spi = 0x1000;
        sa.source = outer == conf::Family::v4 ? Bytes{192, 0, 2, 1} : Bytes(16, 0x20);
        sa.destination = outer == conf::Family::v4 ? Bytes{192, 0, 2, 2} : Bytes(16, 0x21);
        if (udp) sa.source_port = sa.destination_port = 4500;
        const auto size = [&](std::size_t inner) {
          Bytes packet(inner);
          packet[0] = 0x45;
          return reference_seal(sa, 1, packet).size();
        };
        CHECK(size(cell.mtu) <= 1500);
        CHECK(size(cell.mtu + 1) > 1500);
      }
      if (aead) break;
    }
  }
  CHECK(suites == table.size());  // nothing is documented that is not there
}
