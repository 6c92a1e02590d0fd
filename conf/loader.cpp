#include "conf/loader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "conf/load_tree.h"
#include "conf/rules.h"
#include "conf/schema.h"
#include "conf/tree.h"

namespace causeway::conf {
namespace {

constexpr std::size_t kLargestFile = std::size_t{4} << 20;
void check_proposals(const Draft& draft, const ProposalCheck& check, Report& report) {
  if (!check) return;
  const auto each = [&](ProposalKind kind, const std::vector<std::string>& list, const std::string& key,
                        const Tunnel& tunnel) {
    for (const std::string& proposal : list) {
      if (const auto wrong = check(kind, proposal, tunnel)) report.error(key, *wrong);
    }
  };
  for (std::size_t i = 0; i < draft.config.tunnels.size(); ++i) {
    const Tunnel& tunnel = draft.config.tunnels[i];
    each(ProposalKind::ike, tunnel.ike.proposals, draft.tunnel_keys[i] + ".ike.proposals", tunnel);
    each(ProposalKind::esp, tunnel.esp.proposals, draft.tunnel_keys[i] + ".esp.proposals", tunnel);
  }
}

void sort_by_line(std::vector<Complaint>& complaints) { std::ranges::stable_sort(complaints, {}, &Complaint::line); }

}  // namespace

Loaded load_text(const std::string& text, const std::string& path, const LoadOptions& options) {
  Loaded loaded;
  Report& report = loaded.report;
  report.file = path;
  loaded.config.file = path;
  if (text.find('\0') != std::string::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find('\0')), '\n');
    report.errors.push_back({path, static_cast<int>(line), "", "contains a zero octet: this is not a text file"});
    return loaded;
  }
  Node root;
  if (!parse_tree(text, report, root)) return loaded;
  CloudBook clouds;
  apply_clouds(root, clouds);
  Draft draft = read_schema(root, directory_of(path), report);
  check_ports(draft, report);
  check_tunnels(draft, report);
  check_selectors(draft, report);
  check_groups(draft, report);
  check_proposals(draft, options.check_proposal, report);
  check_clouds(draft, clouds, report);
  check_weak(draft, report);
  if (options.check_files) check_files(draft, clouds, report);
  loaded.config = std::move(draft.config);
  loaded.config.file = path;
  sort_by_line(report.errors);
  sort_by_line(report.notes);
  return loaded;
}

Loaded load(const std::string& path, const LoadOptions& options) {
  const auto failed = [&](const std::string& why) {
    Loaded loaded;
    loaded.config.file = loaded.report.file = path;
    loaded.report.error("", "cannot be read: " + why);
    return loaded;
  };
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return failed("there is no such file");
  if (!std::filesystem::is_regular_file(path, error)) return failed("it is not a regular file");
  if (std::filesystem::file_size(path, error) > kLargestFile) return failed("it is larger than 4 MiB");
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  // An empty file makes the insertion fail, and is a configuration that lacks everything.
  if (!stream) return failed(std::strerror(errno));
  return load_text(text.str(), path, options);
}

}  // namespace causeway::conf
