#include "control/ctl_import.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <sstream>

#include "conf/cloud.h"
#include "conf/import.h"
#include "control/admin_json.h"
#include "control/ctl_fields.h"

namespace causeway::control {
namespace {

constexpr int kDone = 0, kFailed = 1;

int say_error(const CtlCommand& command, const std::string& text) {
  if (command.json) std::cout << to_line({{"error", text}, {"code", kFailed}}) << std::endl;
  std::cerr << "causewayctl: " << printable(text) << std::endl;
  return kFailed;
}

tl::expected<std::string, std::string> contents_of(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return tl::unexpected(path + ": there is no such file");
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  if (!stream && std::filesystem::file_size(path, error) != 0)
    return tl::unexpected(path + " cannot be read: " + std::strerror(errno));
  return text.str();
}

// A new file of this content that only its owner can read; what is there already stays, and is an error.
std::string write_new(const std::string& path, std::span<const std::uint8_t> octets, unsigned mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0)
    return path + (errno == EEXIST ? " is there already, and is not written over"
                                   : std::string(" cannot be made: ") + std::strerror(errno));
  std::string problem;
  while (!octets.empty() && problem.empty()) {
    const ssize_t wrote = ::write(fd, octets.data(), octets.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0)
      problem = path + " cannot be written: " + std::strerror(errno);
    else
      octets = octets.subspan(static_cast<std::size_t>(wrote));
  }
  if (::close(fd) != 0 && problem.empty()) problem = path + " cannot be written: " + std::strerror(errno);
  return problem;
}

std::span<const std::uint8_t> octets_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The first problem, or nothing: either all that is new is there, or the user knows what is not.
std::string write_all(const CtlCommand& command, const std::string& config, const conf::Imported& imported) {
  if (std::string problem = write_new(command.output, octets_of(config), 0600); !problem.empty()) return problem;
  const auto folder = std::filesystem::path(command.output).parent_path();
  for (const conf::ImportedKey& key : imported.keys) {
    if (key.octets.bytes().empty()) continue;
    if (std::string problem = write_new((folder / key.file).string(), key.octets.bytes(), 0600); !problem.empty())
      return problem;
  }
  return "";
}

Json result_of(const CtlCommand& command, const std::string& config, const conf::Imported& imported) {
  Json notes = Json::array(), keys = Json::array();
  for (const conf::ImportNote& note : imported.notes) notes.push_back({{"line", note.line}, {"text", note.text}});
  for (const conf::ImportedKey& key : imported.keys)
    keys.push_back({{"file", key.file}, {"written", !command.output.empty() && !key.octets.bytes().empty()}});
  return {{"format", conf::format_name(imported.format)}, {"config", config}, {"notes", notes}, {"keys", keys}};
}

void tell(const CtlCommand& command, const conf::Imported& imported) {
  std::cerr << "causewayctl: read as " << conf::format_name(imported.format) << ": " << imported.config.tunnels.size()
            << (imported.config.tunnels.size() == 1 ? " tunnel\n" : " tunnels\n");
  for (const conf::ImportNote& note : imported.notes) {
    std::cerr << command.file << (note.line > 0 ? ":" + std::to_string(note.line) : "") << ": " << printable(note.text)
              << "\n";
  }
  for (const conf::ImportedKey& key : imported.keys) {
    if (key.octets.bytes().empty()) continue;
    std::cerr << (command.output.empty() ? "to be made, mode 600, with the pre-shared key of that file: "
                                         : "written, mode 600: ")
              << key.file << "\n";
  }
  std::cerr << "look at the lines marked FILL IN, then: causewayd --config "
            << (command.output.empty() ? "FILE" : command.output) << " --check" << std::endl;
}

}  // namespace

int run_import(const CtlCommand& command) {
  if (!command.cloud.empty()) {
    const auto cloud = conf::parse_cloud(command.cloud);
    if (!cloud) return say_error(command, cloud.error());
  }
  const auto text = contents_of(command.file);
  if (!text) return say_error(command, text.error());
  const auto imported = conf::import_text(*text);
  if (!imported) return say_error(command, command.file + " " + imported.error());
  const std::string config = conf::imported_config(*imported, command.cloud, command.file);
  if (!command.output.empty()) {
    if (const std::string problem = write_all(command, config, *imported); !problem.empty())
      return say_error(command, problem);
  }
  if (command.json) {
    std::cout << to_line(result_of(command, config, *imported)) << std::endl;
    return kDone;
  }
  if (command.output.empty()) std::cout << config << std::flush;
  tell(command, *imported);
  return kDone;
}

}  // namespace causeway::control
