// What the configuration's author is told: an error or a note, with its place in the file.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace causeway::conf {

// Printed as "file:line: key: reason". `line` 0: about the file as a whole; `key` may then be empty.
struct Complaint {
  std::string file;
  int line = 0;
  std::string key;     // "tunnels.hangzhou.ike.lifetime"; by index, "tunnels[2].remote", where there is no name
  std::string reason;  // one sentence: what is wrong, and where it helps, what would be right
  [[nodiscard]] std::string str() const;
};

struct Place {
  std::string file;
  int line = 0;
};

// Collects every complaint at once, and where each key stands.
struct Report {
  std::string file;                     // the configuration file: the place of what has no other
  std::vector<Complaint> errors;        // any: the configuration is not to be used
  std::vector<Complaint> notes;         // accepted, but worth a word: weak PSKs, larger remotes, legacy algorithms
  std::map<std::string, Place> places;  // by key, for keys that the file has

  std::set<std::string> meant;  // keys that an unknown key most likely stands for

  // The file has the key, or something that was meant to be it: that it is missing is no news then.
  [[nodiscard]] bool has(const std::string& key) const { return places.contains(key) || meant.contains(key); }

  // At the key's own place; where the file lacks the key, at the nearest enclosing one.
  void error(const std::string& key, std::string reason);
  void note(const std::string& key, std::string reason);
  [[nodiscard]] Place place_of(const std::string& key) const;
};

}  // namespace causeway::conf
