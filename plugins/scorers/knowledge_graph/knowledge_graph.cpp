// Scores the facts that a completion names by a graph of facts. README.md has the options and the form.
#include "../../common/knowledge_graph.h"

#include <algorithm>
#include <optional>
#include <rft/scorer.hpp>
#include <set>
#include <stdexcept>
#include <string>

#include "../common/options.h"

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// The three names of a line "subject | relation | object"; of any other line nothing.
std::vector<std::string_view> names_of(std::string_view line, std::string_view separator) {
  std::vector<std::string_view> names;
  for (bool more = true; more;) {
    const size_t end = line.find(separator);
    more = end != std::string_view::npos;
    names.push_back(trimmed(line.substr(0, end)));
    if (more) line.remove_prefix(end + separator.size());
    if (names.back().empty() || names.size() > 3) return {};
  }
  return names.size() == 3 ? names : std::vector<std::string_view>{};
}

// Different names, and how many of them the graph knows.
class Known {
 public:
  void add(std::string_view name, bool known, const char* what, std::string& reason) {
    if (!names_.insert(knowledge::fold(name)).second) return;
    num_known_ += known;
    if (!known) reason.append(what).append(" \"").append(name).append("\"; ");
  }
  double share() const { return static_cast<double>(num_known_) / static_cast<double>(names_.size()); }

 private:
  std::set<std::string> names_;
  size_t num_known_ = 0;
};

}  // namespace

class KnowledgeGraph : public rft::Scorer {
 public:
  explicit KnowledgeGraph(std::string_view text) : KnowledgeGraph(rft::Fields(text)) {}

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) score_episode(episode);
  }

 private:
  using Nodes = knowledge::Graph::Nodes;

  explicit KnowledgeGraph(const rft::Fields& fields) : graph_(checked_path(fields)) {
    about_ = fields.text("about");
    separator_ = fields.text("separator").value_or("|");
    if (trimmed(separator_).empty()) throw std::invalid_argument("\"separator\" must not be empty");
  }
  static std::string checked_path(const rft::Fields& fields) {
    fields.allow_only({"graph", "separator", "about"});
    const auto path = fields.text("graph");
    if (!path)
      throw std::invalid_argument("the option `graph` is needed: an N-Triples file of the job folder");
    return *path;
  }

  void score_episode(rft::Episode& episode) const {
    Known entities, relations, facts;  // a fact said twice counts once
    const auto asked = asked_of(episode);
    std::string reason;
    std::string_view rest = episode.completion();
    bool any = false;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const auto names = names_of(rest.substr(0, end), separator_);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (names.empty()) continue;
      any = true;
      check(names, asked, entities, relations, facts, reason);
    }
    episode.set_valid(any);
    episode.set_score(any ? facts.share() : 0);
    if (any) {
      episode.set_sub_score("entities", entities.share());
      episode.set_sub_score("relations", relations.share());
    } else {
      reason = "no line \"subject " + separator_ + " relation " + separator_ + " object\"; ";
    }
    if (!reason.empty()) episode.set_reason(std::string_view(reason).substr(0, reason.size() - 2));
  }

  // The entities that a fact must be about: those that the question names. Nothing: it may be about anything.
  std::optional<Nodes> asked_of(const rft::Episode& episode) const {
    if (about_ && about_->empty()) return std::nullopt;
    const auto text = episode.fields().text(about_.value_or("input"));
    if (!text && about_) options::no_such_key(*about_, "about");
    return graph_.mentioned(text ? std::string_view(*text) : episode.prompt());
  }
  static bool share_one(const Nodes& some, const Nodes& others) {
    return std::find_first_of(some.begin(), some.end(), others.begin(), others.end()) != some.end();
  }

  void check(const std::vector<std::string_view>& names, const std::optional<Nodes>& asked, Known& entities,
             Known& relations, Known& facts, std::string& reason) const {
    const auto& subjects = graph_.entities(names[0]);
    const auto& predicates = graph_.relations(names[1]);
    const auto& objects = graph_.entities(names[2]);
    entities.add(names[0], !subjects.empty(), "unknown entity", reason);
    relations.add(names[1], !predicates.empty(), "unknown relation", reason);
    entities.add(names[2], !objects.empty(), "unknown entity", reason);
    const bool holds = graph_.holds(subjects, predicates, objects);
    const bool fits = !asked || share_one(*asked, subjects) || share_one(*asked, objects);
    std::string fact;
    for (const auto name : names) fact.append(fact.empty() ? "" : " " + separator_ + " ").append(name);
    // A fact with an unknown name has its reason already.
    std::string unheard;
    const bool all_known = !subjects.empty() && !predicates.empty() && !objects.empty();
    facts.add(fact, holds && fits, holds ? "fact about something else" : "unknown fact",
              all_known ? reason : unheard);
  }

  knowledge::Graph graph_;
  std::optional<std::string> about_;  // the record's key of the question
  std::string separator_;
};

RFT_SCORER(KnowledgeGraph, "knowledge_graph", "1.0.0")
