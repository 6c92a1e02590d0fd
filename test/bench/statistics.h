#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace causeway::bench {

class Samples {
 public:
  void add(double value) { values_.push_back(value), sorted_ = false; }
  [[nodiscard]] std::size_t count() const { return values_.size(); }
  // 0 where there are none.
  [[nodiscard]] double quantile(double q) {
    if (values_.empty()) return 0;
    if (!sorted_) std::sort(values_.begin(), values_.end());
    sorted_ = true;
    return values_[static_cast<std::size_t>(q * static_cast<double>(values_.size() - 1) + 0.5)];
  }

 private:
  std::vector<double> values_;
  bool sorted_ = false;
};

}  // namespace causeway::bench
