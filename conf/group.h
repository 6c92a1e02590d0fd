// Typed reading of one group of the configuration: each read names a key, says what it takes, and leaves
// the default where the key is absent or wrong. What no read asked for is an unknown key.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "conf/complaint.h"
#include "conf/tree.h"
#include "conf/values.h"

namespace causeway::conf {

class Group {
 public:
  // `node` and `report` outlive it. `path` is the key of the group itself, empty for the root.
  Group(const Node& node, std::string path, Report& report);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int line() const { return node_->place.line; }
  [[nodiscard]] std::string key(std::string_view name) const;
  [[nodiscard]] Report& report() const { return *report_; }

  void read(std::string_view name, bool& out);
  void read(std::string_view name, std::optional<bool>& out);

  // A whole number within [low, high].
  template <typename T>
  void read_number(std::string_view name, T& out, std::int64_t low, std::int64_t high) {
    if (const auto value = number(name, low, high)) out = static_cast<T>(*value);
  }
  // A duration as text, or seconds as a number.
  void read_duration(std::string_view name, Seconds& out, Seconds low, Seconds high);
  // A size as text, or a number of `unit` octets.
  void read_size(std::string_view name, std::optional<std::uint64_t>& out, std::uint64_t unit);

  // Text that `parse` takes.
  template <typename T, typename Out>
  void read_text(std::string_view name, Out& out, Parsed<T> (*parse)(std::string_view)) {
    const Node* node = scalar_text(name);
    if (node != nullptr) store(key(name), parse(node->text), [&](T&& value) { out = std::move(value); });
  }
  // A list of such texts; an empty list is taken as one.
  template <typename T>
  void read_texts(std::string_view name, std::vector<T>& out, Parsed<T> (*parse)(std::string_view)) {
    const auto nodes = texts(name);
    if (!nodes) return;
    out.clear();
    for (const auto& [node, path] : *nodes) {
      store(path, parse(node->text), [&](T&& value) { out.push_back(std::move(value)); });
    }
  }
  template <typename T>
  void read_choice(std::string_view name, T& out, std::initializer_list<std::pair<std::string_view, T>> choices) {
    const Node* node = scalar_text(name);
    if (node == nullptr) return;
    std::vector<std::string_view> names;
    for (const auto& [choice, value] : choices) {
      if (choice == node->text) {
        out = value;
        return;
      }
      names.push_back(choice);
    }
    refuse_choice(name, node->text, names);
  }
  void read_numbers(std::string_view name, std::vector<int>& out, std::int64_t low, std::int64_t high);

  [[nodiscard]] std::optional<Group> group(std::string_view name);
  // A list of groups. Each one's path is by its name where it has a usable and unique one.
  [[nodiscard]] std::vector<Group> groups(std::string_view name);
  // The node of a key that takes more than one type, or nullptr.
  const Node* take(std::string_view name);
  // A key of the contract that this version does not have.
  void unavailable(std::string_view name);

  // Complains about every key nobody asked for. Call last.
  void finish();

 private:
  using Texts = std::vector<std::pair<const Node*, std::string>>;

  std::optional<std::int64_t> number(std::string_view name, std::int64_t low, std::int64_t high);
  const Node* scalar_text(std::string_view name);
  std::optional<Texts> texts(std::string_view name);
  void refuse_choice(std::string_view name, std::string_view given, const std::vector<std::string_view>& names);
  void wrong_kind(const std::string& key, std::string_view wanted, const Node& found);
  bool in_range(const std::string& key, const Node& node, std::int64_t low, std::int64_t high);

  template <typename T, typename Store>
  void store(const std::string& key, Parsed<T> parsed, Store&& take_value) {
    if (parsed) {
      take_value(std::move(*parsed));
    } else {
      report_->error(key, parsed.error());
    }
  }

  const Node* node_;
  std::string path_;
  Report* report_;
  std::vector<std::string_view> asked_;
};

}  // namespace causeway::conf
