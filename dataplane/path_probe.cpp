#include "dataplane/path_probe.h"

#include <utility>

namespace causeway::dataplane {
namespace {

constexpr std::uint16_t kLikely = 1280;  // what nearly every path carries: halving starts there

}  // namespace

// A change of what we would send starts over.
void PathProbe::set_bounds(std::uint16_t least, std::uint16_t most) {
  if (least == least_ && most == most_) return;
  least_ = least;
  most_ = most;
  state_ = State::idle;
  next_ms_ = 0;
}

void PathProbe::suggest(const conf::IpAddress& host) {
  if (!host_) host_ = host;
}

void PathProbe::enter(State state, std::uint16_t size, std::uint64_t now_ms) {
  state_ = state;
  size_ = size;
  asked_ = 0;
  next_ms_ = now_ms;
}

void PathProbe::rest(std::uint64_t now_ms, std::uint64_t for_ms) {
  state_ = State::idle;
  next_ms_ = now_ms + for_ms;
}

std::optional<PathProbe::Send> PathProbe::tick(std::uint64_t now_ms, std::uint16_t& next_sequence) {
  if (!host_ || now_ms < next_ms_) return std::nullopt;
  if (state_ == State::idle) enter(State::greet, 0, now_ms);
  if (asked_ == kTries) on_silence(now_ms);
  if (state_ == State::idle) return std::nullopt;
  ++asked_;
  next_ms_ = now_ms + kWaitMs;
  sequence_ = ++next_sequence;
  last_host_ = host_;
  return Send{*host_, size_, sequence_};
}

// Three questions unanswered.
void PathProbe::on_silence(std::uint64_t now_ms) {
  switch (state_) {
    case State::idle:
      return;
    case State::greet:
    case State::confirm:  // it is the host that is silent: nothing is known of the path
      host_.reset();
      answered_ = false;
      silent_ = true;
      return rest(now_ms, kOtherHostMs);
    case State::top:
      return enter(State::confirm, 0, now_ms);
    case State::search:
      high_ = size_;
      return step(now_ms);
  }
}

void PathProbe::step(std::uint64_t now_ms) {
  if (high_ - low_ <= kNearEnough) {
    found_ = low_;
    return rest(now_ms, kAgainMs);
  }
  const bool first = low_ == least_ && high_ == most_ && kLikely > low_ && kLikely < high_;
  enter(State::search, first ? kLikely : static_cast<std::uint16_t>(low_ + (high_ - low_) / 2), now_ms);
}

bool PathProbe::answered(std::uint16_t sequence, const conf::IpAddress& from, std::uint64_t now_ms) {
  if (state_ == State::idle || asked_ == 0 || sequence != sequence_ || !host_ || *host_ != from) return false;
  answered_ = true;
  silent_ = false;
  switch (state_) {
    case State::idle:
      return false;
    case State::greet:
      enter(State::top, most_, now_ms);
      return true;
    case State::top:
      found_ = most_;
      rest(now_ms, kAgainMs);
      return true;
    case State::confirm:
      low_ = least_;
      high_ = most_;
      step(now_ms);
      return true;
    case State::search:
      low_ = size_;
      found_ = low_;  // used at once: traffic waits
      step(now_ms);
      return true;
  }
  return false;
}

std::optional<std::uint16_t> PathProbe::take_found() {
  if (found_) known_ = *found_;
  return std::exchange(found_, std::nullopt);
}

}  // namespace causeway::dataplane
