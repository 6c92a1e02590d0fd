// Why a text is no configuration, when the parser only knows where it gave up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace causeway::conf {

struct SyntaxHint {
  int line = 0;  // where the cause is, often lines before the place where the parser stumbled
  std::string reason;
};

// A quote that is not closed, or a bracket without its partner. Only for text that
// has failed to parse already.
std::optional<SyntaxHint> syntax_hint(std::string_view text);

}  // namespace causeway::conf
