// A rate limit: `rate` a second on average, `burst` at once. Time is milliseconds, passed in.
#pragma once

#include <algorithm>
#include <cstdint>

namespace causeway::dataplane {

class TokenBucket {
 public:
  constexpr TokenBucket(std::uint32_t rate, std::uint32_t burst)
      : rate_(rate), limit_(std::uint64_t{burst} * 1000), tokens_(limit_) {}

  bool take(std::uint64_t now_ms) {
    if (now_ms > last_ms_) {
      tokens_ = std::min(limit_, tokens_ + std::min<std::uint64_t>(now_ms - last_ms_, 1'000'000) * rate_);
      last_ms_ = now_ms;
    }
    if (tokens_ < 1000) return false;
    tokens_ -= 1000;
    return true;
  }

 private:
  std::uint64_t rate_, limit_, tokens_;  // tokens in thousandths
  std::uint64_t last_ms_ = 0;
};

}  // namespace causeway::dataplane
