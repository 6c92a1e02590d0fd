// The admin socket: a Unix stream socket (mode 0600) on which a request is one line of JSON and an answer
// is one line, or for `log` several. It is what causewayctl speaks, and any script may.
//
//   {"cmd":"status"}                                   {"ok":true,"result":{"tunnels":[...]}}
//   {"cmd":"show","tunnel":"hangzhou"}                 {"ok":true,"result":{"name":"hangzhou",...}}
//   {"cmd":"show-port","port":"wan"}  (port: optional) {"ok":true,"result":{"ports":[...]}}
//   {"cmd":"up","tunnel":"x","timeout":30,"wait":true} {"ok":true,"result":{"text":"established"}}
//   {"cmd":"down","tunnel":"x"}                        {"ok":false,"code":4,"error":"there is no tunnel \"x\""}
//   {"cmd":"rekey","tunnel":"x","ike":true}  (or "child":"net"; neither: every child)
//   {"cmd":"counters"}  {"cmd":"routes"}  {"cmd":"neighbors"}
//   {"cmd":"console","tunnel":"x","lang":"zh"}  (lang: optional)
//   {"cmd":"diagnose","tunnel":"x","lang":"zh"}  (lang: optional)
//   {"cmd":"rehearse","tunnel":"x","sure":false,"timeout":60}
//   {"cmd":"log","follow":false}                       {"ok":true,"line":{...}} for each, then a result
//
// "code" is causewayctl's exit code: 1 refused or failed, 2 a request that is none, 4 no such tunnel.
// Requests of one client are answered in order. Nothing here blocks or throws; a client that does not
// read, sends too much, or is one too many, is dropped.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "control/admin_backend.h"
#include "control/admin_socket.h"

namespace causeway::control {

struct AdminLimits {
  std::size_t clients = 32;
  std::size_t request = 4096;              // octets of one line
  std::size_t backlog = 1 << 20;           // octets of answers that a client has not read
  std::chrono::milliseconds idle{60'000};  // without a request, unless it follows the log or waits
};

class AdminServer {
 public:
  AdminServer(AdminSocket socket, AdminBackend& backend, AdminLimits limits = {});  // the backend outlives it
  ~AdminServer();  // closes every client, removes the socket
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // An epoll descriptor of its own: readable where poll() has something to do.
  [[nodiscard]] int fd() const;
  // Takes requests, writes answers, tells followers what is new in the log, and ends what has waited too
  // long. Also called at each tick: cheap where nothing is to be done. `now`: on any steady clock.
  void poll(std::chrono::milliseconds now);
  [[nodiscard]] std::size_t clients() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::control
