#include "control/credentials.h"

#include <sys/stat.h>

#include <utility>

#include "control/ike/ids.h"
#include "crypto/x509.h"

namespace causeway::control {

namespace {

constexpr std::chrono::hours kSoon{24 * 14};

std::string date(crypto::WallTime time) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  const auto two = [](unsigned n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return std::to_string(static_cast<int>(day.year())) + "-" + two(static_cast<unsigned>(day.month())) + "-" +
         two(static_cast<unsigned>(day.day()));
}

// What a peer will hold against our own certificate, found before it does.
void judge_own(const crypto::Certificate& own, const conf::Tunnel& tunnel, crypto::WallTime now,
               std::vector<std::string>& notes) {
  if (own.not_after() <= now) {
    notes.push_back("our certificate expired on " + date(own.not_after()) + ": the peer will refuse it");
  } else if (own.not_after() - now < kSoon) {
    notes.push_back("our certificate expires on " + date(own.not_after()));
  }
  if (own.not_before() > now) notes.push_back("our certificate is not valid before " + date(own.not_before()));
  if (tunnel.local_id.empty()) return;
  const auto id = ike::Identity::parse(tunnel.local_id);
  if (!id) return;
  if (own.refuses({static_cast<std::uint8_t>(id->type), id->data})) {
    notes.push_back("local_id " + id->str() +
                    " is not in our certificate: the peer may refuse it; say one of its names, or have it issued anew");
  }
}

}  // namespace

tl::expected<Credentials, std::string> load_credentials(const conf::Tunnel& tunnel, const conf::IpAddress& local,
                                                        std::chrono::sys_seconds now) {
  auto own = crypto::Credential::load(tunnel.cert, tunnel.key);
  if (!own) return tl::unexpected(std::move(own.error().text));
  auto trust = crypto::TrustStore::load(tunnel.ca, tunnel.crl);
  if (!trust) return tl::unexpected(std::move(trust.error().text));
  Credentials out;
  const crypto::Certificate& certificate = own->chain.front();
  std::string who = "we are \"" + certificate.subject() + "\", " + certificate.public_key().name() + ", valid until " +
                    date(certificate.not_after());
  for (const std::string& name : certificate.names()) who += ", " + name;
  out.notes.push_back(std::move(who));
  for (const crypto::Certificate& ca : trust->cas()) {
    out.notes.push_back("trusted: \"" + ca.subject() + "\", valid until " + date(ca.not_after()));
  }
  judge_own(certificate, tunnel, now, out.notes);
  const ike::Identity address = ike::Identity::of(local);
  if (tunnel.local_id.empty() && certificate.refuses({static_cast<std::uint8_t>(address.type), address.data})) {
    out.notes.push_back("our identity is the certificate's subject, since it does not hold " + local.str());
  }
  out.own = std::make_shared<const crypto::Credential>(std::move(*own));
  out.trust = std::make_shared<const crypto::TrustStore>(std::move(*trust));
  return out;
}

CredentialFiles::CredentialFiles(const std::vector<conf::Tunnel>& tunnels) {
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    const conf::Tunnel& t = tunnels[i];
    if (t.auth != conf::AuthMethod::cert) continue;
    Watched w{i, {t.cert, t.key, t.ca, t.crl}, {}};
    for (std::size_t n = 0; n < w.paths.size(); ++n) w.stamps[n] = stamp_of(w.paths[n]);
    watched_.push_back(std::move(w));
  }
}

CredentialFiles::Stamp CredentialFiles::stamp_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size, status.st_ino};
}

std::vector<std::size_t> CredentialFiles::changed() {
  std::vector<std::size_t> out;
  for (Watched& w : watched_) {
    bool differs = false;
    for (std::size_t n = 0; n < w.paths.size(); ++n) {
      const Stamp now = stamp_of(w.paths[n]);
      differs = differs || !(now == w.stamps[n]);
      w.stamps[n] = now;
    }
    if (differs) out.push_back(w.tunnel);
  }
  return out;
}

}  // namespace causeway::control
