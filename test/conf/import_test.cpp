#include "conf/import.h"

#include <algorithm>
#include <random>

#include "conf/proposal_words.h"
#include "test/conf/conf_text.h"
#include "test/support/catch.h"

using namespace causeway::conf;
using causeway::conf::testing::all_of;

namespace {

constexpr const char* kFortigate = R"(FGT # config vpn ipsec phase1-interface
FGT (phase1-interface) # edit "hangzhou gw"
        set interface "port1"
        set peertype any
        set net-device disable
        set proposal aes128-sha1
        set dpd on-idle
        set dhgrp 2
        set remote-gw 198.51.100.7
        set localid-type address
        set localid 203.0.113.9    // behind a NAT
        set psksecret "a \"long\" secret"
    next
end
config vpn ipsec phase2-interface
    edit "hz-1"
        set phase1name "hangzhou gw"
        set proposal aes128-sha1
        set dhgrp 2
        set auto-negotiate enable
        set src-subnet 192.168.10.0 255.255.255.0
        set dst-subnet 172.20.16.0 255.255.240.0
    next
end
config firewall address
    edit "their_gateway"
        set subnet 198.51.100.7
    next
end
config firewall policy
    edit 7
        set srcintf "lan"
        set dstintf "hangzhou gw"
        set nat enable
    next
end
config router static
    edit 3
        set dst 172.20.16.0 255.255.240.0
        set device "hangzhou gw"
    next
    edit 4
        set dst 172.20.16.0 255.255.240.0
        set blackhole enable
    next
end
config firewall local-in-policy
    edit 1
        set intf "port1"
        set srcaddr "their_gateway"
        set service "IKE"
        set action deny
    next
end
)";

constexpr const char* kRouterOs = R"([op@gw] > /ip ipsec profile
[op@gw] /ip ipsec profile> add dh-group=modp768 hash-algorithm=md5 enc-algorithm=aes-128 name=gz lifetime=8h
[op@gw] /ip ipsec profile> /ip ipsec peer
[op@gw] /ip ipsec peer> add address=198.51.100.30 name=gz profile=gz exchange-mode=main local-address=203.0.113.40
[op@gw] /ip ipsec peer> ..
[op@gw] /ip ipsec> identity add peer=gz auth-method=pre-shared-key secret="0x is part of it" my-id=fqdn:site.example
[op@gw] /ip ipsec> proposal add name=gz auth-algorithms=md5 enc-algorithms=aes-128-cbc pfs-group=none
[op@gw] /ip ipsec> policy add peer=gz tunnel=yes src-address=192.168.7.0/24 dst-address=10.80.1.0/24 \
    protocol=all proposal=gz
[op@gw] /ip ipsec> /ip firewall nat
[op@gw] /ip firewall nat> print all
[op@gw] /ip firewall nat> move 20 0
)";

constexpr const char* kSwanctl = R"(# site to cloud
connections {
  cloud {
    version = 2
    local_addrs  = 203.0.113.2
    remote_addrs = 198.51.100.99
    proposals = aes256-sha256-modp2048, camellia256-sha256-modp2048
    rekey_time = 8h
    dpd_delay = 20s
    local { auth = psk
      id = 203.0.113.2 }
    remote {
      auth = psk
      id = 198.51.100.99
    }
    children {
      net {
        local_ts  = 192.168.5.0/24, 192.168.6.0/24
        remote_ts = 10.50.0.0/16   # theirs
        esp_proposals = aes256gcm16-modp2048
        rekey_time = 1h
        life_bytes = 500000000
        start_action = start
        updown = /usr/lib/ipsec/_updown
      }
    }
  }
}
secrets {
  ike-other { id = 192.0.2.1
    secret = wrong }
  ike-cloud {
    id-1 = 198.51.100.99
    secret = "two words"
  }
}
)";

Imported imported(const std::string& text) {
  auto result = import_text(text);
  if (!result) FAIL(result.error());
  return std::move(*result);
}

Loaded reread(const Imported& from, const std::string& cloud = "") {
  const std::string text = imported_config(from, cloud, "x");
  INFO(text);
  Loaded loaded = causeway::conf::testing::load_good(text);
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  return loaded;
}

bool noted(const Imported& from, int line, const std::string& about) {
  return std::ranges::any_of(
      from.notes, [&](const ImportNote& n) { return n.line == line && n.text.find(about) != std::string::npos; });
}

std::string key_of(const Imported& from, std::size_t i = 0) {
  const auto bytes = from.keys.at(i).octets.bytes();
  if (bytes.empty()) return "";
  const auto psk = parse_psk(bytes);
  REQUIRE(psk);
  return {psk->octets.bytes().begin(), psk->octets.bytes().end()};
}

// Any text: an import that reads back, or a sentence.
void digest(const std::string& text) {
  const auto result = import_text(text);
  if (!result) {
    REQUIRE(result.error().size() > 5);
    REQUIRE(result.error().size() < 500);
    return;
  }
  const std::string config = imported_config(*result, "", "x");
  const Loaded loaded = causeway::conf::testing::load_good(config);
  if (loaded.ok()) return;
  // What the text itself says wrong may be refused (its peer is an own address, say), but it must be read.
  INFO(text << "\n" << config << "\n" << all_of(loaded.report.errors));
  for (const Complaint& error : loaded.report.errors) REQUIRE(error.reason.find("syntax error") == std::string::npos);
  REQUIRE(loaded.config.tunnels.size() == result->config.tunnels.size());
}

void digest_damaged(const std::string& text, unsigned seed) {
  for (std::size_t length = 0; length < text.size(); ++length) digest(text.substr(0, length));
  std::mt19937 random(seed);
  const std::string nasty = "\"\\;{}()[]=,#0-\n\r\t /.\x80\xff@:";
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string mutated = text;
    mutated[i] = nasty[random() % nasty.size()];
    digest(mutated);
    mutated = text;
    mutated.erase(i, 1 + random() % 9);
    digest(mutated);
  }
}

}  // namespace

TEST_CASE("FortiGate commands become a tunnel, and what has no place is named with its line") {
  const Imported from = imported(kFortigate);
  CHECK(from.format == ImportFormat::fortigate);
  const Loaded loaded = reread(from);
  REQUIRE(loaded.config.tunnels.size() == 1);
  const Tunnel& t = loaded.config.tunnels[0];
  CHECK(t.name == "hangzhou-gw");
  CHECK(t.remote == "198.51.100.7");
  CHECK(t.local_id == "203.0.113.9");
  CHECK(t.ike.version == 1);
  CHECK(t.ike.mode == IkeMode::main);
  CHECK(t.ike.proposals == std::vector<std::string>{"aes128-sha1-modp1024"});
  CHECK(t.esp.proposals == std::vector<std::string>{"aes128-sha1-modp1024"});
  CHECK(t.ike.lifetime == Seconds(86400));
  CHECK(t.esp.lifetime == Seconds(43200));
  CHECK(t.ike.dpd.idle == Seconds(20));
  CHECK(t.ike.dpd.tries == 3);
  CHECK(t.start == Start::now);
  CHECK(t.role == Role::initiator);  // from the local-in policy
  CHECK_FALSE(t.child_follows_ike);
  CHECK(t.legacy);
  CHECK(t.local_subnets[0].str() == "192.168.10.0/24");
  CHECK(t.remote_subnets[0].str() == "172.20.16.0/20");
  CHECK(key_of(from) == "a \"long\" secret");
  CHECK(imported_config(from, "", "x").find("long") == std::string::npos);
  CHECK(noted(from, 34, "NAT is not carried over"));
  CHECK(noted(from, 42, "never sent in clear"));
  CHECK(noted(from, 4, "peertype any"));
  CHECK(reread(from, "aliyun").config.tunnels[0].mtu == 1360);  // on a cloud's profile
}

TEST_CASE("FortiGate: several phases 2, ranges, route-based tunnels, IKEv2, encrypted keys, what does not exist") {
  const Imported from = imported(
      "config vpn ipsec phase1-interface\n edit a\n  set ike-version 2\n  set remote-gw 198.51.100.8\n  set proposal "
      "aes256gcm-"
      "prfsha384 aria128-sha256\n  set dhgrp 20 27\n  set psksecret ENC abcdef==\n next\n edit b\n  set type dynamic\n "
      " set "
      "psksecret 0xabc\n  set nattraversal forced\n next\nend\nconfig vpn ipsec phase2-interface\n edit a1\n  set "
      "phase1name a\n "
      " set proposal aes256gcm\n  set pfs disable\n next\n edit b1\n  set phase1name b\n  set src-addr-type range\n  "
      "set "
      "src-start-ip 10.1.0.1\n  set src-end-ip 10.1.0.9\n  set dst-subnet 10.2.0.0/16\n next\n edit b2\n  set "
      "phase1name b\n  "
      "set src-subnet 10.1.1.0/24\n  set dst-subnet 10.3.0.0/16\n next\nend\nconfig router static\n edit 1\n  set dst "
      "10.9.0.0 "
      "255.255.0.0\n  set device a\n next\nend\n");
  const Loaded loaded = reread(from);
  REQUIRE(loaded.config.tunnels.size() == 2);
  const Tunnel &a = loaded.config.tunnels[0], &b = loaded.config.tunnels[1];
  CHECK(a.ike.version == 2);
  CHECK(a.ike.proposals == std::vector<std::string>{"aes256gcm16-prfsha384-ecp384"});
  CHECK(a.esp.proposals == std::vector<std::string>{"aes256gcm16"});
  CHECK_FALSE(a.esp.pfs);
  CHECK(a.route_based());
  CHECK(a.routes == std::vector<Prefix>{*Prefix::parse("10.9.0.0/16")});
  CHECK(key_of(from, 0).empty());
  CHECK(noted(from, 5, "\"aria128-sha256\" does not exist here"));
  CHECK(noted(from, 6, "DH group \"27\" does not exist here"));
  CHECK(noted(from, 7, "encrypted with the box's own"));
  CHECK(b.remote == "any");
  CHECK(b.start == Start::wait);
  CHECK(b.encap == Encap::force);
  CHECK(b.selectors == SelectorShape::pairs);
  CHECK(b.local_subnets[0].str() == "10.1.0.1-10.1.0.9");
  CHECK(noted(from, 9, "was not asked for there"));
  CHECK(key_of(from, 1) == "0xabc");  // the letters themselves, as the box means them
}

TEST_CASE("RouterOS commands as typed become a tunnel; NAT rules are named") {
  const Imported from = imported(kRouterOs);
  CHECK(from.format == ImportFormat::routeros);
  const Loaded loaded = reread(from);
  REQUIRE(loaded.config.tunnels.size() == 1);
  const Tunnel& t = loaded.config.tunnels[0];
  CHECK(t.name == "gz");
  CHECK(t.remote == "198.51.100.30");
  CHECK(t.local_id == "site.example");
  CHECK(t.ike.version == 1);
  CHECK(t.ike.proposals == std::vector<std::string>{"aes128-md5-modp768"});
  CHECK(t.esp.proposals == std::vector<std::string>{"aes128-md5"});
  CHECK_FALSE(t.esp.pfs);
  CHECK(t.ike.lifetime == Seconds(8 * 3600));
  CHECK(t.esp.lifetime == Seconds(1800));
  CHECK(t.legacy);
  CHECK(t.local_subnets[0].str() == "192.168.7.0/24");
  CHECK(t.remote_subnets[0].str() == "10.80.1.0/24");
  CHECK(loaded.config.ports[0].addresses[0].str() == "203.0.113.40/24");
  CHECK(key_of(from) == "0x is part of it");
  CHECK(noted(from, 12, "NAT is not carried over"));
  // R2: the weak suites are warned of when the result is checked.
  CHECK(std::ranges::any_of(loaded.report.notes,
                            [](const Complaint& c) { return c.reason.find("768-bit") != std::string::npos; }));
}

TEST_CASE("RouterOS: an export, IKEv2, the defaults of profile and proposal") {
  const Imported from = imported(
      "# by RouterOS 7.1\n/ip ipsec peer\nadd address=198.51.100.31/32 exchange-mode=ike2 name=p\n/ip ipsec "
      "proposal\nset [ "
      "find default=yes ] auth-algorithms=sha256 enc-algorithms=aes-256-cbc lifetime=1h pfs-group=modp2048\n/ip ipsec "
      "identity\nadd peer=p secret=abc\\\n    def\n/ip ipsec policy\nset 0 disabled=yes\nadd dst-address=10.4.0.0/16 "
      "peer=p "
      "src-address=192.168.8.0/24 tunnel=yes\nadd dst-address=10.5.0.0/16 peer=p src-address=192.168.8.0/24 "
      "tunnel=yes\n/ip "
      "firewall nat\nadd action=accept chain=srcnat dst-address=10.4.0.0/16\n");
  const Loaded loaded = reread(from);
  const Tunnel& t = loaded.config.tunnels.at(0);
  CHECK(t.ike.version == 2);
  CHECK(t.ike.proposals == std::vector<std::string>{"aes128-3des-sha1-modp2048-modp1024"});
  CHECK(t.esp.proposals == std::vector<std::string>{"aes256-sha256-modp2048"});
  CHECK(t.esp.lifetime == Seconds(3600));
  CHECK(t.selectors == SelectorShape::pairs);
  CHECK(t.remote_subnets.size() == 2);
  CHECK(key_of(from) == "abcdef");
  CHECK(noted(from, 14, "NAT is not carried over"));
}

TEST_CASE("A swanctl.conf becomes a tunnel, with the secret that is meant") {
  const Imported from = imported(kSwanctl);
  CHECK(from.format == ImportFormat::swanctl);
  const Loaded loaded = reread(from);
  const Tunnel& t = loaded.config.tunnels.at(0);
  CHECK(t.name == "cloud");
  CHECK(t.remote == "198.51.100.99");
  CHECK(t.local->str() == "203.0.113.2");
  CHECK(t.ike.version == 2);
  CHECK(t.ike.proposals == std::vector<std::string>{"aes256-sha256-modp2048"});
  CHECK(t.ike.lifetime == Seconds(8 * 3600 * 11 / 10));
  CHECK(t.ike.dpd.idle == Seconds(20));
  CHECK(t.esp.proposals == std::vector<std::string>{"aes256gcm16-modp2048"});
  CHECK(t.esp.pfs);
  CHECK(t.esp.lifetime == Seconds(3960));
  CHECK(t.esp.bytes == 500'000'000);
  CHECK(t.start == Start::now);
  CHECK(t.local_id == "203.0.113.2");
  CHECK(t.selectors == SelectorShape::joint);
  CHECK(t.local_subnets.size() == 2);
  CHECK(key_of(from) == "two words");
  CHECK(noted(from, 7, "\"camellia256-sha256-modp2048\" does not exist here"));
  CHECK(noted(from, 24, "updown"));
}

TEST_CASE("swanctl: references, certificates, version 0, children of their own, equal networks") {
  const Imported from = imported(
      "defaults {\n  version = 1\n  remote_addrs = 198.51.100.4\n  aggressive = yes\n}\nconnections {\n  one : "
      "defaults {\n    "
      "local { auth = psk }\n    children { a { local_ts = 10.1.0.0/16\n remote_ts = 10.2.0.0/16 }\n b { local_ts = "
      "10.1.0.0/16\n remote_ts = 10.3.0.0/16\n start_action = trap } }\n  }\n  two {\n    remote_addrs = "
      "vpn.example.net\n    "
      "local { auth = pubkey\n certs = gw.pem }\n    children { a { local_ts = 10.1.0.0/16\n remote_ts = 10.2.0.0/16 } "
      "}\n  "
      "}\n}\n");
  const Loaded loaded = reread(from);
  REQUIRE(loaded.config.tunnels.size() == 2);
  const Tunnel &one = loaded.config.tunnels[0], &two = loaded.config.tunnels[1];
  CHECK(one.ike.version == 1);
  CHECK(one.ike.mode == IkeMode::aggressive);
  CHECK(one.remote == "198.51.100.4");
  CHECK(one.selectors == SelectorShape::pairs);
  CHECK(one.remote_subnets.size() == 2);
  CHECK(key_of(from).empty());
  CHECK(two.auth == AuthMethod::cert);
  CHECK(two.cert == "./gw.pem");
  CHECK(two.ike.version == 2);
  CHECK((one.group == "one" && two.group == "one"));
}

TEST_CASE("what is none of the formats, or is broken, is refused with a reason") {
  const auto reason = [](const std::string& text) {
    const auto result = import_text(text);
    return result ? std::string("imported") : result.error();
  };
  CHECK(reason("hello\n").find("none of the formats known here") != std::string::npos);
  CHECK(reason(std::string("a\0b", 3)).find("not a text file") != std::string::npos);
  CHECK(reason("connections {\n a {\n").find("line 3: a section is not closed") != std::string::npos);
  CHECK(reason("connections { } }").find("closes nothing") != std::string::npos);
  CHECK(reason("connections {\n a { x }\n}").find("line 2: \"x\" is followed by neither = nor {") != std::string::npos);
  CHECK(reason("connections { }").find("no connection") != std::string::npos);
  CHECK(reason("/ip ipsec profile add name=x").find("no `/ip ipsec peer add`") != std::string::npos);
  CHECK(reason("config vpn ipsec phase2-interface\nedit a\n").find("no `edit` below") != std::string::npos);
  CHECK(reason("connections " + std::string(100000, '{')).find("nested too deeply") == std::string::npos);
  std::string deep = "connections";
  for (int i = 0; i < 100000; ++i) deep += " {\n a";
  CHECK(reason(deep).find("nested too deeply") != std::string::npos);
}

TEST_CASE("every truncation and mutation of each format is digested") {
  digest_damaged(kFortigate, 1);
  digest_damaged(kRouterOs, 2);
  digest_damaged(kSwanctl, 3);
}
