// A graph of facts from an N-Triples file, whose nodes are found by name. A node's names are its IRI, the
// last part of it, and its rdfs:labels; a literal's is its text; a blank node has none. Names compare without
// case, and without regard to `_`, spaces and camelCase: `capitalOf` is `capital of`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "job_path.h"
#include "ntriples.h"

namespace knowledge {

inline constexpr std::string_view kLabel = "http://www.w3.org/2000/01/rdf-schema#label";
inline constexpr size_t kMaxMentionBytes = 200;  // longer names are not looked for in a text

struct Fact {
  size_t subject, relation, object;  // nodes
};

// ASCII alone changes, so that no character is cut.
inline std::string fold(std::string_view name) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  std::string folded;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool is_space = c == ' ' || c == '_' || (c >= '\t' && c <= '\r');
    const bool begins_word = is_space || (i > 0 && is_upper(c) && is_lower(name[i - 1]));
    if (begins_word && !folded.empty() && folded.back() != ' ') folded += ' ';
    if (!is_space) folded += is_upper(c) ? static_cast<char>(c | 0x20) : c;
  }
  if (!folded.empty() && folded.back() == ' ') folded.pop_back();
  return folded;
}

class Graph {
 public:
  using Nodes = std::vector<size_t>;

  // `path` is within the working folder, which is the job's.
  explicit Graph(const std::string& path) {
    if (!is_inside_job(path)) throw std::invalid_argument("\"graph\" must be a file inside the job folder");
    std::vector<std::pair<size_t, std::string>> labels;
    ntriples::read(path, [&](ntriples::Triple&& triple) {
      const bool is_label = triple.predicate.text == kLabel;
      const size_t subject = node(triple.subject);
      if (is_label)
        labels.emplace_back(subject, triple.object.text);
      else
        add({subject, node(triple.predicate), node(triple.object)});
    });
    if (facts_.empty()) throw std::invalid_argument(path + ": there is no triple in it");
    for (auto& [subject, label] : labels) labels_[subject].push_back(std::move(label));
    index();
  }

  // The nodes of that name, in ascending order; none: empty.
  const Nodes& entities(std::string_view name) const { return found(entities_, name); }
  const Nodes& relations(std::string_view name) const { return found(relations_, name); }

  bool holds(const Nodes& subjects, const Nodes& relations, const Nodes& objects) const {
    const auto among = [](const Nodes& nodes, size_t node) {
      return std::binary_search(nodes.begin(), nodes.end(), node);
    };
    for (const size_t subject : subjects)
      for (const size_t i : facts_of_[subject]) {
        const Fact& fact = facts_[i];
        if (fact.subject == subject && among(relations, fact.relation) && among(objects, fact.object))
          return true;
      }
    return false;
  }

  // The entities that a text names as whole words, in its order; of names that overlap the longest.
  Nodes mentioned(std::string_view text) const {
    const std::string folded = fold(text);
    Nodes nodes;
    for (size_t begin = 0; begin < folded.size();) {
      const size_t end = is_boundary(folded, begin) ? end_of_name(folded, begin) : begin;
      if (end == begin) {
        ++begin;
        continue;
      }
      for (const size_t node : entities_.at(folded.substr(begin, end - begin)))
        if (!is_literal(node)) nodes.push_back(node);
      begin = end;
    }
    return nodes;
  }

  // At most `count` facts, those nearest to `start` first: breadth first along facts in both directions, each
  // node's in the order of the file. A literal is the end of its way: two things of one age are not related.
  std::vector<Fact> nearest(const Nodes& start, size_t count) const {
    std::vector<Fact> nearest;
    std::set<size_t> seen_nodes(start.begin(), start.end()), seen_facts;
    std::queue<size_t> ahead;
    for (const size_t node : start) ahead.push(node);
    for (; !ahead.empty(); ahead.pop())
      for (const size_t i : facts_of_[ahead.front()]) {
        if (nearest.size() == count) return nearest;
        if (!seen_facts.insert(i).second) continue;
        nearest.push_back(facts_[i]);
        for (const size_t node : {facts_[i].subject, facts_[i].object})
          if (!is_literal(node) && seen_nodes.insert(node).second) ahead.push(node);
      }
    return nearest;
  }

  // "subject | relation | object", by the nodes' first labels or the last parts of their IRIs.
  std::string text_of(const Fact& fact) const {
    return shown_[fact.subject] + " | " + shown_[fact.relation] + " | " + shown_[fact.object];
  }

 private:
  using Names = std::unordered_map<std::string, Nodes>;

  static const Nodes& found(const Names& names, std::string_view name) {
    static const Nodes kNone;
    const auto at = names.find(fold(name));
    return at == names.end() ? kNone : at->second;
  }

  size_t node(const ntriples::Term& term) {
    const auto [at, is_new] = ids_.emplace(term, terms_.size());
    if (!is_new) return at->second;
    terms_.push_back(&at->first);  // a map's keys stay where they are
    labels_.emplace_back();
    facts_of_.emplace_back();
    return at->second;
  }

  void add(const Fact& fact) {
    facts_of_[fact.subject].push_back(facts_.size());
    if (fact.object != fact.subject) facts_of_[fact.object].push_back(facts_.size());
    facts_.push_back(fact);
  }

  bool is_literal(size_t node) const { return terms_[node]->kind == ntriples::Term::Kind::literal; }

  static std::string last_part(const std::string& iri) {
    const size_t end = iri.find_last_not_of("/#");
    if (end == std::string::npos) return iri;
    const size_t slash = iri.find_last_of("/#:", end);
    return iri.substr(slash + 1, end - slash);
  }

  void index() {
    std::set<size_t> entities, relations;
    for (const Fact& fact : facts_) {
      entities.insert({fact.subject, fact.object});
      relations.insert(fact.relation);
    }
    for (size_t node = 0; node < terms_.size(); ++node) {
      const ntriples::Term& term = *terms_[node];
      std::set<std::string> names;
      for (const auto& label : labels_[node]) names.insert(fold(label));
      if (term.kind != ntriples::Term::Kind::blank) names.insert(fold(term.text));
      std::string shown = term.text;
      if (term.kind == ntriples::Term::Kind::iri) {
        shown = last_part(term.text);
        names.insert(fold(shown));
        std::replace(shown.begin(), shown.end(), '_', ' ');
      }
      shown_.push_back(labels_[node].empty() ? shown : labels_[node].front());
      names.erase("");
      for (const auto& name : names) {
        if (entities.count(node) > 0) entities_[name].push_back(node);
        if (relations.count(node) > 0) relations_[name].push_back(node);
      }
    }
  }

  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
  }
  static bool is_boundary(std::string_view text, size_t at) {
    return at == 0 || at == text.size() || !is_word(text[at - 1]) || !is_word(text[at]);
  }
  size_t end_of_name(const std::string& text, size_t begin) const {
    for (size_t end = std::min(text.size(), begin + kMaxMentionBytes); end > begin; --end)
      if (is_boundary(text, end) && entities_.count(text.substr(begin, end - begin)) > 0) return end;
    return begin;
  }

  std::map<ntriples::Term, size_t> ids_;
  std::vector<const ntriples::Term*> terms_;      // of each node
  std::vector<std::vector<std::string>> labels_;  // of each node, in the order of the file
  std::vector<std::vector<size_t>> facts_of_;     // of each node, in the order of the file
  std::vector<std::string> shown_;                // of each node, for people
  std::vector<Fact> facts_;
  Names entities_, relations_;
};

}  // namespace knowledge
