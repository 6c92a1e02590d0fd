#include "control/metrics_server.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "control/admin_socket.h"
#include "control/metrics.h"

namespace causeway::control {
namespace {
constexpr std::chrono::seconds kPatience{5};  // of a scrape: half of what Prometheus has by default
constexpr std::size_t kThreads = 2;
}  // namespace

// Where the server's threads ask and the control thread answers.
class MetricsServer::Desk final : public prometheus::Collectable {
 public:
  Desk() : bell_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::unique_lock lock(mutex_);
    const std::uint64_t mine = ++asked_;
    const std::uint64_t one = 1;
    if (write(bell_.get(), &one, sizeof one) != sizeof one) return {};
    if (!answer_.wait_for(lock, kPatience, [&] { return closed_ || answered_ >= mine; }) || closed_) return {};
    return families_;
  }

  void answer(const AdminBackend& backend) {
    std::uint64_t asked = 0;
    {
      const std::lock_guard lock(mutex_);
      if (asked_ == answered_) return;
      asked = asked_;
    }
    auto families = metric_families(backend.tunnels(), backend.counters());
    const std::lock_guard lock(mutex_);
    families_ = std::move(families);
    answered_ = asked;
    answer_.notify_all();
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    answer_.notify_all();
  }

  [[nodiscard]] int fd() const { return bell_.get(); }

 private:
  OwnedFd bell_;
  mutable std::mutex mutex_;
  mutable std::condition_variable answer_;
  mutable std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  bool closed_ = false;
  std::vector<prometheus::MetricFamily> families_;
};

class MetricsServer::Impl {
 public:
  Impl(const std::string& address, const AdminBackend& asked)
      : backend(asked), desk(std::make_shared<Desk>()), exposer(address, kThreads) {
    exposer.RegisterCollectable(desk);
  }

  const AdminBackend& backend;
  std::shared_ptr<Desk> desk;
  prometheus::Exposer exposer;
};

tl::expected<std::unique_ptr<MetricsServer>, std::string> MetricsServer::open(const std::string& address,
                                                                              const AdminBackend& backend) {
  try {
    return std::unique_ptr<MetricsServer>(new MetricsServer(std::make_unique<Impl>(address, backend)));
  } catch (const std::exception& e) {  // CivetException
    return tl::unexpected("metrics: cannot listen on " + address +
                          ": is the address one of this host, and the port free? (" + e.what() + ")");
  }
}

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

MetricsServer::~MetricsServer() { impl_->desk->close(); }  // before the server waits for its threads

int MetricsServer::fd() const { return impl_->desk->fd(); }

void MetricsServer::poll() { impl_->desk->answer(impl_->backend); }

}  // namespace causeway::control
