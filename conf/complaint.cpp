#include "conf/complaint.h"

#include <algorithm>

namespace causeway::conf {

std::string Complaint::str() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  if (!key.empty()) text += ": " + key;
  return text + ": " + reason;
}

Place Report::place_of(const std::string& key) const {
  std::string enclosing = key;
  while (true) {
    if (const auto found = places.find(enclosing); found != places.end()) return found->second;
    const std::size_t end = enclosing.find_last_of(".[");
    if (end == std::string::npos) return {file, 0};
    enclosing.resize(end);
  }
}

void Report::error(const std::string& key, std::string reason) {
  Place place = place_of(key);
  const auto same = [&](const Complaint& c) { return c.key == key && c.reason == reason && c.line == place.line; };
  if (std::ranges::any_of(errors, same)) return;
  errors.push_back({std::move(place.file), place.line, key, std::move(reason)});
}

void Report::note(const std::string& key, std::string reason) {
  Place place = place_of(key);
  notes.push_back({std::move(place.file), place.line, key, std::move(reason)});
}

}  // namespace causeway::conf
