#include "control/ctl_fields.h"

namespace causeway::control {

std::string printable(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

const Json& member(const Json& json, const char* key) {
  static const Json kNull;
  if (!json.is_object()) return kNull;
  const auto found = json.find(key);
  return found == json.end() ? kNull : *found;
}

std::string text_at(const Json& json, const char* key) {
  const Json& value = member(json, key);
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) return "-";
  return printable(value.get<std::string>());
}

std::optional<std::int64_t> number_at(const Json& json, const char* key) {
  const Json& value = member(json, key);
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<std::int64_t>();
}

const Json& list_at(const Json& json, const char* key) {
  static const Json kEmpty = Json::array();
  const Json& value = member(json, key);
  return value.is_array() ? value : kEmpty;
}

void table_row(Table& table, const std::vector<std::string>& cells) {
  std::vector<Cell> row;
  for (const std::string& cell : cells) row.push_back({cell, Paint::plain, !row.empty()});
  table.row(std::move(row));
}

}  // namespace causeway::control
