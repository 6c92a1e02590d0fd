#include "conf/console.h"

#include <algorithm>
#include <array>

#include "conf/proposal_words.h"
#include "conf/psk.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

struct Both {
  std::string_view en, zh;
};

// How a proposal's word is said where the console's own spelling is not known.
constexpr std::array<std::pair<std::string_view, std::string_view>, 31> kAlgorithms = {{
    {"aes128", "AES-128 (CBC)"},
    {"aes192", "AES-192 (CBC)"},
    {"aes256", "AES-256 (CBC)"},
    {"aes128gcm16", "AES-128-GCM-16"},
    {"aes192gcm16", "AES-192-GCM-16"},
    {"aes256gcm16", "AES-256-GCM-16"},
    {"chacha20poly1305", "ChaCha20-Poly1305"},
    {"3des", "3DES"},
    {"null", "NULL"},
    {"md5", "MD5"},
    {"sha1", "SHA1"},
    {"sha256", "SHA2-256"},
    {"sha384", "SHA2-384"},
    {"sha512", "SHA2-512"},
    {"prfmd5", "MD5"},
    {"prfsha1", "SHA1"},
    {"prfsha256", "SHA2-256"},
    {"prfsha384", "SHA2-384"},
    {"prfsha512", "SHA2-512"},
    {"modp768", "DH group 1 (768 bit)"},
    {"modp1024", "DH group 2 (1024 bit)"},
    {"modp1536", "DH group 5 (1536 bit)"},
    {"modp2048", "DH group 14 (2048 bit)"},
    {"modp3072", "DH group 15 (3072 bit)"},
    {"modp4096", "DH group 16 (4096 bit)"},
    {"ecp256", "DH group 19 (ECP 256)"},
    {"ecp384", "DH group 20 (ECP 384)"},
    {"ecp521", "DH group 21 (ECP 521)"},
    {"x25519", "DH group 31 (Curve25519)"},
    {"aes128gmac", "AES-128-GMAC"},
    {"aes256gmac", "AES-256-GMAC"},
}};

class Sheet {
 public:
  Sheet(const Config& config, const Tunnel& tunnel, const Cloud& cloud, Language language, bool behind_nat)
      : config_(config), t_(tunnel), cloud_(cloud), zh_(language == Language::chinese), behind_nat_(behind_nat) {}

  [[nodiscard]] std::string say(Both text) const { return std::string(zh_ ? text.zh : text.en); }

  // --- addresses and identities ---
  [[nodiscard]] std::string our_address() const {
    if (!behind_nat_) return own_address();
    return say({"the public address of the NAT before ", "以下地址之前的 NAT 的公网地址:"}) + own_address();
  }
  [[nodiscard]] std::string our_id() const { return t_.local_id.empty() ? own_address() : t_.local_id; }
  [[nodiscard]] std::string cloud_id() const { return t_.remote_id.empty() ? t_.remote : t_.remote_id; }
  [[nodiscard]] std::string psk() const {
    if (t_.auth != AuthMethod::psk) return "";
    const auto key = read_psk(t_.psk_file);
    const std::string file = t_.psk_file;
    if (!key) return say({"the content of ", "见文件 "}) + file;
    const std::string length = std::to_string(key->octets.bytes().size());
    return zh_ ? "见文件 " + file + "(" + length + " 个字节,末尾无空格和换行)"
               : "the content of " + file + " (" + length + " octets; no space or newline at its end)";
  }

  // --- phases ---
  [[nodiscard]] std::string ike_version() const { return t_.ike.version == 1 ? "IKEv1" : "IKEv2"; }
  [[nodiscard]] std::string ike_mode() const {
    if (t_.ike.version != 1) return "";
    return t_.ike.mode == IkeMode::main ? say({"main", "主模式(main)"}) : say({"aggressive", "野蛮模式(aggressive)"});
  }
  [[nodiscard]] std::string ike_encryption() const { return word(ike().encryption); }
  [[nodiscard]] std::string ike_integrity() const {
    return word(ike().integrity.empty() ? ike().prf : ike().integrity);
  }
  [[nodiscard]] std::string ike_group() const { return word(ike().group); }
  [[nodiscard]] std::string ike_lifetime() const { return seconds(t_.ike.lifetime); }
  [[nodiscard]] std::string esp_encryption() const { return word(esp().encryption); }
  [[nodiscard]] std::string esp_integrity() const {
    if (!esp().integrity.empty()) return word(esp().integrity);
    if (const CloudChoice* choice = cloud_.choice("aead_integrity")) return zh_ ? choice->value_zh : choice->value;
    return say({"none: the cipher brings its own", "无(加密算法自带完整性)"});
  }
  [[nodiscard]] std::string esp_group() const {
    if (!esp().group.empty()) return word(esp().group);
    return t_.esp.pfs ? ike_group() : say({"none (PFS off)", "无(关闭 PFS)"});
  }
  [[nodiscard]] std::string esp_lifetime() const { return seconds(t_.esp.lifetime); }
  [[nodiscard]] std::string esp_bytes() const {
    return t_.esp.bytes == 0 ? say({"none", "无"}) : size_text(t_.esp.bytes);
  }
  [[nodiscard]] std::string esp_bytes_kib() const {
    return t_.esp.bytes == 0 ? say({"none", "无"}) : std::to_string(t_.esp.bytes / 1024) + " KB";
  }
  [[nodiscard]] std::string replay_window() const { return std::to_string(t_.esp.replay_window); }
  [[nodiscard]] std::string dpd() const {
    return t_.ike.dpd.idle.count() == 0 ? say({"off", "关闭"}) : say({"on", "开启"});
  }
  [[nodiscard]] std::string nat_traversal() const { return say({"on", "开启"}); }
  [[nodiscard]] std::string bgp() const { return say({"off", "关闭"}); }

  // --- networks ---
  [[nodiscard]] std::string cloud_subnets() const { return networks(t_.remote_subnets); }
  [[nodiscard]] std::string our_subnets() const { return networks(t_.local_subnets); }
  [[nodiscard]] std::string our_networks() const { return t_.route_based() ? "" : networks(t_.local_subnets); }
  [[nodiscard]] std::string spd_rules() const {
    if (t_.route_based()) return "";
    std::string text;
    for (const Selector& theirs : t_.remote_subnets) {
      for (const Selector& ours : t_.local_subnets) {
        if (theirs.first.family == ours.first.family)
          text += (text.empty() ? "" : ", ") + theirs.str() + " -> " + ours.str();
      }
    }
    return text;
  }
  [[nodiscard]] std::string routing() const {
    if (const CloudChoice* choice = cloud_.choice(t_.route_based() ? "routing.routes" : "routing.subnets"))
      return zh_ ? choice->value_zh : choice->value;
    return t_.route_based() ? say({"by routes", "按路由"}) : say({"by policy (networks)", "按策略(网段)"});
  }
  [[nodiscard]] std::string policy_selectors() const {
    return t_.route_based() ? say({"off", "关闭"}) : say({"on", "开启"});
  }
  [[nodiscard]] std::string our_inside() const { return t_.inside ? t_.inside->str() : ""; }
  [[nodiscard]] std::string cloud_inside() const {  // of a /30, the other of its two
    if (!t_.inside || t_.inside->address.family != Family::v4 || t_.inside->length != 30) return "";
    return IpAddress::from_v4(t_.inside->address.v4() ^ 3).str() + "/30";
  }
  [[nodiscard]] std::string inside_network() const { return t_.inside ? t_.inside->network().str() : ""; }

  // --- who begins ---
  [[nodiscard]] std::string negotiation() const {
    if (t_.role == Role::initiator) return say({"passive (this gateway begins)", "被动协商(由本机发起)"});
    if (t_.role == Role::responder || t_.start == Start::wait) return say({"active", "主动协商"});
    return say({"active or passive", "主动或被动均可"});
  }
  [[nodiscard]] std::string startup() const {
    if (t_.role == Role::responder || t_.start == Start::wait) return "start";
    return choice("startup");
  }
  [[nodiscard]] std::string choice(std::string_view parameter) const {
    const CloudChoice* found = cloud_.choice(parameter);
    return found == nullptr ? "" : zh_ ? found->value_zh : found->value;
  }
  [[nodiscard]] std::string bound_to() const { return choice("bound_to"); }
  [[nodiscard]] std::string effective_now() const { return choice("effective_now"); }

 private:
  [[nodiscard]] ProposalWords ike() const {
    return ProposalWords(t_.ike.proposals.empty() ? std::string() : t_.ike.proposals[0]);
  }
  [[nodiscard]] ProposalWords esp() const {
    return ProposalWords(t_.esp.proposals.empty() ? std::string() : t_.esp.proposals[0]);
  }
  [[nodiscard]] std::string own_address() const {
    const auto own = config_.local_address(t_);
    return own ? own->str() : say({"(unknown here)", "(本机未知)"});
  }
  // The first of its kind: an own spelling of the cloud's, a common one, or the word itself.
  [[nodiscard]] std::string word(const std::vector<std::string>& words) const {
    if (words.empty()) return "";
    const std::string& w = words[0];
    const std::string plain = w.starts_with("prf") ? w.substr(3) : w;
    if (const CloudChoice* own = cloud_.choice(plain)) return zh_ ? own->value_zh : own->value;
    const auto found = std::ranges::find(kAlgorithms, w, [](const auto& a) { return a.first; });
    return found == kAlgorithms.end() ? w : std::string(found->second);
  }
  [[nodiscard]] std::string seconds(Seconds value) const { return std::to_string(value.count()) + say({" s", " 秒"}); }
  [[nodiscard]] static std::string networks(const std::vector<Selector>& list) {
    std::string text;
    for (const Selector& s : list) text += (text.empty() ? "" : ", ") + s.str();
    return text;
  }

  const Config& config_;
  const Tunnel& t_;
  const Cloud& cloud_;
  bool zh_;
  bool behind_nat_;
};

struct Parameter {
  std::string_view name;
  Both plain;  // what it is, in words that are no console's
  std::string (Sheet::*value)() const;
};

constexpr std::array kParameters = {
    Parameter{"our_address", {"customer gateway: our public address", "用户侧网关公网地址"}, &Sheet::our_address},
    Parameter{"bound_to", {"what the connection is bound to", "连接绑定的资源"}, &Sheet::bound_to},
    Parameter{"routing", {"how traffic is chosen", "流量选择方式"}, &Sheet::routing},
    Parameter{"spd_rules", {"policy rules (cloud -> ours)", "策略规则(云侧 -> 我方)"}, &Sheet::spd_rules},
    Parameter{"cloud_subnets", {"the cloud's networks (its local ones)", "云侧网段(其本端)"}, &Sheet::cloud_subnets},
    Parameter{"our_subnets", {"our networks (its remote ones)", "我方网段(其对端)"}, &Sheet::our_subnets},
    Parameter{
        "our_networks", {"our networks behind the customer gateway", "用户侧网关后的我方网段"}, &Sheet::our_networks},
    Parameter{"effective_now", {"negotiate at once", "立即协商"}, &Sheet::effective_now},
    Parameter{"psk", {"pre-shared key", "预共享密钥"}, &Sheet::psk},
    Parameter{"negotiation", {"who begins", "协商发起方"}, &Sheet::negotiation},
    Parameter{"startup", {"who begins", "协商发起方"}, &Sheet::startup},
    Parameter{"ike_version", {"IKE version", "IKE 版本"}, &Sheet::ike_version},
    Parameter{"ike_mode", {"phase 1 exchange mode", "第一阶段协商模式"}, &Sheet::ike_mode},
    Parameter{"ike_encryption", {"phase 1 encryption", "第一阶段加密算法"}, &Sheet::ike_encryption},
    Parameter{"ike_integrity", {"phase 1 integrity (hash, PRF)", "第一阶段认证算法(哈希、PRF)"}, &Sheet::ike_integrity},
    Parameter{"ike_group", {"phase 1 DH group", "第一阶段 DH 分组"}, &Sheet::ike_group},
    Parameter{"ike_lifetime", {"phase 1 lifetime", "第一阶段生存周期"}, &Sheet::ike_lifetime},
    Parameter{"cloud_id", {"the cloud's identity (its local id)", "云侧标识(其本端标识)"}, &Sheet::cloud_id},
    Parameter{"our_id", {"our identity (its remote id)", "我方标识(其对端标识)"}, &Sheet::our_id},
    Parameter{"esp_encryption", {"phase 2 encryption", "第二阶段加密算法"}, &Sheet::esp_encryption},
    Parameter{"esp_integrity", {"phase 2 integrity", "第二阶段认证算法"}, &Sheet::esp_integrity},
    Parameter{"esp_group", {"phase 2 PFS group", "第二阶段 PFS(DH 分组)"}, &Sheet::esp_group},
    Parameter{"esp_lifetime", {"phase 2 lifetime", "第二阶段生存周期"}, &Sheet::esp_lifetime},
    Parameter{"esp_bytes", {"phase 2 lifetime by traffic", "第二阶段流量生存周期"}, &Sheet::esp_bytes},
    Parameter{"esp_bytes_kib", {"phase 2 lifetime by traffic", "第二阶段流量生存周期"}, &Sheet::esp_bytes_kib},
    Parameter{"replay_window", {"replay window (packets)", "抗重放窗口(包)"}, &Sheet::replay_window},
    Parameter{"policy_selectors", {"selectors by policy", "按策略的流量选择器"}, &Sheet::policy_selectors},
    Parameter{"dpd", {"dead peer detection", "对端存活检测(DPD)"}, &Sheet::dpd},
    Parameter{"nat_traversal", {"NAT traversal", "NAT 穿越"}, &Sheet::nat_traversal},
    Parameter{"our_inside", {"our address inside the tunnel", "我方隧道内地址"}, &Sheet::our_inside},
    Parameter{"cloud_inside", {"the cloud's address inside the tunnel", "云侧隧道内地址"}, &Sheet::cloud_inside},
    Parameter{"inside_network", {"network inside the tunnel", "隧道内网段"}, &Sheet::inside_network},
    Parameter{"bgp", {"BGP", "BGP"}, &Sheet::bgp},
};

}  // namespace

ConsoleSheet console_sheet(const Config& config, const Tunnel& tunnel, const Cloud& cloud, Language language,
                           bool behind_nat) {
  const bool zh = language == Language::chinese;
  const Sheet values(config, tunnel, cloud, language, behind_nat);
  ConsoleSheet sheet{tunnel.name, cloud.name, zh ? cloud.title_zh : cloud.title, language, {}, {}};
  for (const CloudField& field : cloud.console) {
    const auto parameter = std::ranges::find(kParameters, field.parameter, &Parameter::name);
    if (parameter == kParameters.end()) continue;  // a test sees to it that there is none
    std::string value = (values.*(parameter->value))();
    if (value.empty()) continue;
    const std::string& label = zh ? field.label_zh : field.label;
    sheet.fields.push_back(
        {field.parameter, label.empty() ? values.say(parameter->plain) : label, !label.empty(), std::move(value)});
  }
  for (const CloudHint& hint : cloud.hints) sheet.hints.push_back(zh ? hint.text_zh : hint.text);
  return sheet;
}

std::vector<std::string_view> console_parameters() {
  std::vector<std::string_view> names;
  for (const Parameter& parameter : kParameters) names.push_back(parameter.name);
  return names;
}

}  // namespace causeway::conf
