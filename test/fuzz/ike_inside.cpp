// What comes out of an encrypted payload: the type of the first payload in the first octet, the chain behind it.
#include "test/fuzz/ike_payloads.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace causeway;
  if (size == 0) return 0;
  const fuzz::ByteView chain(data + 1, size - 1);
  fuzz::exercise_chain(static_cast<ike::PayloadType>(data[0]), chain);
  fuzz::exercise_proposals(chain);
  return 0;
}
