#include "dataplane/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_memory.h>
#include <sched.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "dataplane/ordinary_heap.h"

namespace causeway::dataplane {
namespace {

constexpr const char* kHugepages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
constexpr std::uint32_t kHugepageMib = 2;
constexpr std::uint32_t kLeastAsideMib = 512;

std::uint32_t read_number(const std::string& file) {
  std::uint32_t value = 0;
  std::ifstream(file) >> value;
  return value;
}

// Asks the kernel for as many pages as the configuration wants, where it has fewer free.
std::uint32_t free_hugepage_mib(std::uint32_t wanted_mib) {
  const std::uint32_t wanted = (wanted_mib + kHugepageMib - 1) / kHugepageMib;
  const std::uint32_t free = read_number(std::string(kHugepages) + "free_hugepages");
  if (free < wanted) {
    const std::uint32_t total = read_number(std::string(kHugepages) + "nr_hugepages");
    std::ofstream(std::string(kHugepages) + "nr_hugepages") << total + (wanted - free);
  }
  return read_number(std::string(kHugepages) + "free_hugepages") * kHugepageMib;
}

// The main lcore may run wherever the process may: "0@(0,1,5)".
std::string main_lcore() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  ::sched_getaffinity(0, sizeof cpus, &cpus);
  std::string list;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &cpus)) list += (list.empty() ? "" : ",") + std::to_string(cpu);
  }
  return "--lcores=0@(" + list + ")";
}

}  // namespace

tl::expected<EalState, StartError> start_eal(const EalNeeds& needs) {
  EalState state;
  if (rte_lcore_id() != LCORE_ID_ANY) {  // this thread is the main lcore already
    state.socket = ordinary_heap();
    return state;
  }
  const std::uint32_t wanted_mib = needs.hugepages_mib.value_or(needs.memory_mib);
  if (wanted_mib != 0) {
    const std::uint32_t free = needs.hugepages_mib
                                   ? free_hugepage_mib(wanted_mib)
                                   : read_number(std::string(kHugepages) + "free_hugepages") * kHugepageMib;
    state.hugepages = free >= wanted_mib && free >= needs.memory_mib;
    if (!state.hugepages) {
      state.note = "no hugepages: " + std::to_string(std::max(wanted_mib, needs.memory_mib)) + " MiB wanted, " +
                   std::to_string(free) +
                   " MiB free; running on ordinary memory, slower with many SAs (reserve some: echo N > " + kHugepages +
                   "nr_hugepages)";
    }
  }

  // Set aside, and taken only as it is touched: generous, so that many more SAs than planned for have room.
  const std::uint32_t aside = std::max(2 * needs.memory_mib, kLeastAsideMib);
  std::vector<std::string> arguments = {"causeway", main_lcore(), "--no-telemetry", "--log-level=error",
                                        "--file-prefix=" + needs.file_prefix};
  if (state.hugepages) {
    arguments.emplace_back("--in-memory");
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(aside)});
  }
  if (needs.pci.empty()) {
    arguments.emplace_back("--no-pci");
  } else {
    for (const std::string& device : needs.pci) arguments.insert(arguments.end(), {"-a", device});
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0) {
    if (!state.hugepages) state.socket = ordinary_heap(std::size_t{aside} << 20);
    return state;
  }
  const int error = rte_errno;
  std::string cure;
  if (error == EACCES || error == EPERM) cure = " (run as root)";
  if (error == ENOMEM) cure = " (" + std::to_string(needs.memory_mib) + " MiB are needed)";
  return tl::unexpected(StartError{std::string("DPDK does not start: ") + rte_strerror(error) + cure});
}

int numa_node(int core) {
  if (core < 0) return -1;
  std::error_code error;
  const std::filesystem::path cpu = "/sys/devices/system/cpu/cpu" + std::to_string(core);
  for (auto it = std::filesystem::directory_iterator(cpu, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("node") && name.size() > 4 && std::isdigit(static_cast<unsigned char>(name[4])) != 0)
      return std::stoi(name.substr(4));
  }
  return -1;
}

}  // namespace causeway::dataplane
