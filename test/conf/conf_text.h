// Configurations for tests: a good one to change a line of, and helpers that load text.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "conf/loader.h"

namespace causeway::conf::testing {

inline constexpr const char* kGood = R"(workers = [1];
ports = (
  { name = "wan"; device = "0000:3b:00.0"; addresses = ["203.0.113.2/24"]; gateway = "203.0.113.1"; },
  { name = "lan"; device = "0000:3b:00.1"; addresses = ["192.168.123.1/24"]; }
);
tunnels = (
  {
    name = "hangzhou";
    remote = "198.51.100.7";
    psk_file = "h.psk";
    local_subnets = ["192.168.123.0/24"];
    remote_subnets = ["172.17.112.0/20"];
  }
);
)";

// The good text with the first `from` replaced by `to`; `from` must be there.
inline std::string changed(const std::string& from, const std::string& to, std::string text = kGood) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("not in the text: " + from);
  return text.replace(at, from.size(), to);
}

inline Loaded load_good(const std::string& text) {
  return load_text(text, "t.conf", {.check_proposal = {}, .check_files = false});
}

inline std::string all_of(const std::vector<Complaint>& complaints) {
  std::string text;
  for (const Complaint& c : complaints) text += c.str() + "\n";
  return text;
}

// A directory of this test's own, removed with everything in it.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "causeway-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& contents, std::filesystem::perms mode) const {
    std::ofstream(file(name), std::ios::binary) << contents;
    std::filesystem::permissions(file(name), mode);
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace causeway::conf::testing
