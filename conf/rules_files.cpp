#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "conf/psk.h"
#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

void check_psk(const std::string& file, const std::string& key, const Cloud* cloud, Report& report) {
  if (file.empty()) return;
  const auto psk = read_psk(file);
  if (!psk) {
    report.error(key, psk.error());
    return;
  }
  for (const std::string& warning : psk->warnings) report.note(key, warning);
  if (cloud != nullptr) check_cloud_psk(psk->octets.bytes(), *cloud, key, report);
}

void check_readable(const std::string& file, const std::string& key, bool secret, Report& report) {
  if (file.empty()) return;
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || ::access(file.c_str(), R_OK) != 0) {
    report.error(key, in_quotes(file) + " cannot be read: " + std::strerror(errno));
  } else if (!S_ISREG(status.st_mode)) {
    report.error(key, in_quotes(file) + " is not a regular file");
  } else if (secret && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    report.error(key, in_quotes(file) + " is open to everybody; chmod 600 it");
  }
}

}  // namespace

void check_files(const Draft& draft, CloudBook& book, Report& report) {
  for (std::size_t i = 0; i < draft.config.tunnels.size(); ++i) {
    const Tunnel& t = draft.config.tunnels[i];
    const std::string& key = draft.tunnel_keys[i];
    if (t.auth == AuthMethod::psk) {
      check_psk(t.psk_file, key + ".psk_file", book.find(t.cloud), report);
    } else {
      check_readable(t.cert, key + ".cert", false, report);
      check_readable(t.key, key + ".key", true, report);
      check_readable(t.ca, key + ".ca", false, report);
      check_readable(t.crl, key + ".crl", false, report);
    }
    check_psk(t.ike.ppk_file, key + ".ike.ppk_file", nullptr, report);
  }
}

}  // namespace causeway::conf
