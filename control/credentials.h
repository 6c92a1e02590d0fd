// Certificates, private keys and revocation lists from the files that a tunnel names, and again when those files
// change: certificates are renewed and lists reissued while the gateway runs.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "conf/config.h"
#include "control/ike/ike_sa.h"

namespace causeway::control {

struct Credentials {
  std::shared_ptr<const crypto::Credential> own;
  std::shared_ptr<const crypto::TrustStore> trust;
  std::vector<std::string> notes;  // what they are, and what is odd about them: for --check and the log
};

// `local`: the outer address, which is our identity where local_id names none and the certificate holds it.
tl::expected<Credentials, std::string> load_credentials(const conf::Tunnel& tunnel, const conf::IpAddress& local,
                                                        std::chrono::sys_seconds now);

// Tells which tunnels' files are not what they were.
class CredentialFiles {
 public:
  explicit CredentialFiles(const std::vector<conf::Tunnel>& tunnels);
  // Places in the configuration. Each change is told once.
  std::vector<std::size_t> changed();

 private:
  struct Stamp {  // a file is another one if any of these differs
    std::int64_t seconds = 0, nanoseconds = 0, size = 0;
    std::uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::string& path);
  struct Watched {
    std::size_t tunnel;
    std::array<std::string, 4> paths;
    std::array<Stamp, 4> stamps;
  };
  std::vector<Watched> watched_;
};

}  // namespace causeway::control
