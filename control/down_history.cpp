#include "control/down_history.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

namespace causeway::control {

namespace {

constexpr std::string_view kFirstLine = "causeway history 1";
constexpr std::string_view kLastLine = "end";  // a file that was cut off has none
constexpr std::size_t kFields = 8, kMostOctets = 256U << 20, kMostText = 500;

std::string plain(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  if (text.size() > kMostText) text.resize(kMostText);
  return text;
}

template <class N>
bool number(std::string_view text, N& out, N most) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= 0 && out <= most;
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0;;) {
    const std::size_t end = text.find(by, at);
    out.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return out;
    at = end + 1;
  }
}

std::optional<PastFall> parse(const std::vector<std::string_view>& f) {
  constexpr std::int64_t kMost = 1LL << 40;
  std::int64_t at = 0, up = 0, idle = 0, by_command = 0, cause = 0, symptom = 0;
  const bool ok = number(f[1], at, kMost) && number(f[2], up, kMost) && number(f[3], idle, kMost) &&
                  number(f[4], by_command, std::int64_t{1}) &&
                  number(f[5], cause, static_cast<std::int64_t>(ike::Cause::internal)) &&
                  number(f[6], symptom, static_cast<std::int64_t>(ike::Symptom::deleted));
  if (!ok) return std::nullopt;
  PastFall fall;
  fall.at = std::chrono::sys_seconds(std::chrono::seconds(at));
  fall.up = std::chrono::seconds(up);
  fall.idle = std::chrono::seconds(idle);
  fall.by_command = by_command != 0;
  fall.cause = static_cast<ike::Cause>(cause);
  fall.symptom = static_cast<ike::Symptom>(symptom);
  fall.text = std::string(f[7]);
  return fall;
}

std::string path_in(const std::string& directory) { return directory + "/history"; }

}  // namespace

std::string DownHistory::to_text(const Falls& falls) {
  std::string out(kFirstLine);
  out += '\n';
  for (const auto& [tunnel, list] : falls) {
    for (const PastFall& f : list) {
      out += plain(tunnel);
      for (const std::int64_t n :
           {static_cast<std::int64_t>(f.at.time_since_epoch().count()), static_cast<std::int64_t>(f.up.count()),
            static_cast<std::int64_t>(f.idle.count()), std::int64_t{f.by_command}, static_cast<std::int64_t>(f.cause),
            static_cast<std::int64_t>(f.symptom)}) {
        out += '\t' + std::to_string(n);
      }
      out += '\t' + plain(f.text) + '\n';
    }
  }
  out += kLastLine;
  out += '\n';
  return out;
}

std::optional<DownHistory::Falls> DownHistory::from_text(std::string_view text) {
  const auto lines = split(text, '\n');
  if (lines.size() < 3 || lines.front() != kFirstLine || lines[lines.size() - 2] != kLastLine || !lines.back().empty())
    return std::nullopt;
  Falls out;
  for (std::size_t i = 1; i + 2 < lines.size(); ++i) {
    const auto fields = split(lines[i], '\t');
    if (fields.size() != kFields || fields[0].empty()) return std::nullopt;
    auto fall = parse(fields);
    auto& list = out[std::string(fields[0])];
    if (!fall || list.size() == kKept) return std::nullopt;
    list.push_back(std::move(*fall));
  }
  return out;
}

std::optional<std::string> DownHistory::load(const std::string& directory) {
  directory_ = directory;
  if (directory.empty()) return std::nullopt;
  const std::string path = path_in(directory);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  std::optional<Falls> read;
  if (std::filesystem::file_size(path, error) <= kMostOctets && !error) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (file) read = from_text(text);
  }
  if (read) {
    falls_ = std::move(*read);
    return std::nullopt;
  }
  const std::string aside = path + ".corrupt";
  std::filesystem::rename(path, aside, error);
  return path + ": not a history that this program wrote; " +
         (error ? "it cannot be put aside: " + error.message() : "put aside as " + aside + ", begun anew");
}

void DownHistory::add(const std::string& tunnel, PastFall fall) {
  auto& list = falls_[tunnel];
  fall.text = plain(std::move(fall.text));
  list.push_back(std::move(fall));
  if (list.size() > kKept) list.pop_front();
  unsaved_ = true;
}

void DownHistory::forget_all_but(const std::deque<std::string>& tunnels) {
  std::erase_if(falls_, [&](const auto& entry) { return std::ranges::find(tunnels, entry.first) == tunnels.end(); });
}

// Not forced to the disk: that may take long, and the control thread does not wait. After a power cut the file may be
// cut off, which the next start says.
tl::expected<void, std::string> DownHistory::save() {
  if (!unsaved_ || directory_.empty()) return {};
  unsaved_ = false;
  const std::string path = path_in(directory_), fresh = path + ".new";
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  {
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    const std::string text = to_text(falls_);
    octets_ = text.size();
    file << text;
    file.flush();
    if (!file) return tl::unexpected("the history of falls cannot be written to " + fresh);
  }
  std::filesystem::permissions(fresh, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error);
  std::filesystem::rename(fresh, path, error);
  if (error) return tl::unexpected("the history of falls cannot be written to " + path + ": " + error.message());
  return {};
}

const std::deque<PastFall>& DownHistory::of(std::string_view tunnel) const {
  static const std::deque<PastFall> none;
  const auto found = falls_.find(tunnel);
  return found == falls_.end() ? none : found->second;
}

}  // namespace causeway::control
