// A kernel interface that a port reads (af_packet, af_xdp) belongs to one Causeway at a time. The kernel
// would let two packet sockets have it: both would answer ARP and both decrypt. A locked file says whose
// it is; the kernel lets go of it when the process ends, however it ends.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace causeway::dataplane {

class InterfaceLock {
 public:
  InterfaceLock() = default;  // holds nothing
  // The error is a sentence. Names are those of this process's network namespace.
  static tl::expected<InterfaceLock, std::string> take(const std::string& interface);
  ~InterfaceLock();
  InterfaceLock(InterfaceLock&& other) noexcept;
  InterfaceLock& operator=(InterfaceLock&& other) noexcept;

 private:
  explicit InterfaceLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace causeway::dataplane
