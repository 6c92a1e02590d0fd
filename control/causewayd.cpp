// The daemon: reads the configuration, starts the data path, and runs the control thread until told to end.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "conf/describe.h"
#include "conf/loader.h"
#include "control/admin.h"
#include "control/controller.h"
#include "control/log.h"
#include "control/main_loop.h"
#include "control/metrics_server.h"
#include "control/process.h"
#include "control/settings.h"
#include "crypto/random.h"
#include "dataplane/dataplane.h"
#include "dataplane/pool_plan.h"

namespace causeway::control {
namespace {

// Exit codes (README, "Commands").
constexpr int kDone = 0, kConfig = 1, kUsage = 2, kResources = 3;
constexpr ike::Time kFarewell{2000};  // how long the peers may take to answer our DELETEs

struct Options {
  std::string config;
  std::string log_level;
  bool check = false;
};

int complain(int code, const std::string& text) {
  std::fprintf(stderr, "causewayd: %s\n", text.c_str());
  return code;
}

int complain(const std::vector<std::string>& errors) {
  for (const std::string& e : errors) std::fprintf(stderr, "%s\n", e.c_str());
  return kConfig;
}

int parse(int argc, char** argv, Options& options) {
  CLI::App app{"Causeway, a site-to-site IPsec gateway in userspace", "causewayd"};
  app.add_option("--config", options.config, "configuration file");
  app.add_flag("--check", options.check, "say what the configuration would do, or every error in it, and end");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error; overrides `log`")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  try {
    app.parse(argc, argv);
    if (options.config.empty()) throw CLI::RequiredError("--config");  // after unknown options, which say more
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kDone : kUsage;
  }
  return -1;
}

std::chrono::sys_seconds system_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Runs the tunnels until a signal; on its way out, tells the peers.
int serve(const conf::Config& config, Prepared prepared, AdminSocket socket, Log& log) {
  MainLoop loop;
  const int signals = shutdown_signal_fd();
  if (signals < 0) return complain(kResources, "no descriptor for signals");
  auto started = dataplane::Dataplane::start(prepared.setup);
  if (!started) return complain(started.error().resources ? kResources : kConfig, started.error().text);
  const auto dataplane = std::move(*started);

  crypto::SystemRandom random;
  Controller controller(config, std::move(prepared.peers), *dataplane, real_engine(), random, log);
  AdminServer admin(std::move(socket), controller);

  std::unique_ptr<MetricsServer> metrics;
  if (!config.metrics.empty()) {
    auto opened = MetricsServer::open(config.metrics, controller);
    if (!opened) return complain(kResources, opened.error());
    metrics = std::move(*opened);
    loop.watch(metrics->fd());
  }

  bool ending = false;
  ike::Time give_up{0};
  loop.watch(signals, [&] {
    take_signal(signals);
    if (ending) return;
    ending = true;
    give_up = loop.now() + kFarewell;
    log.info("told to end: the tunnels are closed");
    controller.shut_down(loop.now());
  });
  loop.watch(dataplane->event_fd());
  loop.watch(controller.resolver_fd(), [] {});  // read by step()
  loop.watch(admin.fd(), [] {});                // served by poll(), each step
  log.info("ready: " + std::to_string(config.ports.size()) + " ports, " + std::to_string(config.tunnels.size()) +
           " tunnels, " + std::to_string(dataplane->workers().size()) + " workers");
  controller.watch_times([&loop] { return loop.times(); });
  controller.begin(loop.now());
  loop.run([&](ike::Time now) {
    controller.step(now);
    admin.poll(now);
    if (metrics) metrics->poll();
    return !ending || (!controller.finished() && now < give_up);
  });
  close(signals);
  log.info("ended");
  return kDone;
}

int main(int argc, char** argv) {
  Options options;
  if (const int code = parse(argc, argv, options); code >= 0) return code;
  harden_process();

  conf::Loaded loaded = conf::load(options.config, {.check_proposal = check_proposal});
  if (!loaded.ok()) {
    std::vector<std::string> errors;
    for (const conf::Complaint& c : loaded.report.errors) errors.push_back(c.str());
    return complain(errors);
  }
  if (options.check) {
    const auto prepared = prepare(loaded.config, system_time());
    if (!prepared) return complain(prepared.error());
    if (const std::string no = dataplane::memory_complaint(prepared->setup); !no.empty())
      return complain({loaded.config.file + ": " + no});
    std::fputs((conf::describe(loaded) + dataplane::memory_text(prepared->setup) + "\n").c_str(), stdout);
    for (const std::string& n : prepared->notes) std::fprintf(stdout, "%s\n", n.c_str());
    return kDone;
  }

  Level level = Level::info;
  if (!parse_level(options.log_level.empty() ? loaded.config.log : options.log_level, level)) {
    return complain(kConfig, "log: `" + loaded.config.log + "` is none of debug, info, warning, error");
  }
  auto prepared = prepare(loaded.config, system_time());
  if (!prepared) return complain(prepared.error());
  // Before any port is touched: a second daemon must not disturb the first.
  auto socket = AdminSocket::open(loaded.config.socket);
  if (!socket) return complain(kResources, socket.error());

  Log log(level);
  for (const conf::Complaint& note : loaded.report.notes) log.warning(note.str());
  for (const std::string& note : prepared->notes) log.info(note);
  return serve(loaded.config, std::move(*prepared), std::move(*socket), log);
}

}  // namespace
}  // namespace causeway::control

int main(int argc, char** argv) {
  try {
    return causeway::control::main(argc, argv);
  } catch (const std::exception& e) {
    return causeway::control::complain(causeway::control::kResources, e.what());
  }
}
