// A line on the admin socket: whatever it says, there is exactly one end, and every answer is one line.
#include "control/admin_commands.h"

#include <nlohmann/json.hpp>

#include "test/control/admin_fakes.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;

class Listener final : public control::Asker {
 public:
  void line(std::string json) override { keep(json); }
  void end(std::string json) override {
    keep(json);
    ++ends;
  }
  control::Done later(std::chrono::milliseconds, std::function<std::string()> late) override {
    keep(late());
    ++ends;
    return [](control::Outcome) {};
  }
  void follow_log() override { ++ends; }
  int ends = 0;

 private:
  static void keep(const std::string& json) {
    fuzz::must(json.find('\n') == std::string::npos, "an answer is one line");
    fuzz::must(nlohmann::json::accept(json), "an answer is JSON");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static control::testing::FakeBackend backend = [] {
    control::testing::FakeBackend b;
    b.reports.push_back(control::testing::full_tunnel());
    b.write("a line");
    return b;
  }();
  backend.orders.clear();
  backend.waiting.clear();
  Listener listener;
  control::answer_request(fuzz::text({data, size}), backend, listener);
  fuzz::must(listener.ends == 1, "a request has one end");
  return 0;
}
