// A configuration file: any text gives values or errors with places, never a crash; what is accepted can be said.
#include "conf/describe.h"
#include "conf/loader.h"
#include "control/settings.h"
#include "test/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace causeway;
  const std::string text(reinterpret_cast<const char*>(data), size);
  // libconfig opens what @include names: whoever writes the file may read files, a fuzzer is not to.
  if (text.find("@include") != std::string::npos) return 0;
  conf::LoadOptions options{.check_proposal = control::check_proposal, .check_files = false};
  const conf::Loaded loaded = conf::load_text(text, "fuzz.conf", options);
  for (const auto& error : loaded.report.errors) fuzz::must(!error.str().empty(), "an error says something");
  if (loaded.ok()) fuzz::must(!conf::describe(loaded).empty() || loaded.config.ports.empty(), "a config can be told");
  return 0;
}
