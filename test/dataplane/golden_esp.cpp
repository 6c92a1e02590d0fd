// golden-esp: packets of ours for judges in other languages, and a mouth for theirs.
//
//   golden-esp write DIR   DIR/keys.json describes SAs of every suite, native and in UDP, with and without
//                          ESN, over IPv4 and IPv6; DIR/ours.pcap has packets we made under the outbound ones
//   golden-esp read DIR    DIR/theirs.json has packets someone made under the inbound ones; one line each SA
//                          "ok NAME" or "not ok NAME: why"; exits 1 where one is not
//
// The SAs of both runs are the same: they come from a fixed seed.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "test/dataplane/esp_lab.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;
using nlohmann::json;

namespace {

constexpr std::size_t kPackets = 6;
constexpr std::uint64_t kEsnStart = 0xffff'fffd;  // two more, then the low half wraps

struct Case {
  std::string name;
  TunnelShape shape;
  SaPair outbound, inbound;
};

std::string name_of(const TunnelShape& s) {
  return s.cipher + (s.integrity.empty() ? "" : "-" + s.integrity) + (s.esn ? "-esn" : "") +
         (s.udp ? " udp" : " native") + (s.outer == conf::Family::v4 ? " v4" : " v6");
}

std::vector<Case> cases(EspLab& lab) {
  std::vector<Case> out;
  const auto add = [&](const std::string& cipher, const std::string& integrity) {
    for (const bool esn : {false, true})
      for (const bool udp : {false, true})
        for (const auto outer : {conf::Family::v4, conf::Family::v6}) {
          const TunnelShape shape{cipher, integrity, esn, udp, outer, 2048};
          out.push_back({name_of(shape), shape, lab.describe(Direction::outbound, shape),
                         lab.describe(Direction::inbound, shape)});
        }
  };
  for (const auto& cipher : crypto::encryptions()) {
    if (!cipher.for_esp) continue;
    if (cipher.aead()) add(std::string(cipher.name), "");
    for (const auto& integrity : crypto::integrities())
      if (!cipher.aead()) add(std::string(cipher.name), std::string(integrity.name));
  }
  return out;
}

std::string address(const Bytes& octets) { return conf::IpAddress::from_octets(octets).str(); }

json describe(const ReferenceSa& sa, const std::string& name) {
  return {{"name", name},
          {"cipher", sa.cipher},
          {"integrity", sa.integrity},
          {"esn", sa.esn},
          {"spi", sa.spi},
          {"key", to_hex(sa.key)},
          {"integrity_key", to_hex(sa.integrity_key)},
          {"source", address(sa.source)},
          {"destination", address(sa.destination)},
          {"source_port", sa.source_port},
          {"destination_port", sa.destination_port},
          {"first_sequence", sa.esn ? kEsnStart + 1 : 1}};
}

void put32(std::ofstream& out, std::uint32_t value) { out.write(reinterpret_cast<const char*>(&value), 4); }

// Link type 101: raw IP.
std::ofstream open_pcap(const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  put32(out, 0xa1b2c3d4);
  put32(out, 4U << 16 | 2U);
  put32(out, 0);
  put32(out, 0);
  put32(out, 65'535);
  put32(out, 101);
  return out;
}
void put_packet(std::ofstream& out, const Bytes& packet) {
  static std::uint32_t time = 0;
  put32(out, ++time);
  put32(out, 0);
  put32(out, static_cast<std::uint32_t>(packet.size()));
  put32(out, static_cast<std::uint32_t>(packet.size()));
  out.write(reinterpret_cast<const char*>(packet.data()), static_cast<std::streamsize>(packet.size()));
}

int write(const std::string& folder) {
  EspLab lab(77);
  json keys = {{"ours", json::array()}, {"theirs", json::array()}};
  std::ofstream pcap = open_pcap(folder + "/ours.pcap");
  for (const Case& c : cases(lab)) {
    OutboundSa& sa = lab.install_outbound(c.outbound.spec);
    if (c.shape.esn) sa.sequence = kEsnStart;
    json ours = describe(c.outbound.reference, c.name);
    std::vector<rte_mbuf*> burst;
    for (std::size_t i = 0; i < kPackets; ++i) {
      const Bytes inner = inner_packet(48 + lab.random() % 1200, i % 2 == 0 ? conf::Family::v4 : conf::Family::v6);
      ours["inner"].push_back(to_hex(inner));
      burst.push_back(lab.packet(inner));
      meta(burst.back()).sa.outbound = &sa;
    }
    EspOutboundOut out;
    lab.outbound(burst, out);
    for (rte_mbuf* m : out.tx.span()) put_packet(pcap, EspLab::octets(m));
    if (out.tx.count != kPackets) std::cerr << c.name << ": only " << out.tx.count << " packets made\n";
    EspLab::free(out.tx);
    EspLab::free(out.drops);
    keys["ours"].push_back(ours);
    keys["theirs"].push_back(describe(c.inbound.reference, c.name));
  }
  std::ofstream(folder + "/keys.json") << keys.dump(1) << "\n";
  return 0;
}

std::string judge(EspLab& lab, const Case& c, const json& theirs) {
  InboundSa& sa = lab.install_inbound(c.inbound.spec);
  if (c.shape.esn) sa.window.advance(kEsnStart);
  std::vector<rte_mbuf*> burst;
  for (const auto& packet : theirs.at("packets")) burst.push_back(lab.received(from_hex(packet.get<std::string>())));
  EspInboundOut out;
  lab.inbound(burst, out);
  std::string why;
  if (out.drops.count != 0)
    why = "dropped as " + std::string(kDrops[static_cast<std::size_t>(meta(out.drops.packets[0]).drop)].name);
  else if (burst.empty())
    why = "no packets";
  for (std::size_t i = 0; why.empty() && i < burst.size(); ++i)
    if (to_hex(EspLab::octets(out.clear.packets[i])) != theirs.at("inner").at(i).get<std::string>())
      why = "packet " + std::to_string(i) + " differs";
  EspLab::free(out.clear);
  EspLab::free(out.drops);
  return why;
}

int read(const std::string& folder) {
  EspLab lab(77);
  std::ifstream file(folder + "/theirs.json");
  const json theirs = json::parse(file);
  int failed = 0;
  for (const Case& c : cases(lab)) {
    const auto found = theirs.find(c.name);
    if (found == theirs.end()) continue;
    const std::string why = judge(lab, c, *found);
    failed += why.empty() ? 0 : 1;
    std::cout << (why.empty() ? "ok " : "not ok ") << c.name << (why.empty() ? "" : ": " + why) << "\n";
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc == 3 ? argv[1] : "";
  try {
    if (verb == "write") return write(argv[2]);
    if (verb == "read") return read(argv[2]);
  } catch (const std::exception& e) {
    std::cerr << "golden-esp: " << e.what() << "\n";
    return 1;
  }
  std::cerr << "golden-esp write|read DIR\n";
  return 2;
}
