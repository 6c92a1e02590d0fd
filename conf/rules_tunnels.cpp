#include <algorithm>

#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

// Looks at one tunnel; `given` tells what the file says from what is a default.
class TunnelCheck {
 public:
  TunnelCheck(const Config& config, Tunnel& tunnel, const std::string& key, Report& report)
      : config_(config), tunnel_(tunnel), key_(key), report_(report) {}

  void run() {
    if (tunnel_.name == "port") error("name", "\"port\" is what `show port` is about; choose another name");
    peer();
    starting();
    authentication();
    algorithms();
  }

 private:
  [[nodiscard]] bool given(std::string_view name) const {
    return report_.places.contains(key_ + "." + std::string(name));
  }
  void error(std::string_view name, std::string reason) {
    report_.error(key_ + "." + std::string(name), std::move(reason));
  }
  void note(std::string_view name, std::string reason) {
    report_.note(key_ + "." + std::string(name), std::move(reason));
  }
  void need(std::string_view name, bool present, const std::string& what) {
    if (!present && !report_.has(key_ + "." + std::string(name))) error(name, "is missing: " + what);
  }

  // The port that has this own address, or nullptr.
  [[nodiscard]] const Port* owner(const IpAddress& address) const {
    const auto owns = [&](const Port& port) {
      return std::ranges::any_of(port.addresses, [&](const Prefix& own) { return own.address == address; });
    };
    const auto found = std::ranges::find_if(config_.ports, owns);
    return found == config_.ports.end() ? nullptr : &*found;
  }

  void peer() {
    need("remote", !tunnel_.remote.empty(), "the peer's address or name, or \"any\"");
    const Port* port = nullptr;
    if (!tunnel_.port.empty()) {
      const auto found = std::ranges::find(config_.ports, tunnel_.port, &Port::name);
      if (found == config_.ports.end()) {
        unknown_port();
        return;
      }
      port = &*found;
    }
    const auto remote = tunnel_.remote_address();
    if (remote && owner(*remote) != nullptr)
      error("remote", remote->str() + " is an own address of port " + owner(*remote)->name);
    if (tunnel_.local) {
      const Port* owning = owner(*tunnel_.local);
      if (owning == nullptr) {
        error("local", tunnel_.local->str() + " is no port's own address");
        return;
      }
      if (port != nullptr && owning != port)
        error("local", tunnel_.local->str() + " belongs to port " + owning->name + ", not to " + port->name);
      if (remote && remote->family != tunnel_.local->family)
        error("local", tunnel_.local->str() + " is not of the IP version of the remote, " + remote->str());
    }
    if (!tunnel_.remote.empty() && ports_are_right()) outer_path(remote);
  }

  // A peer that cannot be reached is no news where the way to it has errors of its own.
  [[nodiscard]] bool ports_are_right() const {
    return std::ranges::none_of(
        report_.errors, [](const Complaint& c) { return c.key.starts_with("ports") || c.key.starts_with("routes"); });
  }

  void unknown_port() {
    std::vector<std::string_view> names;
    for (const Port& p : config_.ports) names.push_back(p.name);
    const std::string_view meant = nearest(tunnel_.port, names);
    error("port", "there is no port " + in_quotes(tunnel_.port) +
                      (meant.empty() ? "" : "; did you mean " + in_quotes(meant) + "?"));
  }

  void outer_path(const std::optional<IpAddress>& remote) {
    if (config_.port_of(tunnel_) == nullptr) {
      error("remote", remote ? "no route leads to " + remote->str() + ": give a port a gateway, or add a route"
                             : "which port its packets use is unknown: name a port, or give one a gateway");
    } else if (!config_.local_address(tunnel_)) {
      error("remote",
            "port " + config_.port_of(tunnel_)->name + " has no own address of the IP version of " + tunnel_.remote);
    }
  }

  // A tunnel that cannot begin waits, unless the file insists on the impossible.
  void starting() {
    const bool only_answers = tunnel_.role == Role::responder || tunnel_.remote_is_any();
    if (tunnel_.remote_is_any() && tunnel_.role == Role::initiator) {
      error("role", "an initiator needs to know its peer, but remote is \"any\"");
    }
    if (!only_answers) return;
    if (given("start") && tunnel_.start != Start::wait) {
      error("start", std::string("cannot be begun from here, since ") +
                         (tunnel_.remote_is_any() ? "remote is \"any\"" : "role is \"responder\"") + "; use \"wait\"");
    }
    tunnel_.start = Start::wait;
  }

  void authentication() {
    if (tunnel_.auth == AuthMethod::psk) {
      need("psk_file", !tunnel_.psk_file.empty(), "the file that holds the pre-shared key");
      for (const std::string_view unused : {"cert", "key", "ca", "crl"}) {
        if (given(unused)) note(unused, "is not used, since auth is \"psk\"");
      }
    } else {
      need("cert", !tunnel_.cert.empty(), "the own certificate's file");
      need("key", !tunnel_.key.empty(), "the own private key's file");
      need("ca", !tunnel_.ca.empty(), "the file of the authority that signs the peer's certificate");
      if (given("psk_file")) note("psk_file", "is not used, since auth is \"cert\"");
    }
    const bool id = !tunnel_.ike.ppk_id.empty(), file = !tunnel_.ike.ppk_file.empty();
    if (id && !file) error("ike.ppk_id", "needs ppk_file beside it");
    if (file && !id) error("ike.ppk_file", "needs ppk_id beside it");
    if (id && tunnel_.ike.version == 1) error("ike.ppk_id", "is an IKEv2 key (RFC 8784), but version is 1");
  }

  void proposals(std::string_view name, const std::vector<std::string>& list) {
    if (list.empty() && !given(std::string(name) + "[0]")) error(name, "is empty: at least one proposal is needed");
    if (list.size() > 20) error(name, "holds more than 20 proposals");
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (std::find(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i), list[i]) !=
          list.begin() + static_cast<std::ptrdiff_t>(i)) {
        error(name, in_quotes(list[i]) + " is there twice");
      }
    }
  }

  void algorithms() {
    proposals("ike.proposals", tunnel_.ike.proposals);
    proposals("esp.proposals", tunnel_.esp.proposals);
    if (tunnel_.ike.version == 2 && tunnel_.ike.mode == IkeMode::aggressive)
      error("ike.mode", "aggressive mode is IKEv1's, but version is 2");
    if (tunnel_.ike.mode == IkeMode::aggressive && tunnel_.auth == AuthMethod::psk && tunnel_.ike.version == 1) {
      note("ike.mode",
           "aggressive mode shows anyone who asks a hash of the pre-shared key to guess against; prefer main mode");
    }
    if (tunnel_.legacy) note("legacy", "algorithms that are broken or nearly so are allowed for this tunnel");
    if (tunnel_.esp.lifetime > tunnel_.ike.lifetime && given("esp.lifetime")) {
      note("esp.lifetime", duration_text(tunnel_.esp.lifetime) + " is longer than the IKE lifetime, " +
                               duration_text(tunnel_.ike.lifetime));
    }
    if (tunnel_.mss && *tunnel_.mss > 0 && *tunnel_.mss < 216)
      error("mss", "below 216 no TCP connection works well; 0 turns clamping off");
  }

  const Config& config_;
  Tunnel& tunnel_;
  const std::string& key_;
  Report& report_;
};

}  // namespace

void check_tunnels(Draft& draft, Report& report) {
  for (std::size_t i = 0; i < draft.config.tunnels.size(); ++i) {
    TunnelCheck(draft.config, draft.config.tunnels[i], draft.tunnel_keys[i], report).run();
  }
}

}  // namespace causeway::conf
