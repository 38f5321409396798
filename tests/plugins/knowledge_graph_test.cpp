#include "plugins/adapter.h"
#include "plugins/shipped_scorer.h"

namespace rft::plugins {
namespace {

using namespace testing;

const std::string kFacts =
    "# Towns\r\n"
    "<http://x.org/Paris> <http://x.org/capitalOf> <http://x.org/France> .\n"
    "\n"
    "<http://x.org/Lyon> <http://x.org/liesIn> <http://x.org/France>. # no space is needed\n"
    "<http://x.org/Q1> <http://www.w3.org/2000/01/rdf-schema#label> \"New \\u0059ork\"@en .\n"
    "<http://x.org/Q1> <http://x.org/founded> \"1624\"^^<http://www.w3.org/2001/XMLSchema#gYear> .\n"
    "<http://x.org/York> <http://x.org/founded> \"1624\" .\n"
    "_:b1 <http://x.org/near> <http://x.org/Lyon> .\n";

std::vector<ScoreResult> score(const std::vector<std::string>& completions,
                               const Json& more = Json::object()) {
  Json options = {{"graph", "facts.nt"}, {"about", ""}};
  options.update(more);
  std::vector<ScoreRequest> requests;
  for (const auto& completion : completions) requests.push_back(request_of(completion, Json::object()));
  return ShippedScorer("knowledge_graph", options, {{"facts.nt", kFacts}})->score(requests);
}

TEST(KnowledgeGraph, ScoresTheShareOfTheFactsThatHold) {
  const auto results =
      score({"It is so:\n paris | capital of | France\nLyon|lies in|<x>\n", "Paris | capitalOf | Lyon",
             "New York | founded | 1624\nQ1|founded|1624", "Paris is the capital of France."});
  EXPECT_EQ(results[0].score.value(), 0.5);
  EXPECT_EQ(results[0].reason, "unknown entity \"<x>\"");
  EXPECT_EQ(results[0].sub_scores,
            (decltype(results[0].sub_scores){{"entities", 3.0 / 4}, {"relations", 1.0}}));
  EXPECT_EQ(results[1].score.value(), 0);
  EXPECT_EQ(results[1].reason, "unknown fact \"Paris | capitalOf | Lyon\"");
  EXPECT_EQ(results[2].score.value(), 1);
  EXPECT_EQ(results[3].score.value(), 0);
  EXPECT_FALSE(results[3].valid);
  EXPECT_EQ(results[3].reason, "no line \"subject | relation | object\"");
}

TEST(KnowledgeGraph, AFactSaidTwiceCountsOnce) {
  EXPECT_EQ(score({"Paris | capital of | France\nparis | capital_of | FRANCE\nParis | eats | France"})[0]
                .score.value(),
            0.5);
  EXPECT_EQ(score({"Paris; capital of; France"}, {{"separator", ";"}})[0].score.value(), 1);
}

TEST(KnowledgeGraph, CountsFactsAboutWhatWasAsked) {
  ShippedScorer scorer("knowledge_graph", {{"graph", "facts.nt"}, {"about", "input"}},
                       {{"facts.nt", kFacts}});
  const Json asked = {{"input", "Where is Lyon?"}};
  const std::vector<ScoreRequest> requests = {request_of("Lyon | lies in | France", asked),
                                              request_of("Paris | capital of | France", asked)};
  const auto results = scorer->score(requests);
  EXPECT_EQ(results[0].score.value(), 1);
  EXPECT_EQ(results[1].score.value(), 0);
  EXPECT_EQ(results[1].reason, "fact about something else \"Paris | capital of | France\"");

  // As without the option; a record without an input has its prompt.
  ShippedScorer by_default("knowledge_graph", {{"graph", "facts.nt"}}, {{"facts.nt", kFacts}});
  ScoreRequest prompted = request_of("Paris | capital of | France", Json::object());
  EXPECT_EQ(by_default.scores({requests[0], requests[1], prompted}), (std::vector<double>{1, 0, 0}));
  prompted.prompt = "And Paris?";
  EXPECT_EQ(by_default.scores({prompted}), (std::vector<double>{1}));
  expect_plugin_error(PluginFailure::threw, {"no \"input\"", "`about`"},
                      [&] { scorer.scores({request_of("Paris | capital of | France", Json::object())}); });
}

TEST(KnowledgeGraph, NamesTheLineOfABadTriple) {
  const auto expect_refused = [](const std::string& line, const std::string& why) {
    expect_plugin_error(PluginFailure::threw, {why}, [&] {
      ShippedScorer("knowledge_graph", {{"graph", "facts.nt"}}, {{"facts.nt", kFacts + line + "\n"}});
    });
  };
  expect_refused("<a:b> <a:c> <a:d>", "facts.nt:9: the dot is missing");
  expect_refused("<a:b> <a:c> \"d .", "facts.nt:9: a literal that does not end");
  expect_refused("<a:b> <a:c", "facts.nt:9: an IRI that does not end");
  expect_refused("<a:b> <c> <a:d> .", "facts.nt:9: an IRI that is not absolute");
  expect_refused("\"b\" <a:c> <a:d> .", "facts.nt:9: the subject is a literal");
  expect_refused("<a:b> _:c <a:d> .", "facts.nt:9: the predicate is no <IRI>");
  expect_refused("<a:b> <a:c> <a:d> . x", "facts.nt:9: text after the dot");
  expect_refused("<a:b> <a:c> \"\\ud800\" .", "facts.nt:9: an escape that is no character");
  expect_refused("<a:b> <a:c> \"\xc0\xaf\" .", "facts.nt:9: not valid UTF-8");
}

TEST(KnowledgeGraph, RefusesAGraphTooLarge) {
  std::string many;
  for (int i = 0; i <= 500'000; ++i) many += "<a:b><a:c><a:d>.\n";
  expect_plugin_error(PluginFailure::threw, {"facts.nt:500001: more than 500000 triples"}, [&] {
    ShippedScorer("knowledge_graph", {{"graph", "facts.nt"}}, {{"facts.nt", many}});
  });
}

TEST(KnowledgeGraph, NamesABadOption) {
  expect_options_refused("knowledge_graph", Json::object(), {"the option `graph` is needed"});
  expect_options_refused("knowledge_graph", {{"graph", "gone.nt"}}, {"gone.nt: no such file"});
  expect_options_refused("knowledge_graph", {{"graph", "../facts.nt"}}, {"a file inside the job folder"});
  expect_options_refused("knowledge_graph", {{"grahp", "facts.nt"}}, {"unknown option \"grahp\""});
}

// The prompt that the adapter makes of a record.
std::string prompt_of(const Json& record, const Json& more = Json::object()) {
  const TemporaryFolder folder;
  folder.write("facts.nt", kFacts);
  AdapterOptions options =
      options_for(fs::path(RFT_SHIPPED_PLUGINS_DIR) / "knowledge_graph_context.so", folder);
  options.options = {{"graph", "facts.nt"}};
  options.options.update(more);
  convert_dataset(options, folder.write("in.jsonl", dump_json(record)), folder.path() / "out.jsonl");
  return parse_json(read_file(folder.path() / "out.jsonl"), "the output")["prompt"];
}

TEST(KnowledgeGraphContext, PutsTheNearestFactsFirst) {
  EXPECT_EQ(prompt_of({{"input", "Where is Paris?"}}),
            "Paris | capitalOf | France\nLyon | liesIn | France\n_:b1 | near | Lyon\n\nWhere is Paris?\n");
  EXPECT_EQ(prompt_of({{"input", "Where is Lyon?"}}, {{"facts", 1}}),
            "Lyon | liesIn | France\n\nWhere is Lyon?\n");
}

TEST(KnowledgeGraphContext, TakesWholeWordsAndTheLongestName) {
  EXPECT_EQ(prompt_of({{"input", "Is new york old?"}}), "New York | founded | 1624\n\nIs new york old?\n")
      << "neither York, nor by way of the year";
  EXPECT_EQ(prompt_of({{"input", "Parisian yorkers"}}), "Parisian yorkers\n");
}

TEST(KnowledgeGraphContext, MakesThePromptAsItsOptionsSay) {
  EXPECT_EQ(prompt_of({{"q", "York?"}}, {{"input", "q"}, {"prompt", "Q: {q}"}}),
            "York | founded | 1624\n\nQ: York?");
  try {
    prompt_of({{"q", "York?"}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("in.jsonl:1: the record has no \"input\""), std::string::npos)
        << error.what();
  }
  expect_plugin_error(PluginFailure::threw, {"\"facts\" must be a whole number"}, [] {
    prompt_of({{"input", "a"}}, {{"facts", 0}});
  });
}

}  // namespace
}  // namespace rft::plugins
