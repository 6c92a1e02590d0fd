// A whole gateway for one case: the real data path with its workers, memory ports, tunnels and SAs, and a meter
// behind each worker.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "test/bench/case.h"
#include "test/bench/meter.h"

namespace causeway::bench {

struct RigOptions {
  std::vector<int> cores;  // one worker each
  bool profile = false;
  double seconds = 1.5;  // a measurement takes at most
  std::size_t pairs = 20000;
};

class Rig {
 public:
  // Throws std::runtime_error with a sentence where the machine does not give what is needed.
  Rig(const Case& what, const RigOptions& options);
  ~Rig();

  Result measure();
  Latency latency(std::size_t samples);
  Flow flow();
  [[nodiscard]] const std::string& note() const { return note_; }

 private:
  void start();
  void install();
  void warm_up();
  void poll();
  void wait(const std::string& what_for, const std::function<bool()>& done);
  [[nodiscard]] std::vector<Frames::Tunnel> tunnels_of(unsigned worker) const;
  void check_nothing_lost() const;
  [[nodiscard]] unsigned owner() const;  // of the first tunnel

  Case what_;
  RigOptions options_;
  std::vector<std::unique_ptr<dataplane::StageClock>> clocks_;
  std::vector<std::unique_ptr<Meter>> meters_;
  std::unique_ptr<dataplane::Dataplane> gateway_;
  std::unique_ptr<MemoryPorts> ports_;
  rte_mempool* pool_ = nullptr;
  Addresses addresses_;
  std::vector<Frames::Tunnel> tunnels_;
  std::size_t installed_ = 0;
  std::string failure_, note_;
  std::map<std::string, std::uint64_t> drops_;
};

std::vector<int> usable_cores();

}  // namespace causeway::bench
