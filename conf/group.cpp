#include "conf/group.h"

#include <algorithm>

namespace causeway::conf {
namespace {

std::string kind_text(const Node& node) {
  switch (node.kind) {
    case Node::Kind::integer:
      return "the number " + std::to_string(node.integer);
    case Node::Kind::real:
      return "a number with a fraction";
    case Node::Kind::boolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::text:
      return "the text " + in_quotes(node.text);
    case Node::Kind::group:
      return "a group { ... }";
    case Node::Kind::array:
      return "an array [ ... ]";
    case Node::Kind::list:
      return "a list ( ... )";
  }
  return "something else";
}

std::string list_of(const std::vector<std::string_view>& names, std::string_view quote) {
  std::string text;
  for (const std::string_view name : names) {
    if (!text.empty()) text += ", ";
    text.append(quote).append(name).append(quote);
  }
  return text;
}

}  // namespace

Group::Group(const Node& node, std::string path, Report& report)
    : node_(&node), path_(std::move(path)), report_(&report) {}

std::string Group::key(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Node* Group::take(std::string_view name) {
  asked_.push_back(name);
  const auto found = std::ranges::find(node_->children, name, &Node::name);
  if (found == node_->children.end()) return nullptr;
  report_->places.try_emplace(key(name), found->place);
  return &*found;
}

void Group::wrong_kind(const std::string& key, std::string_view wanted, const Node& found) {
  report_->error(key, "takes " + std::string(wanted) + ", not " + kind_text(found));
}

void Group::read(std::string_view name, bool& out) {
  std::optional<bool> value;
  read(name, value);
  out = value.value_or(out);
}

void Group::read(std::string_view name, std::optional<bool>& out) {
  const Node* node = take(name);
  if (node == nullptr) return;
  if (node->kind == Node::Kind::boolean) {
    out = node->boolean;
  } else {
    wrong_kind(key(name), "true or false (without quotes)", *node);
  }
}

bool Group::in_range(const std::string& key, const Node& node, std::int64_t low, std::int64_t high) {
  if (node.kind != Node::Kind::integer) {
    wrong_kind(key, "a whole number", node);
    return false;
  }
  if (node.integer >= low && node.integer <= high) return true;
  report_->error(key,
                 std::to_string(node.integer) + " is outside " + std::to_string(low) + " to " + std::to_string(high));
  return false;
}

std::optional<std::int64_t> Group::number(std::string_view name, std::int64_t low, std::int64_t high) {
  const Node* node = take(name);
  if (node == nullptr || !in_range(key(name), *node, low, high)) return std::nullopt;
  return node->integer;
}

void Group::read_numbers(std::string_view name, std::vector<int>& out, std::int64_t low, std::int64_t high) {
  const Node* node = take(name);
  if (node == nullptr) return;
  if (node->kind != Node::Kind::array && node->kind != Node::Kind::list) {
    return wrong_kind(key(name), "a list of numbers such as [1, 2]", *node);
  }
  out.clear();
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const Node& child = node->children[i];
    const std::string path = key(name) + "[" + std::to_string(i) + "]";
    report_->places.try_emplace(path, child.place);
    if (in_range(path, child, low, high)) out.push_back(static_cast<int>(child.integer));
  }
}

void Group::read_duration(std::string_view name, Seconds& out, Seconds low, Seconds high) {
  const Node* node = take(name);
  if (node == nullptr) return;
  Parsed<Seconds> value;
  if (node->kind == Node::Kind::integer) {
    value = Seconds(node->integer);
  } else if (node->kind == Node::Kind::text) {
    value = parse_duration(node->text);
  } else {
    return wrong_kind(key(name), "a duration such as \"8h\", or seconds", *node);
  }
  if (!value) return report_->error(key(name), value.error());
  if (*value < low || *value > high) {
    return report_->error(key(name), std::to_string(value->count()) + " seconds is outside " + duration_text(low) +
                                         " to " + duration_text(high));
  }
  out = *value;
}

void Group::read_size(std::string_view name, std::optional<std::uint64_t>& out, std::uint64_t unit) {
  const Node* node = take(name);
  if (node == nullptr) return;
  if (node->kind == Node::Kind::integer) {
    if (in_range(key(name), *node, 0, INT64_MAX / static_cast<std::int64_t>(unit)))
      out = static_cast<std::uint64_t>(node->integer) * unit;
  } else if (node->kind == Node::Kind::text) {
    store(key(name), parse_size(node->text), [&](std::uint64_t&& value) { out = value; });
  } else {
    wrong_kind(key(name), "a size such as \"1800MB\", or a number", *node);
  }
}

const Node* Group::scalar_text(std::string_view name) {
  const Node* node = take(name);
  if (node == nullptr || node->kind == Node::Kind::text) return node;
  wrong_kind(key(name), "text in double quotes", *node);
  return nullptr;
}

std::optional<Group::Texts> Group::texts(std::string_view name) {
  const Node* node = take(name);
  if (node == nullptr) return std::nullopt;
  if (node->kind != Node::Kind::array && node->kind != Node::Kind::list) {
    wrong_kind(key(name), "a list of texts such as [\"...\", \"...\"]", *node);
    return std::nullopt;
  }
  Texts result;
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const Node& child = node->children[i];
    std::string path = key(name) + "[" + std::to_string(i) + "]";
    report_->places.try_emplace(path, child.place);
    if (child.kind == Node::Kind::text) {
      result.emplace_back(&child, std::move(path));
    } else {
      wrong_kind(path, "text in double quotes", child);
    }
  }
  return result;
}

void Group::refuse_choice(std::string_view name, std::string_view given, const std::vector<std::string_view>& names) {
  std::string reason = in_quotes(given) + " is not one of " + list_of(names, "\"");
  if (const std::string_view meant = nearest(given, names); !meant.empty())
    reason += "; did you mean " + in_quotes(meant) + "?";
  report_->error(key(name), reason);
}

std::optional<Group> Group::group(std::string_view name) {
  const Node* node = take(name);
  if (node == nullptr) return std::nullopt;
  if (node->kind == Node::Kind::group) return Group(*node, key(name), *report_);
  wrong_kind(key(name), "a group { ... }", *node);
  return std::nullopt;
}

std::vector<Group> Group::groups(std::string_view name) {
  std::vector<Group> result;
  const Node* node = take(name);
  if (node == nullptr) return result;
  if (node->kind != Node::Kind::list) {
    wrong_kind(key(name), "a list of groups such as ( { ... }, { ... } )", *node);
    return result;
  }
  for (std::size_t i = 0; i < node->children.size(); ++i) {
    const Node& child = node->children[i];
    std::string path = key(name) + "[" + std::to_string(i) + "]";
    if (child.kind != Node::Kind::group) {
      report_->places.try_emplace(path, child.place);
      wrong_kind(path, "a group { ... }", child);
      continue;
    }
    const auto named = std::ranges::find(child.children, "name", &Node::name);
    if (named != child.children.end() && named->kind == Node::Kind::text && parse_name(named->text)) {
      std::string by_name = key(name) + "." + named->text;
      if (!report_->places.contains(by_name)) path = std::move(by_name);
    }
    report_->places.try_emplace(path, child.place);
    result.emplace_back(child, std::move(path), *report_);
  }
  return result;
}

void Group::unavailable(std::string_view name) {
  if (take(name) != nullptr) report_->error(key(name), "is not available in this version");
}

void Group::finish() {
  for (const Node& child : node_->children) {
    if (std::ranges::find(asked_, child.name) != asked_.end()) continue;
    const std::string path = key(child.name);
    report_->places.try_emplace(path, child.place);
    const std::string_view meant = nearest(child.name, asked_);
    if (!meant.empty()) report_->meant.insert(key(meant));
    if (meant.empty()) {
      report_->error(path, "is not a known key; known here: " + list_of(asked_, ""));
    } else {
      report_->error(path, "is not a known key; did you mean " + in_quotes(meant) + "?");
    }
  }
}

}  // namespace causeway::conf
