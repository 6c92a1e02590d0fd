#include "conf/cloud.h"

#include <algorithm>

#include "conf/cloud_texts.h"
#include "conf/group.h"
#include "conf/load_tree.h"

namespace causeway::conf {
namespace {

std::vector<std::string> texts_of(Group& group, std::string_view name) {
  std::vector<std::string> out;
  group.read_texts(name, out, parse_any_text);
  return out;
}

void read_phase(Group& limits, std::string_view name, CloudPhase& phase) {
  auto group = limits.group(name);
  if (!group) return;
  phase.encryption = texts_of(*group, "encryption");
  phase.integrity = texts_of(*group, "integrity");
  phase.groups = texts_of(*group, "groups");
  phase.unconfirmed = texts_of(*group, "unconfirmed");
  std::vector<Seconds> lifetime;
  group->read_texts("lifetime", lifetime, parse_duration);
  if (lifetime.size() == 2) {
    phase.shortest = lifetime[0];
    phase.longest = lifetime[1];
  }
  std::optional<std::uint64_t> least;
  group->read_size("least_bytes", least, 1);
  phase.least_bytes = least.value_or(0);
  group->finish();
}

void read_limits(Group& group, Cloud& cloud) {
  group.read_numbers("versions", cloud.versions, 1, 2);
  group.read_choice(
      "one_of_each", cloud.one_of_each,
      {{"no", Cloud::OneOfEach::no}, {"should", Cloud::OneOfEach::should}, {"must", Cloud::OneOfEach::must}});
  group.read_text("one_of_each_text", cloud.one_of_each_text, parse_any_text);
  read_phase(group, "ike", cloud.ike);
  read_phase(group, "esp", cloud.esp);
  group.read_number("pairs", cloud.pairs, 1, 100000);
  group.read_number("pairs_v1", cloud.pairs_v1, 1, 100000);
  group.read_number("local_subnets", cloud.local_subnets, 1, 100000);
  group.read_number("remote_subnets", cloud.remote_subnets, 1, 100000);
  group.read_number("mtu", cloud.mtu, 576, 9216);
  group.read_text("rekey_interrupts_v1", cloud.rekey_interrupts_v1, parse_any_text);
  group.read_texts("forbidden_local", cloud.forbidden_local, parse_network);
  if (auto psk = group.group("psk")) {
    psk->read_number("shortest", cloud.psk.shortest, 1, 4096);
    psk->read_number("longest", cloud.psk.longest, 1, 4096);
    psk->read_text("characters", cloud.psk.characters, parse_any_text);
    psk->read_text("not_first", cloud.psk.not_first, parse_any_text);
    psk->read_number("classes", cloud.psk.classes, 1, 4);
    psk->finish();
  }
  if (auto inside = group.group("inside")) {
    inside->read_number("length", cloud.inside.length, 1, 32);
    inside->read_texts("reserved", cloud.inside.reserved, parse_network);
    inside->finish();
  }
  group.finish();
}

CloudPoint read_point(Group& group) {
  CloudPoint point;
  group.read_text("when", point.when, parse_any_text);
  group.read_text("key", point.key, parse_any_text);
  group.read("refuse", point.refuse);
  group.read_text("text", point.text, parse_any_text);
  group.finish();
  if (std::ranges::find(cloud_conditions(), point.when) == cloud_conditions().end())
    group.report().error(group.key("when"), in_quotes(point.when) + " is no condition");
  return point;
}

void read_console(Group& root, Cloud& cloud) {
  for (Group& group : root.groups("console")) {
    CloudField field;
    group.read_text("parameter", field.parameter, parse_any_text);
    group.read_text("label", field.label, parse_any_text);
    group.read_text("label_zh", field.label_zh, parse_any_text);
    group.finish();
    cloud.console.push_back(std::move(field));
  }
  for (Group& group : root.groups("choices")) {
    CloudChoice choice;
    group.read_text("parameter", choice.parameter, parse_any_text);
    group.read_text("value", choice.value, parse_any_text);
    group.read_text("value_zh", choice.value_zh, parse_any_text);
    group.finish();
    if (choice.value_zh.empty()) choice.value_zh = choice.value;
    cloud.choices.push_back(std::move(choice));
  }
  for (Group& group : root.groups("hints")) {
    CloudHint hint;
    group.read_text("text", hint.text, parse_any_text);
    group.read_text("text_zh", hint.text_zh, parse_any_text);
    group.finish();
    cloud.hints.push_back(std::move(hint));
  }
}

void take_node(Group& root, std::string_view name, Node& out) {
  if (const Node* node = root.take(name)) out = *node;
}

Cloud read_cloud(const CloudText& source, Report& report) {
  Cloud cloud;
  cloud.file = report.file = "clouds/" + std::string(source.name) + ".conf";
  Node tree;
  if (!parse_tree(std::string(source.text), report, tree)) return cloud;
  Group root(tree, "", report);
  root.read_text("name", cloud.name, parse_name);
  cloud.aliases = texts_of(root, "aliases");
  root.read_text("title", cloud.title, parse_any_text);
  root.read_text("title_zh", cloud.title_zh, parse_any_text);
  take_node(root, "tunnel", cloud.tunnel);
  take_node(root, "tunnel_v1", cloud.tunnel_v1);
  if (auto limits = root.group("limits")) read_limits(*limits, cloud);
  for (Group& group : root.groups("points")) cloud.points.push_back(read_point(group));
  read_console(root, cloud);
  root.finish();
  if (cloud.name != source.name) report.error("name", "is not the file's");
  return cloud;
}

const CloudText* text_of(std::string_view name) {
  const auto texts = cloud_texts();
  const auto found = std::ranges::find(texts, name, &CloudText::name);
  return found == texts.end() ? nullptr : &*found;
}

// One alias there is; where more come, they are here and in their files (a test compares).
std::string_view own_name(std::string_view text) { return text == "alibaba" ? "aliyun" : text; }

Node* child_of(Node& node, std::string_view name) {
  const auto found = std::ranges::find(node.children, name, &Node::name);
  return found == node.children.end() ? nullptr : &*found;
}

// What `upper` lacks comes from `lower`; groups are merged, all else is taken whole.
void put_under(Node& upper, const Node& lower) {
  for (const Node& value : lower.children) {
    Node* own = child_of(upper, value.name);
    if (own == nullptr) {
      upper.children.push_back(value);
    } else if (own->kind == Node::Kind::group && value.kind == Node::Kind::group) {
      put_under(*own, value);
    }
  }
}

bool says_version_1(Node& tunnel) {
  Node* ike = child_of(tunnel, "ike");
  if (ike == nullptr || ike->kind != Node::Kind::group) return false;
  const Node* version = child_of(*ike, "version");
  return version != nullptr && version->kind == Node::Kind::integer && version->integer == 1;
}

}  // namespace

const CloudChoice* Cloud::choice(std::string_view parameter) const {
  const auto found = std::ranges::find(choices, parameter, &CloudChoice::parameter);
  return found == choices.end() ? nullptr : &*found;
}

CloudBook::CloudBook() = default;
CloudBook::~CloudBook() = default;

const Cloud* CloudBook::find(std::string_view name) {
  name = own_name(name);
  if (const auto found = read_.find(name); found != read_.end()) return found->second.get();
  const CloudText* text = text_of(name);
  if (text == nullptr) return nullptr;
  Report report;
  return read_.emplace(std::string(name), std::make_unique<Cloud>(read_cloud(*text, report))).first->second.get();
}

std::vector<std::string_view> CloudBook::names() {
  std::vector<std::string_view> names;
  for (const CloudText& text : cloud_texts()) names.push_back(text.name);
  return names;
}

std::vector<std::string> CloudBook::problems(std::string_view name) {
  Report report;
  std::vector<std::string> problems;
  const CloudText* text = text_of(name);
  if (text == nullptr) return {"there is no profile " + in_quotes(name)};
  (void)read_cloud(*text, report);
  for (const Complaint& c : report.errors) problems.push_back(c.str());
  return problems;
}

Parsed<std::string> parse_cloud(std::string_view text) {
  if (text_of(own_name(text)) != nullptr) return std::string(own_name(text));
  const auto names = CloudBook::names();
  std::string known;
  for (const std::string_view name : names) known += (known.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  std::string reason = in_quotes(text) + " is no cloud known here; there are " + known;
  if (const std::string_view meant = nearest(text, names); !meant.empty())
    reason += "; did you mean " + in_quotes(meant) + "?";
  return tl::unexpected(std::move(reason));
}

void apply_clouds(Node& root, CloudBook& book) {
  Node* tunnels = child_of(root, "tunnels");
  if (tunnels == nullptr || tunnels->kind != Node::Kind::list) return;
  for (Node& tunnel : tunnels->children) {
    if (tunnel.kind != Node::Kind::group) continue;
    const Node* name = child_of(tunnel, "cloud");
    if (name == nullptr || name->kind != Node::Kind::text) continue;
    const Cloud* cloud = book.find(name->text);
    if (cloud == nullptr) continue;
    if (says_version_1(tunnel)) put_under(tunnel, cloud->tunnel_v1);
    put_under(tunnel, cloud->tunnel);
  }
}

}  // namespace causeway::conf
