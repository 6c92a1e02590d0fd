// Another gateway's configuration: any text becomes a configuration of ours that can be read, or a sentence.
#include "conf/import.h"
#include "conf/loader.h"
#include "test/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace causeway;
  const auto imported = conf::import_text(fuzz::text({data, size}));
  if (!imported) {
    fuzz::must(!imported.error().empty(), "a refusal says why");
    return 0;
  }
  const std::string text = conf::imported_config(*imported, "", "fuzz");
  const conf::Loaded loaded =
      conf::load_text(text, "fuzz.conf", {.check_proposal = {}, .check_files = false});
  fuzz::must(loaded.config.tunnels.size() == imported->config.tunnels.size(), "what was written is read again");
  for (const auto& key : imported->keys) {
    if (!key.octets.bytes().empty()) (void)conf::parse_psk(key.octets.bytes());
  }
  return 0;
}
