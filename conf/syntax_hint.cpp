#include "conf/syntax_hint.h"

#include <vector>

namespace causeway::conf {
namespace {

// Walks the text as libconfig's scanner would, over strings and comments.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::optional<SyntaxHint> run() {
    while (at_ < text_.size() && !hint_) step();
    if (!hint_ && !open_.empty())
      say(open_.back().line, std::string("the \"") + open_.back().bracket + "\" here is never closed");
    return hint_;
  }

 private:
  struct Open {
    char bracket;
    int line;
  };

  void say(int line, std::string reason) { hint_ = {line, std::move(reason)}; }
  [[nodiscard]] bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void step() {
    const char c = text_[at_];
    if (c == '\n') {
      ++line_;
    } else if (c == '#' || looking_at("//")) {
      skip_to("\n");
      return;
    } else if (looking_at("/*")) {
      skip_to("*/");
    } else if (c == '"') {
      string();
    } else if (c == '(' || c == '[' || c == '{') {
      open_.push_back({c, line_});
    } else if (c == ')' || c == ']' || c == '}') {
      close(c);
    }
    ++at_;
  }

  void skip_to(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    const std::size_t stop = found == std::string_view::npos ? text_.size() : found;
    for (; at_ < stop; ++at_) line_ += text_[at_] == '\n' ? 1 : 0;
  }

  // A text of ours never spans lines: one that does has lost its closing quote.
  void string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
      if (at_ >= text_.size() || text_[at_] == '\n') break;
    }
    if (at_ >= text_.size() || text_[at_] != '"') say(line_, "a text in this line has no closing quote");
  }

  void close(char c) {
    if (open_.empty()) return say(line_, std::string("the \"") + c + "\" here closes nothing");
    const Open opened = open_.back();
    open_.pop_back();
    const char partner = opened.bracket == '(' ? ')' : opened.bracket == '[' ? ']' : '}';
    if (c == partner) return;
    say(line_, std::string("\"") + c + "\" stands where the \"" + opened.bracket + "\" of line " +
                   std::to_string(opened.line) + " needs its \"" + partner + "\"");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Open> open_;
  std::optional<SyntaxHint> hint_;
};

}  // namespace

std::optional<SyntaxHint> syntax_hint(std::string_view text) { return Scanner(text).run(); }

}  // namespace causeway::conf
