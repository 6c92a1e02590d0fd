// The only file that knows libconfig: its tree becomes ours at once, its exceptions end here.
#include "conf/loader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <libconfig.h++>
#include <sstream>

#include "conf/rules.h"
#include "conf/schema.h"
#include "conf/syntax_hint.h"
#include "conf/tree.h"
#include "conf/values.h"

#if defined(__SANITIZE_ADDRESS__)
#define CAUSEWAY_LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAUSEWAY_LEAK_CHECK 1
#endif
#endif
#ifdef CAUSEWAY_LEAK_CHECK
#include <sanitizer/lsan_interface.h>
#endif

namespace causeway::conf {
namespace {

constexpr std::size_t kLargestFile = std::size_t{4} << 20;
constexpr int kDeepest = 16;  // our schema needs 5; libconfig's own recursion is bounded by its parser's stack

// False where the tree is deeper than any configuration of ours.
bool convert(const libconfig::Setting& setting, const std::string& file, int depth, Node& node) {
  if (depth > kDeepest) return false;
  const char* name = setting.getName();
  const char* source = setting.getSourceFile();
  node.name = name != nullptr ? name : "";
  node.place = {source != nullptr ? source : file, static_cast<int>(setting.getSourceLine())};
  switch (setting.getType()) {
    case libconfig::Setting::TypeInt:
      node.kind = Node::Kind::integer;
      node.integer = static_cast<int>(setting);
      return true;
    case libconfig::Setting::TypeInt64:
      node.kind = Node::Kind::integer;
      node.integer = static_cast<long long>(setting);
      return true;
    case libconfig::Setting::TypeFloat:
      node.kind = Node::Kind::real;
      node.real = static_cast<double>(setting);
      return true;
    case libconfig::Setting::TypeBoolean:
      node.kind = Node::Kind::boolean;
      node.boolean = static_cast<bool>(setting);
      return true;
    case libconfig::Setting::TypeString:
      node.kind = Node::Kind::text;
      node.text = setting.c_str();
      return true;
    case libconfig::Setting::TypeArray:
      node.kind = Node::Kind::array;
      break;
    case libconfig::Setting::TypeList:
      node.kind = Node::Kind::list;
      break;
    default:
      node.kind = Node::Kind::group;
  }
  const int count = setting.getLength();
  node.children.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    if (!convert(setting[i], file, depth + 1, node.children[static_cast<std::size_t>(i)])) return false;
  }
  return true;
}

std::string directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

// libconfig 1.5 forgets the text token that a syntax error stands behind: a few octets, not ours to free.
void read_string(libconfig::Config& parser, const std::string& text) {
#ifdef CAUSEWAY_LEAK_CHECK
  const __lsan::ScopedDisabler library_forgets;
#endif
  parser.readString(text);
}

// libconfig says "syntax error" and little else: add what most often is the matter.
std::string parse_reason(const std::string& error) {
  if (error == "syntax error")
    return "syntax error here or just before: look for a missing \";\", quote, comma or bracket";
  if (error.find("duplicate setting name") != std::string::npos) return "the same key is there twice in one group";
  return error;
}

Complaint parse_complaint(const libconfig::ParseException& e, const std::string& text, const std::string& path) {
  const std::string error = e.getError() != nullptr ? e.getError() : "syntax error";
  const bool included = e.getFile() != nullptr && path != e.getFile();
  if (const auto hint = included ? std::nullopt : syntax_hint(text))
    return {path, hint->line, "", "syntax error: " + hint->reason};
  return {included ? e.getFile() : path, e.getLine(), "", parse_reason(error)};
}

bool parse(const std::string& text, Report& report, Node& root) {
  try {
    libconfig::Config parser;
    parser.setIncludeDir(directory_of(report.file).c_str());
    try {
      read_string(parser, text);
    } catch (const libconfig::ParseException& e) {
      report.errors.push_back(parse_complaint(e, text, report.file));
      return false;
    }
    if (convert(parser.getRoot(), report.file, 0, root)) return true;
    report.error("", "is nested more deeply than any configuration needs");
  } catch (const std::exception& e) {
    report.error("", std::string("cannot be parsed: ") + e.what());
  }
  return false;
}

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
  if (!parse(text, report, root)) return loaded;
  Draft draft = read_schema(root, directory_of(path), report);
  check_ports(draft, report);
  check_tunnels(draft, report);
  check_selectors(draft, report);
  check_proposals(draft, options.check_proposal, report);
  if (options.check_unfinished) check_unfinished(draft, report);
  if (options.check_files) check_files(draft, report);
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
