// What each request of the admin socket does: from a line of JSON to the backend and back.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "control/admin_backend.h"

namespace causeway::control {

// The one who asked, as commands see it. Calls come in this order: lines, then one end.
class Asker {
 public:
  virtual ~Asker() = default;
  virtual void line(std::string json) = 0;  // one more line of several
  virtual void end(std::string json) = 0;   // the answer, or the last line: the request is done
  // The end comes later, by the returned function; until `limit` from now. When it passes first, `late`
  // makes the answer.
  virtual Done later(std::chrono::milliseconds limit, std::function<std::string()> late) = 0;
  virtual void follow_log() = 0;  // lines come until the client leaves; no end
};

// Answers one request at once, or arranges for it. Never throws, whatever the text is.
void answer_request(std::string_view text, AdminBackend& backend, Asker& asker);

std::string log_answer(const LogLine& line);         // {"ok":true,"line":{...}}
std::string outcome_answer(const Outcome& outcome);  // of up, down and rekey
std::string error_answer(int code, std::string_view text);

}  // namespace causeway::control
