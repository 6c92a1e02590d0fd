// Prometheus metrics over HTTP (`metrics = "127.0.0.1:9190"`, path /metrics), by prometheus-cpp.
//
// Its server has threads of its own, and the gateway belongs to the control thread: a scrape leaves a question,
// wakes the control thread and waits for the answer. Nothing is computed while nobody asks.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "control/admin_backend.h"

namespace causeway::control {

class MetricsServer {
 public:
  // `address`: "127.0.0.1:9190" or "[::1]:9190". The backend outlives it. Made where the control thread is on its
  // core already: the threads inherit it.
  static tl::expected<std::unique_ptr<MetricsServer>, std::string> open(const std::string& address,
                                                                        const AdminBackend& backend);
  ~MetricsServer();  // whoever still waits gets no metrics
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  [[nodiscard]] int fd() const;  // an eventfd: readable where somebody asks
  void poll();                   // on the control thread: answers who asked

 private:
  class Desk;
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::control
