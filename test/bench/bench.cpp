// causeway-bench - what a packet costs on this machine, and what of it is ours: the real worker against the bare
// library, in one process, batch by batch. See PERFORMANCE.md.
#include <rte_cycles.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <fstream>
#include <iostream>

#include "crypto/esp_engine.h"
#include "test/bench/report.h"
#include "test/bench/rig.h"

namespace causeway::bench {

namespace {

using dataplane::Direction;

struct Options {
  std::string direction = "both";
  std::vector<std::string> suites = {"aes128gcm16"};
  std::vector<std::string> sizes = {"64", "128", "256", "512", "1024", "1420", "imix"};
  std::vector<std::uint32_t> sas = {1};
  std::vector<std::uint16_t> bursts = {32};
  std::vector<std::string> encaps = {"native"};
  unsigned cores = 1;
  bool all = false, profile = false, json = false, latency = false, spread = false, lend = false;
  double seconds = 1.5;
  std::string plot;
};

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown CPU";
}

std::uint32_t parse_size(const std::string& text) {
  if (text == "imix") return kImix;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 28 || value > 1420)
    throw CLI::ValidationError("--size", "'" + text + "' is neither 28 to 1420 nor imix");
  return value;
}

std::vector<Case> cases_of(const Options& o) {
  std::vector<Case> out;
  std::vector<Direction> directions;
  if (o.direction != "inbound") directions.push_back(Direction::outbound);
  if (o.direction != "outbound") directions.push_back(Direction::inbound);
  for (const std::string& suite : o.suites) {
    const auto parsed = crypto::EspSuite::parse(suite);
    if (!parsed || parsed->esn)
      throw CLI::ValidationError("--suite", "'" + suite + "' is no ESP suite such as aes128gcm16 or aes128-sha256");
    for (const Direction direction : directions)
      for (const std::uint32_t sas : o.sas)
        for (const std::uint16_t burst : o.bursts)
          for (const std::string& encap : o.encaps)
            for (const std::string& size : o.sizes)
              out.push_back({direction, *parsed, parse_size(size), sas, burst, encap == "udp", o.cores, o.spread});
  }
  return out;
}

// Several values separated by commas, or the option several times.
template <typename T>
CLI::Option* list(CLI::App& app, const std::string& name, std::vector<T>& values, const std::string& text) {
  return app.add_option(name, values, text)->delimiter(',')->capture_default_str();
}

void add_options(CLI::App& app, Options& o) {
  app.add_option("--direction", o.direction, "outbound (encrypt), inbound (decrypt) or both")
      ->check(CLI::IsMember({"outbound", "inbound", "both"}))
      ->capture_default_str();
  list(app, "--suite", o.suites, "ESP suites, as in the configuration");
  list(app, "--size", o.sizes, "octets of the inner IP packet, 28 to 1420, or imix (7 x 64, 4 x 570, 1 x 1420)");
  list(app, "--sas", o.sas, "SAs, visited at random")->check(CLI::Range(1, 16384));
  list(app, "--burst", o.bursts, "packets that a poll finds")->check(CLI::Range(1, 64));
  list(app, "--encap", o.encaps, "native, udp")->check(CLI::IsMember({"native", "udp"}));
  app.add_option("--cores", o.cores, "workers, one core each")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_flag("--spread", o.spread, "one tunnel over all cores, instead of tunnels on each");
  app.add_flag("--lend", o.lend, "one tunnel inbound, its decryption lent to all of --cores, beside one core, instead");
  app.add_flag("--all", o.all, "the main suites, all bursts, 1, 100 and 10000 SAs, both encapsulations (long)");
  app.add_flag("--latency", o.latency, "how long a lone packet takes through an idle gateway, instead");
  app.add_flag("--profile", o.profile, "cycles by stage");
  app.add_option("--seconds", o.seconds, "at most for each measurement")->check(CLI::Range(0.05, 600.0));
  app.add_flag("--json", o.json, "JSON on standard output");
  app.add_option("--plot", o.plot, "an SVG picture into this file");
}

void widen(Options& o, const CLI::App& app) {
  if (!o.all) return;
  if (app.count("--suite") == 0)
    o.suites = {"aes128gcm16", "aes256gcm16", "chacha20poly1305", "aes128-sha1", "aes128-sha256", "aes256-sha256"};
  if (app.count("--burst") == 0) o.bursts = {1, 4, 32, 64};
  if (app.count("--sas") == 0) o.sas = {1, 100, 10000};
  if (app.count("--encap") == 0) o.encaps = {"native", "udp"};
}

// On a terminal a line that is written over, elsewhere a line for each tenth.
class Progress {
 public:
  explicit Progress(std::size_t all) : all_(all), terminal_(::isatty(2) != 0) {}
  void at(std::size_t done, const std::string& what) {
    if (terminal_) {
      std::cerr << "\r[" << done << "/" << all_ << "] " << what << std::string(20, ' ') << std::flush;
      if (done == all_) std::cerr << "\r" << std::string(76, ' ') << "\r";
    } else if (done == all_ || done * 10 / all_ != told_) {
      told_ = done * 10 / all_;
      std::cerr << "causeway-bench: " << done << " of " << all_ << " measured\n";
    }
  }

 private:
  std::size_t all_, told_ = 0;
  bool terminal_;
};

// One core and several take turns, so that what slows the machine for longer slows both; the best turn of each counts.
Lending lend(Case what, const RigOptions& several) {
  constexpr int kTurns = 3;
  what.direction = Direction::inbound;
  RigOptions one = several;
  one.cores.resize(1);
  Case alone = what;
  alone.cores = 1;
  Lending out;
  const auto raw = [](Case c, const RigOptions& on) {
    c.sas = std::max(c.sas, 4 * c.cores);  // each core has some
    c.spread = false;
    return Rig(c, on).measure().raw_cycles;
  };
  for (int turn = 0; turn < kTurns; ++turn) {
    alone.flow = what.flow = what.lend = true;
    alone.lend = false;
    const Flow a = Rig(alone, one).flow(), b = Rig(what, several).flow();
    if (a.mpps > out.one.mpps) out.one = a;
    if (b.mpps > out.lent.mpps) out.lent = b;
    alone.flow = what.flow = what.lend = false;
    const double raw_one = raw(alone, one), raw_each = raw(what, several);
    out.raw_one = turn == 0 ? raw_one : std::min(out.raw_one, raw_one);
    out.raw_each = turn == 0 ? raw_each : std::min(out.raw_each, raw_each);
  }
  return out;
}

Report run(const Options& o) {
  const std::vector<Case> cases = cases_of(o);
  std::vector<int> cores = usable_cores();
  if (o.lend && o.cores < 2) throw std::runtime_error("--lend wants --cores 2 or more");
  if (o.cores > cores.size())
    throw std::runtime_error("--cores " + std::to_string(o.cores) + ": this process may use " +
                             std::to_string(cores.size()));
  cores.resize(o.cores);
  Report report;
  report.cpu = cpu_model();
  report.profile = o.profile;
  Progress progress(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    progress.at(i, cases[i].suite.name());
    if (o.lend) {
      if (cases[i].direction == Direction::inbound)
        report.lendings.push_back(lend(cases[i], {.cores = cores, .profile = false, .seconds = o.seconds}));
      continue;
    }
    Rig rig(cases[i], {.cores = cores, .profile = o.profile, .seconds = o.seconds});
    if (o.latency)
      report.latencies.push_back(rig.latency(static_cast<std::size_t>(o.seconds * 20'000)));
    else
      report.results.push_back(rig.measure());
    if (i == 0 && !rig.note().empty()) report.notes.push_back(rig.note());
  }
  progress.at(cases.size(), "done");
  report.tsc_mhz = static_cast<double>(rte_get_tsc_hz()) / 1e6;
  return report;
}

int main(int argc, char** argv) {
  CLI::App app{"What a packet costs on this machine beyond what the crypto library itself costs. Both are measured in "
               "one process, batch by batch in turns. Figures are TSC cycles per packet."};
  Options options;
  add_options(app, options);
  try {
    app.parse(argc, argv);
    widen(options, app);
    cases_of(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    const Report report = run(options);
    if (options.json)
      write_json(report, std::cout);
    else
      write_table(report, std::cout);
    if (options.plot.empty()) return 0;
    std::ofstream file(options.plot);
    write_svg(report, file);
    file.close();
    if (file) return 0;
    std::cerr << "causeway-bench: " << options.plot << " cannot be written\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "causeway-bench: " << error.what() << '\n';
    return 3;
  }
}

}  // namespace

}  // namespace causeway::bench

int main(int argc, char** argv) { return causeway::bench::main(argc, argv); }
