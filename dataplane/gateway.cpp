#include "dataplane/gateway.h"

#include <rte_errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/eal.h"
#include "dataplane/nd.h"

namespace causeway::dataplane {
namespace {

void free_packet(const Command& command) {
  if (const auto* transmit = std::get_if<TransmitFrame>(&command)) rte_pktmbuf_free(transmit->frame);
  if (const auto* own = std::get_if<SendOwn>(&command)) rte_pktmbuf_free(own->packet);
  if (const auto* into = std::get_if<SendInto>(&command)) rte_pktmbuf_free(into->packet);
}

bool is_pci(const std::string& device) { return !device.starts_with("net_") && device.find(':') != std::string::npos; }

}  // namespace

tl::expected<std::unique_ptr<Dataplane>, StartError> Dataplane::start(const Setup& setup) {
  auto gateway = std::make_unique<Gateway>(setup);
  if (auto up = gateway->bring_up(); !up) return tl::unexpected(std::move(up.error()));
  return gateway;
}

std::string_view Dataplane::drop_text(std::string_view name) {
  const auto it = std::find_if(kDrops.begin(), kDrops.end(), [&](const DropInfo& d) { return d.name == name; });
  return it == kDrops.end() ? std::string_view{} : it->text;
}

tl::expected<void, StartError> Gateway::bring_up() {
  EalNeeds needs{.hugepages_mib = setup_.hugepages_mib,
                 .memory_mib = memory_mib(setup_),
                 .file_prefix = setup_.file_prefix,
                 .pci = {}};
  for (const PortSetup& port : setup_.ports) {
    if (is_pci(port.device)) needs.pci.push_back(port.device);
  }
  auto eal = start_eal(needs);
  if (!eal) return tl::unexpected(eal.error());
  note_ = eal->note;
  cores_ = setup_.cores.empty() ? std::vector<int>{-1} : setup_.cores;
  for (const int core : cores_) nodes_.push_back(numa_node(core));
  memory_socket_ = eal->socket;
  sockets_ = eal->socket == SOCKET_ID_ANY ? nodes_ : std::vector<int>(nodes_.size(), eal->socket);

  if (auto opened = open_devices(); !opened) return opened;
  if (auto made = make_pools(); !made) return made;
  for (auto& device : devices_) {
    if (auto started = device->start(pool_.get()); !started) return started;
  }
  link_up_.assign(ports_.size(), true);
  return start_workers();
}

// Ports that name the same device are VLANs of it. A port with an IPv6 address has a link-local one too.
tl::expected<void, StartError> Gateway::open_devices() {
  for (std::uint16_t i = 0; i < setup_.ports.size(); ++i) {
    PortSetup& port = setup_.ports[i];
    Port* device = nullptr;
    for (std::uint16_t other = 0; other < i; ++other) {
      if (setup_.ports[other].device != port.device) continue;
      if (setup_.ports[other].vlan == port.vlan)
        return tl::unexpected(StartError{"port " + port.name + ": port " + setup_.ports[other].name +
                                         " uses this device already, and with the same VLAN"});
      device = ports_[other];
    }
    if (device == nullptr) {
      auto opened = Port::open(port, static_cast<std::uint16_t>(devices_.size()));
      if (!opened) return tl::unexpected(opened.error());
      (*opened)->plan_queues(static_cast<std::uint16_t>(cores_.size()));
      devices_.push_back(std::move(*opened));
      device = devices_.back().get();
    }
    ports_.push_back(device);
    const auto is_v6 = [](const conf::Prefix& p) { return p.address.family == conf::Family::v6; };
    device->serve(port, std::any_of(port.addresses.begin(), port.addresses.end(), is_v6));
    if (std::any_of(port.addresses.begin(), port.addresses.end(), is_v6))
      port.addresses.push_back({link_local(device->mac()), 128});
  }
  return {};
}

// What one worker is given: its queues, and of everything else what all share.
WorkerSetup Gateway::worker_setup(std::uint16_t w) {
  WorkerSetup setup{.index = w,
                    .core = cores_[w],
                    .polling = setup_.polling,
                    .ports = {},
                    .rx_queues = {},
                    .socket = memory_socket_,
                    .pool = pool_.get(),
                    .jumbo_pool = jumbo_pool_.get(),
                    .plan = &*plan_,
                    .codec = &*codec_,
                    .buckets = &*buckets_,
                    .mailboxes = {},
                    .flow_secrets = {},
                    .stages = w < setup_.stage_clocks.size() ? setup_.stage_clocks[w] : nullptr};
  random_.fill({reinterpret_cast<std::uint8_t*>(setup.flow_secrets.data()), sizeof setup.flow_secrets});
  for (const auto& mail : mailboxes_) setup.mailboxes.push_back(mail.get());
  for (std::uint16_t p = 0; p < ports_.size(); ++p) {
    const Port& device = *ports_[p];
    setup.ports.push_back({.id = device.id(),
                           .mac = device.mac(),
                           .vlan = setup_.ports[p].vlan,
                           .mtu = setup_.ports[p].mtu,
                           .trusted = setup_.ports[p].trusted,
                           .tx_queue = device.tx_queue_of(w),
                           .tx_owner = device.tx_owner_for(w),
                           .chains = device.sends_chains(),
                           .state = &device.state()});
  }
  for (const auto& device : devices_) {
    WorkerSetup::RxQueue queue{.device = device->id(), .queue = 0, .vlans = {}, .state = &device->state()};
    for (std::uint16_t p = 0; p < ports_.size(); ++p) {
      if (ports_[p] == device.get()) queue.vlans.emplace_back(setup_.ports[p].vlan, p);
    }
    for (queue.queue = 0; queue.queue < device->rx_queues(); ++queue.queue) {
      if (device->owner_of_queue(queue.queue) == w) setup.rx_queues.push_back(queue);
    }
  }
  return setup;
}

tl::expected<void, StartError> Gateway::start_workers() {
  const auto count = static_cast<std::uint16_t>(cores_.size());
  shared_.wake_up.fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (shared_.wake_up.fd < 0) return tl::unexpected(StartError{"no file descriptor for the workers' wake-up"});
  for (auto& device : devices_) device->wake_by(shared_.wake_up.fd);
  if (auto opened = open_hosts(); !opened) return opened;
  rcu_.reset(static_cast<rte_rcu_qsbr*>(rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(count), RTE_CACHE_LINE_SIZE)));
  if (!rcu_ || rte_rcu_qsbr_init(rcu_.get(), count) != 0)
    return tl::unexpected(StartError{"no memory for the table's readers"});
  shared_.rcu = rcu_.get();
  random_.fill({reinterpret_cast<std::uint8_t*>(&shared_.probe_id), sizeof shared_.probe_id});

  plan_ = crypto::EspPlan::calibrate();
  for (const Setup::CryptoPin& pin : setup_.crypto) {
    if (auto pinned = plan_->pin(pin.suite, pin.level, pin.api); !pinned)
      return tl::unexpected(StartError{"crypto: " + pinned.error(), false});
  }
  engine_.emplace(*plan_);
  std::array<std::uint8_t, SpiCodec::kKeyOctets> key{};
  random_.fill(key);
  codec_.emplace(key);
  buckets_.emplace(count);
  spis_.emplace(*codec_);
  swap_tables(
      {.routes = nullptr, .policies = nullptr, .neighbors = std::make_shared<NeighborTable>(), .rules = nullptr});
  if (auto published = publish(setup_.table); !published) return tl::unexpected(StartError{published.error(), false});

  for (std::uint16_t w = 0; w < count; ++w) mailboxes_.push_back(std::make_unique<Mailbox>(count));
  backlog_.resize(count);
  under_way_.resize(count);
  for (std::uint16_t w = 0; w < count; ++w) workers_.push_back(std::make_unique<Worker>(worker_setup(w), shared_));
  for (auto& worker : workers_) threads_.emplace_back([&worker = *worker] { worker.run(); });
  return {};
}

Gateway::~Gateway() {
  stop_workers();
  for (auto& device : devices_) device->stop();
  drain_rings();
  NeighborCache::Effects gone;
  for (std::uint16_t p = 0; p < ports_.size(); ++p) neighbors_.forget_port(p, gone);
  workers_.clear();
  ports_.clear();
  devices_.clear();
  for (const int fd : {events_, shared_.wake_up.fd}) {
    if (fd >= 0) ::close(fd);
  }
}

void Gateway::stop_workers() {
  shared_.stop.store(true);
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

// After the workers have stopped: whatever is under way has an end here.
void Gateway::drain_rings() {
  for (std::size_t w = 0; w < mailboxes_.size(); ++w) {
    Mailbox& mail = *mailboxes_[w];
    for (const Command& command : backlog_[w]) free_packet(command);
    for (Command command; mail.commands.pop(command);) free_packet(command);
    for (auto& ring : mail.punts) {
      for (Punt punt; ring.pop(punt);) rte_pktmbuf_free(punt.packet);
    }
    for (auto& ring : mail.from) {
      for (HandOver item; ring->pop(item);) rte_pktmbuf_free(item.packet);
    }
  }
}

std::uint16_t Gateway::owner_of(TunnelId tunnel) const {
  return static_cast<std::uint16_t>(buckets_->worker(SpiAllocator::bucket(tunnel)));
}

std::uint16_t Gateway::worker_of(TunnelId tunnel, std::uint16_t resource) const {
  return static_cast<std::uint16_t>((owner_of(tunnel) + resource) % workers_.size());
}

// A name keeps its counter from table to table.
tl::expected<std::vector<std::uint16_t>, std::string> Gateway::slots_of(std::span<const RuleSpec> rules) {
  std::vector<std::uint16_t> slots;
  for (const RuleSpec& rule : rules) {
    const auto it = rule_slots_.try_emplace(rule.name, static_cast<std::uint16_t>(rule_slots_.size())).first;
    if (it->second >= kMaxRules)
      return tl::unexpected("rules: there are more than " + std::to_string(kMaxRules) + " names");
    slots.push_back(it->second);
  }
  return slots;
}

// All or nothing: where something is refused the tables stay as they are.
tl::expected<void, std::string> Gateway::publish(const TableSpec& table) {
  std::shared_ptr<const RuleTable> rules;
  if (!table.rules.empty()) {
    const auto slots = slots_of(table.rules);
    if (!slots) return tl::unexpected(slots.error());
    auto made = RuleTable::make(table.rules, *slots);
    if (!made) return tl::unexpected(made.error());
    rules = std::move(*made);
  }
  std::shared_ptr<const TranslationTable> translations;
  std::vector<PolicySpec> specs = table.policies;
  if (!table.translations.empty()) {
    translations = std::make_shared<const TranslationTable>(table.translations);
    for (PolicySpec& spec : specs) {
      if (spec.action == PolicySpec::Action::protect)
        spec.selectors.local = translations->real_selectors(spec.tunnel, spec.selectors.local);
    }
  }
  auto routes = std::make_shared<const RouteTable>(setup_.ports, table.routes);
  auto policies = std::make_shared<const PolicyTable>(specs, routes->networks(), setup_.ports,
                                                      [this](TunnelId tunnel) { return owner_of(tunnel); });
  swap_tables({.routes = std::move(routes),
               .policies = std::move(policies),
               .neighbors = tables_->neighbors,
               .rules = std::move(rules),
               .translations = std::move(translations)});
  rules_ = table.rules;
  tell_host_routes(specs);
  return {};
}

void Gateway::swap_tables(Tables tables) {
  tables.generation = ++generation_;
  const bool same = tables_ && tables_->routes == tables.routes && tables_->policies == tables.policies &&
                    tables_->rules == tables.rules && tables_->translations == tables.translations;
  tables.decisions = same ? tables_->decisions : tables.generation;
  auto next = std::make_unique<const Tables>(std::move(tables));
  shared_.tables.store(next.get(), std::memory_order_release);
  if (tables_) old_tables_.push_back({rte_rcu_qsbr_start(rcu_.get()), std::move(tables_)});
  tables_ = std::move(next);
}

std::map<std::string, std::uint64_t> Gateway::drops() const {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t i = 0; i < kDropCount; ++i) {
    std::uint64_t sum = counters_.drops[i].get();
    for (const auto& mail : mailboxes_) sum += mail->counters.drops[i].get();
    out.emplace(kDrops[i].name, sum);
  }
  return out;
}

std::map<std::string, std::uint64_t> Gateway::treated() const {
  struct Kind {
    const char* name;
    Counter Counters::*counter;
  };
  static constexpr Kind kKinds[] = {
      {"fragmented", &Counters::fragmented},     {"outer_fragmented", &Counters::outer_fragmented},
      {"reassembled", &Counters::reassembled},   {"mss_clamped", &Counters::mss_clamped},
      {"linearised", &Counters::linearised},     {"keepalives", &Counters::keepalives},
      {"echo_replies", &Counters::echo_replies}, {"icmp_errors", &Counters::icmp_errors},
      {"icmp_limited", &Counters::icmp_limited}, {"to_host", &Counters::to_host},
      {"from_host", &Counters::from_host},       {"host_refused", &Counters::host_refused}};
  std::map<std::string, std::uint64_t> out;
  for (const Kind& kind : kKinds) {
    std::uint64_t sum = (counters_.*kind.counter).get();
    for (const auto& mail : mailboxes_) sum += (mail->counters.*kind.counter).get();
    out.emplace(kind.name, sum);
  }
  return out;
}

std::vector<PortStatus> Gateway::ports() const {
  std::vector<PortStatus> out;
  for (std::size_t p = 0; p < ports_.size(); ++p) {
    out.push_back(ports_[p]->status());
    const PortSetup& setup = setup_.ports[p];
    out.back().name = setup.name;
    out.back().trusted = setup.trusted;
    out.back().mtu = setup.mtu;
    if (!note_.empty()) out.back().fallbacks.push_back(note_);
    for (std::size_t w = 0; w < cores_.size() && ports_[p]->socket() >= 0; ++w) {
      if (nodes_[w] < 0 || nodes_[w] == ports_[p]->socket()) continue;
      out.back().fallbacks.push_back("NUMA: the device is on node " + std::to_string(ports_[p]->socket()) +
                                     ", the worker on core " + std::to_string(cores_[w]) + " on node " +
                                     std::to_string(nodes_[w]) + "; its packets cross between them");
    }
    if (!hosts_.empty() && hosts_[p]) out.back().host = hosts_[p]->tap.name();
  }
  return out;
}

std::vector<WorkerStatus> Gateway::workers() const {
  std::vector<WorkerStatus> out;
  for (std::size_t w = 0; w < mailboxes_.size(); ++w) {
    const Counters& c = mailboxes_[w]->counters;
    out.push_back({.core = static_cast<unsigned>(std::max(cores_[w], 0)),
                   .rx = c.rx.get(),
                   .tx = c.tx.get(),
                   .handed_over = c.handed_over.get(),
                   .polls = c.polls.get(),
                   .idle_polls = c.idle_polls.get(),
                   .lent = c.lent.get(),
                   .taken_back = c.taken_back.get(),
                   .helped = c.helped.get(),
                   .sas_inbound = static_cast<std::uint32_t>(c.sas_inbound.get()),
                   .sas_outbound = static_cast<std::uint32_t>(c.sas_outbound.get())});
  }
  return out;
}

std::vector<NeighborStatus> Gateway::neighbors() const {
  auto out = neighbors_.status(now_ms_);
  for (NeighborStatus& n : out) n.port = setup_.ports[std::stoul(n.port)].name;
  return out;
}

std::vector<RuleStatus> Gateway::rules() const {
  std::vector<RuleStatus> out;
  for (const RuleSpec& rule : rules_) {
    std::uint64_t packets = 0;
    for (const auto& mail : mailboxes_) packets += mail->rules[rule_slots_.at(rule.name)].get();
    out.push_back({.name = rule.name, .permit = rule.permit, .packets = packets});
  }
  return out;
}

std::vector<PoolStatus> Gateway::pools() const {
  std::vector<PoolStatus> out;
  for (const auto* pool : {pool_.get(), jumbo_pool_.get()})
    out.push_back({.name = pool->name, .size = pool->size, .in_use = rte_mempool_in_use_count(pool)});
  out.push_back({.name = "spi-slots", .size = kSpiSlots, .in_use = spis_->in_use()});
  out.push_back({.name = "sas", .size = kSpiSlots, .in_use = static_cast<std::uint32_t>(sas_.size())});
  return out;
}

}  // namespace causeway::dataplane
