#include "test/support/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "dataplane/packet.h"

namespace causeway::test {

namespace {

std::string file_prefix() { return "causeway-test-" + std::to_string(::getpid()); }

// EAL removes its files but leaves the directory it made for them.
void stop_eal() {
  rte_eal_cleanup();
  ::rmdir(("/run/dpdk/" + file_prefix()).c_str());
}

}  // namespace

void start_eal(const std::vector<std::string>& vdevs) {
  static bool started = false;
  if (started) return;
  std::vector<std::string> arguments = {"test",
                                        "--no-huge",
                                        "-m",
                                        "1024",
                                        "--no-pci",
                                        "--no-telemetry",
                                        "--no-shconf",
                                        "--file-prefix=" + file_prefix(),
                                        "--lcores=0@0,1@0",
                                        "--log-level=error"};
  for (const auto& vdev : vdevs) arguments.push_back("--vdev=" + vdev);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    std::fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
    std::exit(1);
  }
  std::atexit(stop_eal);
  started = true;
}

void PoolFree::operator()(rte_mempool* pool) const { rte_mempool_free(pool); }

Pool packet_pool(unsigned count, std::uint16_t room) {
  start_eal();
  static int serial = 0;
  const std::string name = "test-pool-" + std::to_string(serial++);
  Pool pool(rte_pktmbuf_pool_create(name.c_str(), count, 0, RTE_CACHE_LINE_ROUNDUP(sizeof(dataplane::PacketMeta)),
                                    static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + room), SOCKET_ID_ANY));
  if (!pool) {
    std::fprintf(stderr, "no memory for a packet pool: %s\n", rte_strerror(rte_errno));
    std::exit(1);
  }
  return pool;
}

}  // namespace causeway::test
