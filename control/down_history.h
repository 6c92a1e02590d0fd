// Why each tunnel went down, the last causes of each, kept across restarts in one text file of the state directory.
//
// A line is one fall: tunnel, time (seconds since 1970), seconds up, seconds without the peer's ESP, cause and symptom by
// number, and the sentence, with tabs between. The file is written anew beside the old one and takes its place by
// rename, so that a reader, and a crash of ours, finds one or the other. A file that is not what we write is named and
// put aside, never guessed at: history is evidence.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "control/ike/effects.h"

namespace causeway::control {

struct PastFall {
  std::chrono::sys_seconds at{};
  std::chrono::seconds up{0}, idle{0};
  bool by_command = false;
  ike::Cause cause = ike::Cause::none;
  ike::Symptom symptom = ike::Symptom::none;
  std::string text;
  bool operator==(const PastFall&) const = default;
};

class DownHistory {
 public:
  static constexpr std::size_t kKept = 16;  // of a tunnel
  using Falls = std::map<std::string, std::deque<PastFall>, std::less<>>;  // by tunnel, oldest first

  // What `directory` has (none: nothing is kept); a complaint where that is not readable, with what was done about it.
  std::optional<std::string> load(const std::string& directory);
  void add(const std::string& tunnel, PastFall fall);
  void forget_all_but(const std::deque<std::string>& tunnels);
  // Writes, where there is something new. The error is a sentence.
  tl::expected<void, std::string> save();
  [[nodiscard]] bool unsaved() const { return unsaved_; }
  [[nodiscard]] std::size_t octets() const { return octets_; }  // of the file, as written last
  [[nodiscard]] const std::deque<PastFall>& of(std::string_view tunnel) const;

  static std::string to_text(const Falls& falls);
  static std::optional<Falls> from_text(std::string_view text);  // nothing where it is not all of what we write

 private:
  std::string directory_;
  Falls falls_;
  bool unsaved_ = false;
  std::size_t octets_ = 0;
};

}  // namespace causeway::control
