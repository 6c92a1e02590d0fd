// The anti-replay window of one inbound SA (RFC 4303 3.4.3 and appendix A2), as a ring of bits that is
// never shifted (RFC 6479): the window slides by clearing the words it enters.
//
// Sequence numbers are 64 bits wide here; without ESN they stay below 2^32 and do not wrap. Written by the
// SA's owner alone. The bits lie in memory behind the SA, given to init().
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace causeway::dataplane {

class ReplayWindow {
 public:
  static constexpr std::uint32_t kMin = 32, kMax = 8192;  // packets
  enum class Verdict : std::uint8_t { fresh, duplicate, old };

  // Words of storage for a window: as many bits, plus one word that is being left, rounded so that an
  // index is a mask.
  static constexpr std::uint32_t words(std::uint32_t window) {
    std::uint32_t n = 2;
    while (n * 64 < window + 64) n *= 2;
    return n;
  }

  // `storage`: words(window) zeros that outlive this. window 0 turns the check off.
  void init(std::uint32_t window, bool esn, std::uint64_t* storage) {
    bits_ = storage;
    window_ = window;
    mask_ = words(window) - 1;
    esn_ = esn;
    top_ = 0;
  }

  // The 64-bit number a packet with these low 32 bits must have been sent with, if it is authentic
  // (appendix A2.2). 0, which no sender uses, where there is none: before the first or after the last.
  [[nodiscard]] std::uint64_t infer(std::uint32_t low) const {
    if (!esn_) return low;
    const std::uint64_t high = top_ >> 32;
    const auto top_low = static_cast<std::uint32_t>(top_);
    const std::uint32_t bottom_low = top_low - (window_ - 1);
    if (top_low >= window_ - 1) {  // case A: the window lies in one subspace
      if (low >= bottom_low) return high << 32 | low;
      return high == 0xffffffff ? 0 : (high + 1) << 32 | low;
    }
    if (low < bottom_low) return high << 32 | low;  // case B: the window spans two
    return high == 0 ? 0 : (high - 1) << 32 | low;
  }

  [[nodiscard]] Verdict check(std::uint64_t sequence) const {
    if (sequence == 0) return Verdict::old;
    if (window_ == 0 || sequence > top_) return Verdict::fresh;
    if (top_ - sequence >= window_) return Verdict::old;
    return (bits_[word(sequence)] & bit(sequence)) != 0 ? Verdict::duplicate : Verdict::fresh;
  }

  // After the packet proved authentic and check() said fresh. True: it is the highest so far.
  bool advance(std::uint64_t sequence) {
    const bool highest = sequence > top_;
    if (window_ == 0) {
      top_ = std::max(top_, sequence);
      return highest;
    }
    if (highest) {
      const std::uint64_t entered = std::min<std::uint64_t>((sequence >> 6) - (top_ >> 6), mask_ + 1);
      for (std::uint64_t i = 0; i < entered; ++i) bits_[((sequence >> 6) - i) & mask_] = 0;
      top_ = sequence;
    }
    bits_[word(sequence)] |= bit(sequence);
    return highest;
  }

  [[nodiscard]] std::uint64_t top() const { return top_; }
  [[nodiscard]] std::uint32_t window() const { return window_; }

 private:
  [[nodiscard]] std::uint64_t word(std::uint64_t sequence) const { return (sequence >> 6) & mask_; }
  static std::uint64_t bit(std::uint64_t sequence) { return std::uint64_t{1} << (sequence & 63); }

  std::uint64_t* bits_ = nullptr;
  std::uint64_t top_ = 0;  // highest authenticated
  std::uint32_t window_ = 0;
  std::uint32_t mask_ = 0;
  bool esn_ = false;
};

}  // namespace causeway::dataplane
