// Aligned columns and the units people read: what causewayctl prints with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::control {

enum class Paint : std::uint8_t { plain, good, bad, wait, dim, bold };

// The text in a colour, or as it is where `colour` is off.
std::string painted(std::string_view text, Paint paint, bool colour);

std::string bytes_text(std::uint64_t octets);    // "12.3 MB", powers of 1000
std::string count_text(std::uint64_t count);     // "1500", "12 345 678"
std::string seconds_text(std::int64_t seconds);  // "45 s", "52 min", "7 h 5 min", "3 d 4 h"

struct Cell {
  std::string text;
  Paint paint = Paint::plain;
  bool right = false;  // numbers align by their last digit
};

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Two spaces between columns, none at the end of a line.
  [[nodiscard]] std::string str(bool colour) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace causeway::control
