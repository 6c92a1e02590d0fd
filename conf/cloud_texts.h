// The files of conf/clouds/ as they are, built in.
#pragma once

#include <span>
#include <string_view>

namespace causeway::conf {

struct CloudText {
  std::string_view name;  // the file's, without ".conf"
  std::string_view text;
};
std::span<const CloudText> cloud_texts();

}  // namespace causeway::conf
