#include "dataplane/host_tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/ethernet.h"
#include "dataplane/fragment.h"
#include "dataplane/packet.h"

namespace causeway::dataplane {
namespace {

constexpr const char* kTun = "/dev/net/tun";
constexpr std::size_t kMostSegments = 16;

}  // namespace

tl::expected<HostTap, std::string> HostTap::open(const std::string& port, const Mac& mac) {
  const std::string name = ("cw-" + port).substr(0, IFNAMSIZ - 1);
  const int fd = ::open(kTun, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return tl::unexpected(std::string(kTun) + ": " + std::strerror(errno) +
                          " (host = true needs the kernel's tun module: modprobe tun)");
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(fd, TUNSETIFF, &request) != 0) {
    const int error = errno;
    ::close(fd);
    return tl::unexpected("the kernel makes no interface " + name + ": " + std::strerror(error) +
                          (error == EBUSY ? " (it is there already: another port whose name begins so, or another "
                                            "causewayd)"
                                          : ""));
  }
  return HostTap(fd, name, mac);
}

HostTap::~HostTap() {
  if (fd_ >= 0) ::close(fd_);
}

HostTap::HostTap(HostTap&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), name_(std::move(other.name_)), mac_(other.mac_) {}

HostTap& HostTap::operator=(HostTap&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(name_, other.name_);
  mac_ = other.mac_;
  return *this;
}

bool HostTap::write(rte_mbuf* packet) {
  std::array<std::uint8_t, kEthernetHeader> ethernet{};
  std::memcpy(ethernet.data(), mac_.data(), mac_.size());
  ethernet[6] = 0x02;  // from somebody on the link: which MAC it was does not matter to an interface without ARP
  put_be16(&ethernet[12], ether_type(packet));
  std::array<iovec, kMostSegments> parts{};
  parts[0] = {ethernet.data(), ethernet.size()};
  std::size_t count = 1, octets = ethernet.size();
  for (rte_mbuf* segment = packet; segment != nullptr; segment = segment->next) {
    if (count == parts.size()) return false;
    parts[count++] = {rte_pktmbuf_mtod(segment, void*), rte_pktmbuf_data_len(segment)};
    octets += rte_pktmbuf_data_len(segment);
  }
  return ::writev(fd_, parts.data(), static_cast<int>(count)) == static_cast<ssize_t>(octets);
}

PacketPtr HostTap::read(rte_mempool* pool, bool& dropped) {
  dropped = false;
  PacketPtr m(rte_pktmbuf_alloc(pool));
  if (!m) return m;  // it stays with the kernel until there is room
  auto* to = rte_pktmbuf_mtod(m.get(), std::uint8_t*);
  const ssize_t octets = ::read(fd_, to, rte_pktmbuf_tailroom(m.get()));
  if (octets <= 0) return nullptr;
  dropped = true;
  if (octets <= kEthernetHeader || rte_pktmbuf_append(m.get(), static_cast<std::uint16_t>(octets)) == nullptr)
    return nullptr;
  const std::uint16_t type = be16(to + 12);
  // Groups (router solicitations, membership reports) are the kernel's talk with a link it is not on.
  if ((to[0] & 1) != 0 || (type != RTE_ETHER_TYPE_IPV4 && type != RTE_ETHER_TYPE_IPV6)) return nullptr;
  if (rte_pktmbuf_adj(m.get(), kEthernetHeader) == nullptr || ether_type(m.get()) != type) return nullptr;
  meta(m.get()) = PacketMeta{};
  dropped = false;
  return m;
}

}  // namespace causeway::dataplane
