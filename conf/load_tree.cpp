// The only file that knows libconfig: its tree becomes ours at once, its exceptions end here.
#include "conf/load_tree.h"

#include <filesystem>
#include <libconfig.h++>

#include "conf/syntax_hint.h"

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

}  // namespace

std::string directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

bool parse_tree(const std::string& text, Report& report, Node& root) {
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

}  // namespace causeway::conf
