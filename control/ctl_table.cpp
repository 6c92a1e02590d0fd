#include "control/ctl_table.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace causeway::control {
namespace {

// Columns on a terminal: continuation octets of UTF-8 take none.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string unit(std::int64_t value, const char* name) { return std::to_string(value) + " " + name; }

std::string two_units(std::int64_t large, const char* large_name, std::int64_t small, const char* small_name) {
  return unit(large, large_name) + (small == 0 ? "" : " " + unit(small, small_name));
}

}  // namespace

std::string painted(std::string_view text, Paint paint, bool colour) {
  if (!colour || paint == Paint::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (paint) {
    case Paint::good:
      code = "32";
      break;
    case Paint::bad:
      code = "31";
      break;
    case Paint::wait:
      code = "33";
      break;
    case Paint::dim:
      code = "2";
      break;
    case Paint::bold:
    case Paint::plain:
      code = "1";
  }
  return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

std::string bytes_text(std::uint64_t octets) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (octets < 1000) return std::to_string(octets) + " B";
  double value = static_cast<double>(octets);
  std::size_t step = 0;
  while (value >= 999.95 && step + 1 < kUnits.size()) {
    value /= 1000;
    ++step;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits[step]);
  return text.data();
}

std::string count_text(std::uint64_t count) {
  std::string text = std::to_string(count);
  if (text.size() < 5) return text;  // four digits read well without
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ' ');
  return text;
}

std::string seconds_text(std::int64_t seconds) {
  constexpr std::int64_t kMinute = 60, kHour = 3600, kDay = 86400;
  if (seconds < 2 * kMinute) return unit(std::max<std::int64_t>(seconds, 0), "s");
  if (seconds < 2 * kHour) return unit(seconds / kMinute, "min");
  if (seconds < 2 * kDay) return two_units(seconds / kHour, "h", seconds % kHour / kMinute, "min");
  return two_units(seconds / kDay, "d", seconds % kDay / kHour, "h");
}

std::string Table::str(bool colour) const {
  std::vector<std::size_t> widths;
  for (const std::string& name : header_) widths.push_back(width(name));
  for (const auto& cells : rows_) {
    for (std::size_t i = 0; i < cells.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], width(cells[i].text));
  }
  std::string out;
  const auto line = [&](const std::vector<Cell>& cells) {
    std::string text;
    std::size_t owed = 0;  // spaces, paid only when something follows
    for (std::size_t i = 0; i < cells.size() && i < widths.size(); ++i) {
      const std::size_t space = widths[i] - width(cells[i].text);
      if (cells[i].right) owed += space;
      if (!cells[i].text.empty()) {
        text.append(owed, ' ');
        text += painted(cells[i].text, cells[i].paint, colour);
        owed = 0;
      }
      owed += (cells[i].right ? 0 : space) + 2;
    }
    out += text + "\n";
  };
  std::vector<Cell> names;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    const bool right = !rows_.empty() && i < rows_.front().size() && rows_.front()[i].right;
    names.push_back({header_[i], Paint::bold, right});
  }
  line(names);
  for (const auto& cells : rows_) line(cells);
  return out;
}

}  // namespace causeway::control
