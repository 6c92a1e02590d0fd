#include "control/version_probe.h"

#include <algorithm>
#include <utility>

namespace causeway::control {

namespace {

constexpr ike::Time kPause{600'000};

// A probe's state machine may want an SPI for a child that is never installed.
class ProbeEnvironment final : public ike::Environment {
 public:
  explicit ProbeEnvironment(ike::Environment& real) : real_(real) {}
  crypto::Random& random() override { return real_.random(); }
  std::uint32_t allocate_spi(ike::TunnelId, ike::Resource) override { return 0x100; }
  void release_spi(std::uint32_t) override {}
  std::chrono::sys_seconds wall_time() override { return real_.wall_time(); }

 private:
  ike::Environment& real_;
};

// What gateways are configured with, old and new: enough for one that speaks the version to choose something.
std::vector<std::string> usual_proposals(int version) {
  if (version == 2) {
    return {
        "aes256-aes192-aes128-3des-sha512-sha384-sha256-sha1-md5-"
        "modp2048-ecp256-ecp384-ecp521-x25519-modp4096-modp3072-modp1536-modp1024-modp768",
        "aes256gcm16-aes192gcm16-aes128gcm16-chacha20poly1305-prfsha512-prfsha384-prfsha256-prfsha1-"
        "modp2048-ecp256-ecp384-ecp521-x25519-modp4096-modp3072-modp1536-modp1024"};
  }
  return {"aes256-sha256-modp2048", "aes128-sha256-modp2048", "aes128-sha1-modp1024", "aes256-sha1-modp1024",
          "aes128-sha1-modp1536",   "aes256-sha256-modp1536", "aes128-sha1-modp2048", "aes256-sha384-ecp384",
          "aes128-sha256-ecp256",   "aes128-md5-modp768",     "3des-md5-modp768",     "3des-sha1-modp1024",
          "3des-md5-modp1024"};
}

PeerSettingsPtr settings_for(const ike::PeerSettings& settings, int version) {
  auto changed = std::make_shared<ike::PeerSettings>(settings);
  changed->config.ike.version = version;
  changed->config.ike.mode = conf::IkeMode::main;
  changed->config.ike.proposals = usual_proposals(version);
  changed->config.legacy = true;  // for the question alone: nothing is negotiated
  return changed;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

// A busy IKEv2 gateway's stateless reply (RFC 7296 2.6) says nothing yet of what it would take.
bool only_a_cookie(const ike::Datagram& d) {
  constexpr std::size_t kHeader = 28, kNotify = 41;
  return d.bytes.size() >= kHeader + 8 && d.bytes[16] == kNotify && d.bytes[kHeader + 6] == 0x40 &&
         d.bytes[kHeader + 7] == 0x06;
}

ike::Reason other_version(const std::string& who, int theirs, const std::string& how) {
  const std::string name = "IKEv" + std::to_string(theirs), ours = std::to_string(theirs == 1 ? 2 : 1);
  ike::Reason r;
  r.cause = ike::Cause::peer_refused_proposal;
  r.first_message = true;
  r.text = who + " speaks " + name + ", but ike.version = " + ours + " here (" + how +
           "): set ike.version = " + std::to_string(theirs) + " here, or IKEv" + ours + " there";
  r.symptom = ike::Symptom::other_version;
  r.ours = "IKEv" + ours;
  r.theirs = name;
  return r;
}

}  // namespace

std::vector<ike::Send> VersionProbe::begin(const ike::PeerSettings& settings, const Engine& engine,
                                           ike::Environment& environment, ike::Time now) {
  std::vector<ike::Send> out;
  if (!settings.config.probe || !settings.remote || (asked_at_ && now < *asked_at_ + kPause)) return out;
  asked_at_ = now;
  questions_.clear();
  offered_ = joined(settings.config.ike.proposals);
  environment_ = std::make_unique<ProbeEnvironment>(environment);
  const int own = settings.config.ike.version;
  for (const int version : {own, own == 1 ? 2 : 1}) {
    auto sa = engine.initiate(settings_for(settings, version), *environment_, false);
    if (!sa) continue;
    ike::Effects effects;
    sa->start(settings.children.front().slot, now, effects);
    for (ike::Effect& e : effects) {
      if (auto* send = std::get_if<ike::Send>(&e)) out.push_back(std::move(*send));
    }
    questions_.push_back({std::move(sa), version, version == own});
  }
  return out;
}

bool VersionProbe::receive(std::uint64_t local_spi, const ike::Datagram& datagram, ike::Time now) {
  const auto it = std::ranges::find_if(questions_, [&](const Question& q) { return q.sa->local_spi() == local_spi; });
  if (it == questions_.end() || only_a_cookie(datagram)) return false;
  ike::Effects effects;
  it->sa->receive(datagram, now, effects);
  // Had it been a refusal, nothing would follow.
  if (std::ranges::none_of(effects, [](const ike::Effect& e) { return std::holds_alternative<ike::Send>(e); })) {
    return false;
  }
  const std::string who = datagram.remote.address.str(), suite = it->sa->status().suite;
  const int version = it->version;
  const bool own = it->own;
  questions_.erase(it);
  if (algorithms_ || (finding_ && !own)) return false;
  if (!own) {
    finding_ = other_version(who, version, "it answers that version");
    return true;
  }
  algorithms_ = true;
  ike::Reason r;
  r.cause = ike::Cause::peer_refused_proposal;
  r.first_message = true;
  r.text = who + " refused our IKE proposal " + offered_ + ", though it answers other algorithms" +
           (suite.empty() ? "" : ", as " + suite) + ": set the same ike.proposals on both sides";
  r.symptom = ike::Symptom::other_algorithms;
  r.ours = offered_;
  r.theirs = suite;
  finding_ = std::move(r);
  return true;
}

bool VersionProbe::peer_began(const ike::PeerSettings& settings, const conf::Endpoint& from, int version) {
  if (finding_ || version == settings.config.ike.version) return false;
  finding_ = other_version(from.address.str(), version, "it began in that version");
  return true;
}

void VersionProbe::forget() {
  questions_.clear();
  finding_.reset();
  algorithms_ = false;
}

std::vector<std::uint64_t> VersionProbe::local_spis() const {
  std::vector<std::uint64_t> out;
  for (const Question& q : questions_) out.push_back(q.sa->local_spi());
  return out;
}

}  // namespace causeway::control
