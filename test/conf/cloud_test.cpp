#include <algorithm>
#include <map>

#include "conf/cloud.h"
#include "conf/console.h"
#include "conf/describe.h"
#include "conf/rules.h"
#include "test/conf/conf_text.h"
#include "test/support/catch.h"

using namespace causeway::conf;
using causeway::conf::testing::all_of;
using causeway::conf::testing::changed;
using causeway::conf::testing::load_good;
using causeway::conf::testing::TempDir;

namespace {

// A tunnel at `cloud` with `lines` of its own, in place of the good text's networks where they say so.
std::string at(std::string_view cloud, const std::string& lines = "") {
  std::string text = changed("    psk_file", "    cloud = \"" + std::string(cloud) + "\"; " + lines + "\n    psk_file");
  for (const char* key : {"local_subnets", "remote_subnets"}) {
    const std::string own = "    " + std::string(key);
    if (lines.find(key) != std::string::npos)
      text.erase(text.find(own), text.find('\n', text.find(own)) - text.find(own));
  }
  return text;
}

bool says(const std::vector<Complaint>& list, const std::string& key, const std::string& about) {
  return std::ranges::any_of(list, [&](const Complaint& c) {
    return (key.empty() || c.key == "tunnels.hangzhou." + key) && c.reason.find(about) != std::string::npos;
  });
}

void refused(std::string_view cloud, const std::string& lines, const std::string& key, const std::string& about) {
  const Loaded loaded = load_good(at(cloud, lines));
  INFO(cloud << " " << lines);
  INFO(all_of(loaded.report.errors));
  CHECK(says(loaded.report.errors, key, about));
}

void taken(std::string_view cloud, const std::string& lines) {
  const Loaded loaded = load_good(at(cloud, lines));
  INFO(cloud << " " << lines);
  INFO(all_of(loaded.report.errors));
  CHECK(loaded.ok());
}

// What makes each condition hold.
const std::map<std::string, std::string, std::less<>> kMade = {
    {"ikev1", "ike = { version = 1; };"},
    {"aggressive", "ike = { version = 1; mode = \"aggressive\"; };"},
    {"certificate", "auth = \"cert\"; cert = \"c\"; key = \"k\"; ca = \"a\";"},
    {"responder", "role = \"responder\"; start = \"wait\";"},
    {"may_answer_v1", "role = \"both\"; ike = { version = 1; };"},
    {"follows_ike", "child_follows_ike = true; ike = { version = 1; };"},
    {"silent", "ike = { dpd = { idle = 0; }; };"},
    {"few_tries", "ike = { dpd = { tries = 4; }; };"},
    {"no_fragment", "ike = { fragment = false; };"},
    {"bytes", "esp = { bytes = \"1GB\"; };"},
    {"no_bytes", "esp = { bytes = 0; };"},
    {"no_pfs", "esp = { pfs = false; };"},
    {"esp_longer", "ike = { lifetime = \"1h\"; }; esp = { lifetime = \"1h\"; };"},
    {"policy_based", "mss = 1300;"},
    {"several_pairs", "remote_subnets = [\"10.1.0.0/16\", \"10.2.0.0/16\"];"},
    {"several_joint", "selectors = \"joint\"; remote_subnets = [\"10.1.0.0/16\", \"10.2.0.0/16\"];"},
    {"several_separate", "selectors = \"pairs\"; remote_subnets = [\"10.1.0.0/16\", \"10.2.0.0/16\"];"},
    {"local_overlap", "local_subnets = [\"192.168.0.0/16\", \"192.168.2.0/24\"];"},
    {"remote_overlap", "remote_subnets = [\"10.1.0.0/16\", \"10.1.2.0/24\"];"},
    {"local_ranges", "local_subnets = [\"192.168.0.1-192.168.0.9\"];"},
    {"remote_ranges", "remote_subnets = [\"10.1.0.1-10.1.0.9\"];"},
    {"ipv6", "local_subnets = [\"2001:db8:2::/64\"]; remote_subnets = [\"2001:db8:3::/64\"];"},
    {"df_clear", "df = \"clear\";"},
    {"df_copy", "df = \"copy\";"},
    {"large_mtu", "mtu = 1450;"},
};

ConsoleSheet sheet_of(const Loaded& loaded, Language language) {
  CloudBook clouds;
  const Tunnel& tunnel = loaded.config.tunnels.at(0);
  return console_sheet(loaded.config, tunnel, *clouds.find(tunnel.cloud), language);
}

std::string value(const ConsoleSheet& sheet, std::string_view parameter) {
  const auto found = std::ranges::find(sheet.fields, parameter, &ConsoleField::parameter);
  return found == sheet.fields.end() ? "(absent)" : found->value;
}

// As causewayctl prints it, in short.
std::string lines_of(const ConsoleSheet& sheet) {
  std::string text;
  for (const ConsoleField& f : sheet.fields) text += f.label + (f.verified ? "" : " ?") + " = " + f.value + "\n";
  return text;
}

}  // namespace

TEST_CASE("every profile reads, has a title in both languages, and a tunnel with it needs no more lines") {
  CHECK(CloudBook::names().size() == 9);
  for (const std::string_view name : CloudBook::names()) {
    INFO(name);
    for (const std::string& problem : CloudBook::problems(name)) FAIL_CHECK(problem);
    CloudBook clouds;
    const Cloud* cloud = clouds.find(name);
    REQUIRE(cloud != nullptr);
    CHECK(cloud->name == name);
    CHECK_FALSE(cloud->title.empty());
    CHECK_FALSE(cloud->title_zh.empty());
    for (const std::string& alias : cloud->aliases) CHECK(parse_cloud(alias).value() == name);
    const Loaded loaded = load_good(at(name));
    INFO(all_of(loaded.report.errors));
    REQUIRE(loaded.ok());
    CHECK(loaded.config.tunnels[0].cloud == name);
    // The profile by itself: nothing but what is said of these networks.
    for (const Complaint& note : loaded.report.notes) {
      INFO(note.str());
      CHECK(note.key == "tunnels.hangzhou.remote_subnets");
    }
    const Loaded routed = load_good(at(name, "remote_subnets = [\"0.0.0.0/0\"]; routes = [\"10.1.0.0/16\"];"));
    INFO(all_of(routed.report.errors) << all_of(routed.report.notes));
    CHECK((routed.ok() && routed.report.notes.empty()));
    CHECK(describe(loaded).find("by the profile clouds/" + std::string(name) + ".conf") != std::string::npos);
  }
  CHECK(load_good(at("alibaba")).config.tunnels.at(0).cloud == "aliyun");
}

TEST_CASE("a tunnel's own line counts before its profile, and that before the default") {
  const Loaded loaded = load_good(at("aliyun", "mss = 1200; ike = { dpd = { tries = 9; }; };"));
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  const Tunnel& t = loaded.config.tunnels[0];
  CHECK(t.mss == 1200);                  // its own
  CHECK(t.ike.dpd.tries == 9);           // its own, deep inside
  CHECK(t.ike.dpd.idle == Seconds(20));  // the profile's, beside it
  CHECK(t.mtu == 1360);                  // the profile's
  CHECK(t.role == Role::initiator);
  CHECK(t.esp.proposals == std::vector<std::string>{"aes256-sha256-modp2048"});
  CHECK(t.esp.replay_window == 2048);  // the default
  CHECK(describe(loaded).find("but for its own mss, ike.dpd.tries\n") != std::string::npos);
}

TEST_CASE("errors about a profile's own line name the profile, about the tunnel's the configuration") {
  const Loaded mine = load_good(at("aliyun", "esp = { bytes = \"1GB\"; };"));
  REQUIRE(mine.report.errors.size() == 1);
  CHECK(mine.report.errors[0].str().starts_with(
      "t.conf:10: tunnels.hangzhou.esp.bytes: \"1 GB\", but Alibaba Cloud VPN"));
  const Loaded any = load_good(changed("\"198.51.100.7\"", "\"any\"", at("aliyun")));
  REQUIRE_FALSE(any.ok());
  CHECK(any.report.errors[0].file == "clouds/aliyun.conf");
}

TEST_CASE("an unknown cloud is refused with the ones there are") {
  refused("aliyum", "", "cloud", "did you mean \"aliyun\"?");
  refused("moon", "", "cloud", "there are \"aliyun\", \"aws\"");
}

TEST_CASE("every point of every profile is told where its condition holds, as an error or as a note") {
  for (const std::string_view condition : cloud_conditions()) CHECK(kMade.contains(condition));
  for (const std::string_view name : CloudBook::names()) {
    CloudBook clouds;
    const Cloud* cloud = clouds.find(name);
    for (const CloudPoint& point : cloud->points) {
      const Loaded loaded = load_good(at(name, kMade.at(point.when)));
      INFO(name << " " << point.when << "\n" << all_of(loaded.report.errors) << "--\n" << all_of(loaded.report.notes));
      CHECK(
          says(point.refuse ? loaded.report.errors : loaded.report.notes, point.key, cloud->title + " " + point.text));
      CHECK(point.text.size() > 30);
      const bool value_named =
          says(point.refuse ? loaded.report.errors : loaded.report.notes, point.key, "this value, but");
      CHECK_FALSE(value_named);  // the value itself is told
    }
  }
}

TEST_CASE("algorithms that a cloud does not take are refused, and unconfirmed ones noted") {
  refused("aliyun", "ike = { proposals = [\"chacha20poly1305-prfsha256-modp2048\"]; };", "ike.proposals",
          "\"chacha20poly1305\" in \"chacha20poly1305-prfsha256-modp2048\", but Alibaba Cloud VPN Gateway takes for "
          "phase 1 "
          "encryption only aes128, aes192, aes256, 3des: write one of these");
  refused("aliyun", "ike = { proposals = [\"aes256-sha256-ecp384\"]; };", "ike.proposals", "key exchange only modp768");
  refused("aws", "esp = { proposals = [\"aes192-sha1-modp2048\"]; };", "esp.proposals", "\"aes192\"");
  refused("azure", "esp = { proposals = [\"aes256-sha512-ecp384\"]; };", "esp.proposals", "phase 2 integrity");
  refused("oci", "ike = { proposals = [\"aes256-prfsha512-sha256-ecp384\"]; };", "ike.proposals", "integrity and PRF");
  taken("aws", "ike = { proposals = [\"aes128gcm-prfsha256-modp2048\"]; };");
  taken("gcp", "ike = { proposals = [\"aes256-sha512-x25519\"]; };");
  const Loaded loaded = load_good(at("tencent", "esp = { proposals = [\"aes128gcm16-modp2048\"]; };"));
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  CHECK(says(loaded.report.notes, "esp.proposals", "is not confirmed"));
}

TEST_CASE("one value for each parameter: refused where the cloud insists, advised where it is the better") {
  for (const char* cloud : {"aliyun", "ctyun-standard", "azure"}) {
    refused(cloud, "ike = { proposals = [\"aes256-sha256-modp2048\", \"aes128-sha256-modp2048\"]; };", "ike.proposals",
            "takes one value for each parameter");
    refused(cloud, "esp = { proposals = [\"aes128-aes256-sha256-modp2048\"]; };", "esp.proposals", "one value");
  }
  const Loaded aws = load_good(at("aws", "ike = { proposals = [\"aes128-aes256-sha256-modp2048\"]; };"));
  CHECK(aws.ok());
  CHECK(says(aws.report.notes, "ike.proposals", "takes the lowest of what is offered"));
}

TEST_CASE("lifetimes, sizes, numbers of networks and addresses beyond a cloud's limits are refused") {
  refused("aliyun", "ike = { lifetime = \"2d\"; };", "ike.lifetime",
          "\"2d\", but Alibaba Cloud VPN Gateway takes 1s to 1d");
  refused("aws", "esp = { lifetime = \"2h\"; };", "esp.lifetime", "takes 15m to 1h");
  refused("azure", "esp = { lifetime = \"200s\"; };", "esp.lifetime", "takes 5m to");
  refused("tencent", "esp = { bytes = \"1MB\"; };", "esp.bytes", "at the least");
  refused(
      "aliyun", "ike = { version = 1; }; remote_subnets = [\"10.1.0.0/16\", \"10.2.0.0/16\"];", "remote_subnets",
      "1 local and 2 remote networks, but Alibaba Cloud VPN Gateway takes one of each with IKEv1: write version = 2");
  taken("aliyun", "remote_subnets = [\"10.1.0.0/16\", \"10.2.0.0/16\"];");
  refused("gcp", "ike = { version = 1; }; local_subnets = [\"192.168.1.0/24\", \"192.168.2.0/24\"];", "local_subnets",
          "one of each with IKEv1");
  for (const char* cloud : {"huawei", "ctyun-enterprise"}) {
    refused(cloud, "local_subnets = [\"100.64.3.0/24\"];", "local_subnets", "uses 100.64.0.0/10 itself");
    refused(cloud, "inside = \"169.254.195.2/30\";", "inside", "keeps 169.254.195.0/24 for itself");
    refused(cloud, "inside = \"169.254.10.2/29\";", "inside", "gives a network of /30");
  }
  refused("aws", "inside = \"169.254.169.254/30\";", "inside", "keeps 169.254.169.252/30 for itself");
  taken("aws", "inside = \"169.254.10.2/30\";");
  std::string many;
  for (int i = 0; i < 51; ++i) many += (i == 0 ? "\"10.7." : ", \"10.7.") + std::to_string(i) + ".0/24\"";
  refused("huawei", "local_subnets = [" + many + "];", "local_subnets",
          "51 networks, but Huawei Cloud VPN takes 50 of its peer");
  refused("huawei",
          "remote_subnets = [\"10.1.0.0/24\", \"10.2.0.0/24\", \"10.3.0.0/24\", \"10.4.0.0/24\", \"10.5.0.0/24\", "
          "\"10.6.0.0/24\"];",
          "remote_subnets", "6 networks, but Huawei Cloud VPN takes 5 of its own");
}

TEST_CASE("PFS: the group is to be named, and where the cloud has it on it cannot be off") {
  refused("aws", "esp = { pfs = false; proposals = [\"aes256gcm16\"]; };", "esp.pfs", "has PFS on");
  taken("aliyun", "esp = { pfs = false; proposals = [\"aes256-sha256\"]; };");
  const Loaded loaded = load_good(at("azure", "esp = { proposals = [\"aes256gcm16\"]; };"));
  CHECK(loaded.ok());
  CHECK(says(loaded.report.notes, "esp.proposals", "as in \"aes256gcm16-modp2048\""));
}

TEST_CASE("pre-shared keys are held to their cloud's rules, and never quoted") {
  CloudBook clouds;
  const auto complaint = [&](const char* cloud, const std::string& key) {
    Report report;
    check_cloud_psk({reinterpret_cast<const std::uint8_t*>(key.data()), key.size()}, *clouds.find(cloud), "k", report);
    for (const Complaint& c : report.errors) CHECK(c.reason.find(key) == std::string::npos);
    return all_of(report.errors);
  };
  CHECK(complaint("aws", "Kdf83.kd_9Zzpq27").empty());
  CHECK(complaint("aws", "0df83.kd_9Zzpq27").find("begins with 0") != std::string::npos);
  CHECK(complaint("aws", "kdf83/kd+9Zzpq27").find("takes letters, digits, . and _") != std::string::npos);
  CHECK(complaint("aws", "kdf83.k").find("has 7 octets, but AWS Site-to-Site VPN takes 8 to 64") != std::string::npos);
  CHECK(complaint("aws", std::string(65, 'k')).find("has 65 octets") != std::string::npos);
  CHECK(complaint("huawei", "kdfkdfkdfkdf83").find("wants 3 of upper case") != std::string::npos);
  CHECK(complaint("huawei", "Kdfkdfkdfkdf83").empty());
  CHECK(complaint("gcp", "0/ anything at all").empty());
}

TEST_CASE("a PSK file that its cloud cannot take is an error of the file's key") {
  const TempDir dir;
  dir.write("h.psk", "0123456789abcdefABCDEF\n", std::filesystem::perms::owner_read);
  const Loaded loaded =
      load_text(at("aws"), dir.file("t.conf"), {.check_proposal = {}, .check_files = true});
  CHECK(says(loaded.report.errors, "psk_file", "begins with 0, but AWS Site-to-Site VPN takes none that does"));
}

TEST_CASE("weak algorithms are named with what is wrong with them and what to use") {
  const Loaded loaded =
      load_good(changed("    psk_file",
                        "    legacy = true; ike = { version = 1; proposals = "
                        "[\"aes128-md5-modp768\"]; }; esp = { proposals = [\"3des-md5\"]; };\n    psk_file"));
  CHECK(says(loaded.report.notes, "ike.proposals", "use modp2048 (group 14) or ecp384 (group 20) on both sides"));
  CHECK(says(loaded.report.notes, "ike.proposals", "MD5 is broken"));
  CHECK(says(loaded.report.notes, "esp.proposals", "3DES has blocks of 64 bits"));
}

TEST_CASE("console: every profile names parameters that exist, each once, and all that must agree") {
  const auto known = console_parameters();
  for (const std::string_view name : CloudBook::names()) {
    INFO(name);
    CloudBook clouds;
    const Cloud& cloud = *clouds.find(name);
    std::vector<std::string> seen;
    for (const causeway::conf::CloudField& field : cloud.console) {
      INFO(field.parameter);
      CHECK(std::ranges::find(known, field.parameter) != known.end());
      CHECK(std::ranges::find(seen, field.parameter) == seen.end());
      seen.push_back(field.parameter);
    }
    const Loaded loaded = load_good(at(name));
    const Tunnel& t = loaded.config.tunnels.at(0);
    for (const Language language : {Language::english, Language::chinese}) {
      const ConsoleSheet sheet = sheet_of(loaded, language);
      for (const char* must : {"our_address", "psk", "ike_version", "ike_encryption", "ike_integrity", "ike_group",
                               "esp_encryption", "esp_integrity", "esp_group"})
        CHECK(value(sheet, must) != "(absent)");
      CHECK(value(sheet, "our_address") == "203.0.113.2");
      if (value(sheet, "ike_lifetime") != "(absent)")
        CHECK(value(sheet, "ike_lifetime").starts_with(std::to_string(t.ike.lifetime.count()) + " "));
      for (const ConsoleField& f : sheet.fields) CHECK_FALSE(f.label.empty());
      CHECK(sheet.hints.size() == cloud.hints.size());
    }
    // The two languages say the same: the same parameters in the same order.
    const ConsoleSheet en = sheet_of(loaded, Language::english), zh = sheet_of(loaded, Language::chinese);
    REQUIRE(en.fields.size() == zh.fields.size());
    for (std::size_t i = 0; i < en.fields.size(); ++i) CHECK(en.fields[i].parameter == zh.fields[i].parameter);
  }
}

TEST_CASE("console: Alibaba's, field by field, follows the tunnel's own lines") {
  const std::string lines =
      "legacy = true; local_id = \"203.0.113.9\"; ike = { version = 1; proposals = [\"aes128-sha1-modp1024\"]; }; "
      "esp = { proposals = [\"aes128-sha1-modp1024\"]; lifetime = 43200; };";
  const Loaded loaded = load_good(at("aliyun", lines));
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  CHECK(lines_of(sheet_of(loaded, Language::english)) ==
        "customer gateway: our public address ? = 203.0.113.2\n"
        "what the connection is bound to ? = VPN gateway\n"
        "how traffic is chosen ? = by the traffic to protect\n"
        "the cloud's networks (its local ones) ? = 172.17.112.0/20\n"
        "our networks (its remote ones) ? = 192.168.123.0/24\n"
        "negotiate at once ? = yes: it then begins anew as soon as the settings change\n"
        "pre-shared key ? = the content of ./h.psk\n"
        "IKE version ? = IKEv1\n"
        "phase 1 exchange mode ? = main\n"
        "phase 1 encryption ? = AES-128 (CBC)\n"
        "phase 1 integrity (hash, PRF) ? = SHA1\n"
        "phase 1 DH group ? = DH group 2 (1024 bit)\n"
        "phase 1 lifetime ? = 86400 s\n"
        "the cloud's identity (its local id) ? = 198.51.100.7\n"
        "our identity (its remote id) ? = 203.0.113.9\n"
        "phase 2 encryption ? = AES-128 (CBC)\n"
        "phase 2 integrity ? = SHA1\n"
        "phase 2 PFS group ? = DH group 2 (1024 bit)\n"
        "phase 2 lifetime ? = 43200 s\n"
        "dead peer detection ? = on\n"
        "NAT traversal ? = on\n"
        "BGP ? = off\n");
  const std::string chinese = lines_of(sheet_of(loaded, Language::chinese));
  CHECK(chinese.find("用户网关 = 203.0.113.2\n绑定资源 = VPN网关\n路由模式 = 感兴趣流\n") == 0);
  CHECK(chinese.find("IKE版本 = IKEv1\n") != std::string::npos);
  CHECK(chinese.find("第一阶段加密算法 ? = AES-128 (CBC)\n") != std::string::npos);
}

TEST_CASE("console: a value is spelled as the cloud does where that is known, and the key is never shown") {
  const TempDir dir;
  dir.write("h.psk", "Gq7.kd_9ZzpqXX27sd\n", std::filesystem::perms::owner_read);
  const Loaded loaded = load_text(at("aws", "inside = \"169.254.10.2/30\";"), dir.file("t.conf"),
                                  {.check_proposal = {}, .check_files = true});
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  for (const Language language : {Language::english, Language::chinese}) {
    const ConsoleSheet sheet = sheet_of(loaded, language);
    CHECK(value(sheet, "ike_encryption") == "AES256-GCM-16");
    CHECK(value(sheet, "ike_integrity") == "SHA2-384");
    CHECK(value(sheet, "inside_network") == "169.254.10.0/30");
    CHECK(value(sheet, "startup") == "add");
    CHECK(value(sheet, "psk").find("18") != std::string::npos);
    CHECK(value(sheet, "psk").find(dir.file("h.psk")) != std::string::npos);
    CHECK(lines_of(sheet).find("Gq7") == std::string::npos);
  }
  const Loaded huawei = load_good(at("huawei", "inside = \"169.254.10.2/30\";"));
  CHECK(value(sheet_of(huawei, Language::english), "cloud_inside") == "169.254.10.1/30");
}
