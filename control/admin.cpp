#include "control/admin.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "control/admin_commands.h"
#include "control/admin_socket.h"

namespace causeway::control {
namespace {

using Milliseconds = std::chrono::milliseconds;
using ClientId = std::uint64_t;
constexpr ClientId kListener = 0;

struct Client {
  OwnedFd fd;
  std::string in, out;
  std::size_t sent = 0;  // octets of `out` that are gone
  Milliseconds active{0};
  bool ended = false;      // it will send no more; what it asked for is still answered
  bool following = false;  // the log
  bool dead = false;       // to be swept
  bool wants_out = false;  // what epoll was told
  struct Pending {
    std::uint64_t number;
    Milliseconds until;
    std::function<std::string()> late;
  };
  std::optional<Pending> pending;  // a command that has not ended: later ones wait
};

}  // namespace

class AdminServer::Impl {
 public:
  Impl(AdminSocket socket, AdminBackend& backend, AdminLimits limits)
      : socket_(std::move(socket)), epoll_(::epoll_create1(EPOLL_CLOEXEC)), backend_(backend), limits_(limits) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kListener}};
    if (!epoll_.valid() || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket_.fd(), &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "admin socket");
    }
  }

  [[nodiscard]] int fd() const { return epoll_.get(); }
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }

  void poll(Milliseconds now) {
    now_ = now;
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kListener) {
        accept_all();
      } else if (const auto found = clients_.find(event.data.u64); found != clients_.end()) {
        serve(found->first, found->second, event.events);
      }
    }
    tell_followers();
    for (auto& [id, client] : clients_) check_time(id, client);
    std::erase_if(clients_, [](const auto& entry) { return entry.second.dead; });
  }

 private:
  // A client's side of one request.
  class Conversation final : public Asker {
   public:
    Conversation(Impl& server, ClientId id, Client& client) : server_(server), id_(id), client_(client) {}
    void line(std::string json) override { server_.say(id_, client_, json); }
    void end(std::string json) override { server_.say(id_, client_, json); }
    void follow_log() override {
      server_.tell_followers();  // the others: this one has just been given all there is
      client_.following = true;
    }
    Done later(Milliseconds limit, std::function<std::string()> late) override {
      const std::uint64_t number = ++server_.last_number_;
      client_.pending = Client::Pending{number, server_.now_ + limit, std::move(late)};
      return [alive = std::weak_ptr<int>(server_.alive_), server = &server_, id = id_, number](const Outcome& outcome) {
        if (!alive.expired()) server->finish(id, number, outcome_answer(outcome));
      };
    }

   private:
    Impl& server_;
    ClientId id_;
    Client& client_;
  };

  void accept_all() {
    while (true) {
      OwnedFd fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd.valid()) return;
      if (clients_.size() >= limits_.clients) {
        const std::string text = error_answer(1, "too many clients on the admin socket") + "\n";
        (void)!::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
        continue;
      }
      const ClientId id = ++last_id_;
      epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = id}};
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) continue;
      Client client;
      client.fd = std::move(fd);
      client.active = now_;
      clients_.emplace(id, std::move(client));
    }
  }

  void serve(ClientId id, Client& client, std::uint32_t events) {
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) receive(id, client);
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) client.dead = true;  // gone for good: nobody reads an answer
    if (!client.dead && (events & EPOLLOUT) != 0) flush(id, client);
  }

  void receive(ClientId id, Client& client) {
    std::array<char, 4096> buffer;
    while (!client.pending && !client.ended && !client.dead) {
      const ssize_t got = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (got < 0) {
        client.dead = true;
        return;
      }
      client.ended = got == 0;
      client.in.append(buffer.data(), static_cast<std::size_t>(got));
      client.active = now_;
      answer_lines(id, client);
    }
    settle(id, client);
  }

  // Every whole line that stands in the buffer, until one has to wait.
  void answer_lines(ClientId id, Client& client) {
    while (!client.pending && !client.dead) {
      const std::size_t end = client.in.find('\n');
      if (std::min(end, client.in.size()) > limits_.request) {
        say(id, client, error_answer(2, "a request is longer than " + std::to_string(limits_.request) + " octets"));
        client.dead = true;
        return;
      }
      if (end == std::string::npos) return;
      const std::string line = client.in.substr(0, end);
      client.in.erase(0, end + 1);
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      Conversation conversation(*this, id, client);
      answer_request(line, backend_, conversation);
    }
  }

  void tell_followers() {
    const std::uint64_t written = backend_.log_written();
    if (written == told_) return;
    const auto follows = [](const auto& entry) { return entry.second.following && !entry.second.dead; };
    if (std::ranges::any_of(clients_, follows)) {
      const auto lines = backend_.log();
      // What has left the backend's memory already is lost to followers too.
      const std::size_t fresh = std::min<std::uint64_t>(written - told_, lines.size());
      for (std::size_t i = lines.size() - fresh; i < lines.size(); ++i) {
        const std::string text = log_answer(lines[i]);
        for (auto& [id, client] : clients_) {
          if (client.following) say(id, client, text);
        }
      }
    }
    told_ = written;
  }

  // Puts epoll's interest right; ends a client that has asked all it will and has its answers.
  void settle(ClientId id, Client& client) {
    if (client.dead) return;
    const bool unsent = client.sent < client.out.size();
    if (client.ended && !client.pending && !client.following && !unsent) {
      client.dead = true;
      return;
    }
    std::uint32_t interest = 0;  // EPOLLHUP comes unasked
    if (!client.ended && !client.pending) interest |= EPOLLIN | EPOLLRDHUP;
    if (unsent) interest |= EPOLLOUT;
    epoll_event event{.events = interest, .data = {.u64 = id}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.fd.get(), &event);
  }

  void say(ClientId id, Client& client, const std::string& line) {
    if (client.dead) return;
    client.out += line;
    client.out += '\n';
    flush(id, client);
    if (client.out.size() - client.sent > limits_.backlog) client.dead = true;  // it does not read
  }

  void flush(ClientId id, Client& client) {
    while (client.sent < client.out.size()) {
      const ssize_t put =
          ::send(client.fd.get(), client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK) client.dead = true;
      if (put < 0) break;
      client.sent += static_cast<std::size_t>(put);
    }
    if (client.sent == client.out.size()) client.out.clear(), client.sent = 0;
    settle(id, client);
  }

  // The end of a command that took its time; the client may be gone, or its patience.
  void finish(ClientId id, std::uint64_t number, const std::string& answer) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    Client& client = found->second;
    if (!client.pending || client.pending->number != number) return;
    client.pending.reset();
    client.active = now_;
    say(id, client, answer);
    answer_lines(id, client);
    settle(id, client);
  }

  void check_time(ClientId id, Client& client) {
    if (client.dead) return;
    if (client.pending && now_ >= client.pending->until) {
      const auto late = std::move(client.pending->late);
      finish(id, client.pending->number, late());
    }
    if (!client.pending && !client.following && now_ - client.active > limits_.idle) client.dead = true;
  }

  AdminSocket socket_;
  OwnedFd epoll_;
  AdminBackend& backend_;
  AdminLimits limits_;
  std::map<ClientId, Client> clients_;
  ClientId last_id_ = kListener;
  std::uint64_t last_number_ = 0;
  Milliseconds now_{0};
  std::uint64_t told_ = 0;                                 // log lines that followers have
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // for ends that come after ours
};

AdminServer::AdminServer(AdminSocket socket, AdminBackend& backend, AdminLimits limits)
    : impl_(std::make_unique<Impl>(std::move(socket), backend, limits)) {}
AdminServer::~AdminServer() = default;

int AdminServer::fd() const { return impl_->fd(); }
void AdminServer::poll(std::chrono::milliseconds now) { impl_->poll(now); }
std::size_t AdminServer::clients() const { return impl_->clients(); }

}  // namespace causeway::control
