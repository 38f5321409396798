// Each way in which a folder can fail to become a job: it lies untouched under rejected/, with a REASON.txt
// that names the file, the line and the mend.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <map>

#include "base/sha256.h"
#include "integration/daemon_home.h"
#include "integration/small_job.h"
#include "plugins/isolation.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

struct Flaw {
  const char* name;
  std::function<void(const fs::path& folder)> make;
  std::vector<std::string> reason;  // parts of it
};

void PrintTo(const Flaw& flaw, std::ostream* out) { *out << flaw.name; }

void replace_in(const fs::path& file, const std::string& old, const std::string& text) {
  std::string all = read_file(file);
  ASSERT_NE(all.find(old), std::string::npos) << old;
  write_text(file, all.replace(all.find(old), old.size(), text));
}

std::function<void(const fs::path&)> in_toml(const std::string& old, const std::string& text) {
  return [=](const fs::path& folder) { replace_in(folder / "job.toml", old, text); };
}

std::function<void(const fs::path&)> with_data(const std::string& file, const std::string& text) {
  return [=](const fs::path& folder) { write_text(folder / file, text); };
}

std::function<void(const fs::path&)> with_link(const std::string& file, const fs::path& target) {
  return [=](const fs::path& folder) {
    fs::remove(folder / file);
    fs::create_symlink(target, folder / file);
  };
}

// A [scorer] plugin = "multi" with one sub-scorer.
std::string multi_of(const std::string& name, const std::string& plugin, const std::string& formula) {
  return "plugin = \"multi\"\noptions = { graders = { " + name + " = { plugin = \"" + plugin +
         "\" } }, calculate_output = \"" + formula + "\" }";
}

const std::string kRow = "{\"input\": \"abc\", \"output\": \"vowel\"}\n";

// Everything in a folder, without opening what is no file.
std::map<std::string, std::string> picture(const fs::path& folder) {
  std::map<std::string, std::string> entries;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::file_status status = entry.symlink_status();
    std::string content = std::to_string(static_cast<int>(status.type()));
    if (fs::is_symlink(status)) content += fs::read_symlink(entry.path()).string();
    if (fs::is_regular_file(status)) content += read_file(entry.path());
    entries[entry.path().lexically_relative(folder).string()] = content;
  }
  return entries;
}

class Rejected : public ::testing::TestWithParam<Flaw> {};

TEST_P(Rejected, FolderLiesUntouchedWithTheReason) {
  DaemonHome home;
  home.start();
  const fs::path folder = write_small_job(home.staging("words"));
  GetParam().make(folder);
  const auto before = picture(folder);

  const int64_t id = home.drop(folder);
  const Answer waited = home.rftctl({"wait", std::to_string(id), "--timeout", "60"});
  EXPECT_EQ(waited.exit_code, cli::kRejected) << waited.json.dump();
  EXPECT_EQ(waited.json["state"], "rejected");

  const fs::path rejected = home.root() / "rejected/words";
  ASSERT_TRUE(fs::exists(rejected / "REASON.txt"));
  const std::string reason = read_file(rejected / "REASON.txt");
  for (const std::string& part : GetParam().reason) EXPECT_THAT(reason, HasSubstr(part));
  EXPECT_THAT(reason, Not(HasSubstr("/jobs/"))) << "names the folder by a place that is not its own";
  EXPECT_EQ(home.rftctl({"why", std::to_string(id)}).json["reason"].get<std::string>() + "\n", reason);

  fs::remove(rejected / "REASON.txt");
  EXPECT_EQ(picture(rejected), before);
  EXPECT_TRUE(fs::is_empty(home.root() / "jobs"));
  EXPECT_TRUE(fs::is_empty(home.incoming("")));
}

const Flaw kFlaws[] = {
    {"NoJobToml",
     [](const fs::path& folder) { fs::remove(folder / "job.toml"); },
     {"no job.toml", "add one"}},
    {"TomlSyntax", in_toml("path = \"tiny\"", "path = \"tiny"), {"job.toml:2: not valid TOML"}},
    {"UnknownKey",
     in_toml("learning_rate = 1e-3\nepochs", "learning_rat = 1e-3\nepochs"),
     {"job.toml:17: unknown key [training] learning_rat", "did you mean learning_rate?"}},
    {"WrongType",
     in_toml("epochs = 2\nbatch", "epochs = \"two\"\nbatch"),
     {"job.toml:13:", "epochs", "integer"}},
    {"OutOfRange",
     in_toml("max_new_tokens = 6", "max_new_tokens = 0"),
     {"job.toml:22:", "max_new_tokens", "give integer in [1, "}},
    {"MissingDataFile",
     [](const fs::path& folder) { fs::remove(folder / "valid.jsonl"); },
     {"job.toml:6: [data] validation = \"valid.jsonl\"", "not in the job folder"}},
    {"MalformedLine",
     with_data("train.jsonl", kRow + "{\"input\": \"abc\"\n" + kRow),
     {"train.jsonl:2: not valid JSON: parse error at column 16"}},
    {"LineThatIsNoObject", with_data("train.jsonl", kRow + "[1]\n"), {"train.jsonl:2:", "each line is one"}},
    {"RecordWithoutInput",
     with_data("train.jsonl", kRow + kRow + "{\"output\": \"x\"}\n"),
     {"train.jsonl:3:", "\"input\"; add it"}},
    {"MoreCoresThanThereAre",
     in_toml("cores = 1", "cores = 100000"),
     {"job.toml:", "lower cores and ranks in [resources]"}},
    {"EmptySplit", with_data("valid.jsonl", "\n\n"), {"valid.jsonl: no record"}},
    {"WarmUpWithoutOutput",
     with_data("warmup.jsonl", kRow + "{\"input\": \"abc\"}\n"),
     {"warmup.jsonl", "record 2", "output"}},
    {"UnknownScorer",
     in_toml("plugin = \"scorer.py\"", "plugin = \"exact_mach\""),
     {"job.toml:9: [scorer] plugin = \"exact_mach\"", "exact_match"}},
    {"UnknownSubScorer",
     in_toml("plugin = \"scorer.py\"\noptions = {}", multi_of("a", "exact_mach", "a")),
     {"job.toml:10: [scorer] options.graders.a.plugin = \"exact_mach\"", "exact_match"}},
    {"UnknownNameInTheFormula",
     in_toml("plugin = \"scorer.py\"\noptions = {}", multi_of("word", "exact_match", "2 * wrd")),
     {"job.toml:10: [scorer] options: calculate_output = \"2 * wrd\": column 5: \"wrd\" is unknown", "word"}},
    {"UnusedSubScorer",
     in_toml("plugin = \"scorer.py\"\noptions = {}", multi_of("a", "exact_match", "1")),
     {"does not use a"}},
    {"GraderThatIsTooLarge",
     [](const fs::path& folder) {
       write_text(folder / "grader.json", std::string((1 << 20) + 1, ' '));
       replace_in(folder / "job.toml", "plugin = \"scorer.py\"\noptions = {}", "grader = \"grader.json\"");
     },
     {"grader.json: larger than 1 MiB"}},
    {"UnknownAdapter",
     in_toml("[scorer]", "adapter = \"parquet\"\n[scorer]"),
     {"job.toml:8: [data] adapter = \"parquet\"", "jsonl"}},
    {"AdapterAsScorer",
     in_toml("plugin = \"scorer.py\"", "plugin = \"jsonl\""),
     {"dataset-adapter", "scorer is wanted"}},
    {"ScorerOfAnotherAbi",
     [](const fs::path& folder) {
       fs::copy(fs::path(RFT_HOSTILE_DIR) / "newer_major.so", folder / "scorer.so");
       replace_in(folder / "job.toml", "scorer.py", "scorer.so");
     },
     {"job.toml:9:", "\"scorer.so\": scorer.so: ", "ABI 2", "build it again"}},
    {"NetworkThatIsNotGranted",
     in_toml("plugin = \"scorer.py\"", "plugin = \"scorer.py\"\nnetwork = true"),
     {"job.toml:10: [scorer] network: it asks for the network", "[plugins] network = [\""}},
    {"SecretThatIsNotGranted",
     in_toml("plugin = \"scorer.py\"", "plugin = \"http\"\nsecrets = [\"openai\"]"),
     {"job.toml:10: [scorer] secrets: it asks for the secret \"openai\"",
      "[plugins] secrets = { openai = [\"http\"] }"}},
    {"NetworkThatIsNotGrantedToASubScorer",
     in_toml("plugin = \"scorer.py\"\noptions = {}", multi_of("a", "scorer.py", "a") + "\nnetwork = true"),
     {"[scorer] network: sub-scorer a: it asks for the network"}},
    {"NetworkThatIsNotGrantedToTheSubScorerThatAsks",
     in_toml("plugin = \"scorer.py\"\noptions = {}",
             "plugin = \"multi\"\noptions = { graders = { a = { plugin = \"http\", network = true }, "
             "b = { plugin = \"scorer.py\" } }, calculate_output = \"a + b\" }"),
     {"options.graders.a.plugin = \"http\": it asks for the network", "[plugins] network = [\"http\"]"}},
    {"MissingModel",
     in_toml("path = \"tiny\"", "path = \"tinny\""),
     {"job.toml:2: [model] path = \"tinny\"", "which holds tiny"}},
    {"UnsupportedModel",
     [](const fs::path& folder) {
       fs::copy(RFT_TINY_MODEL_DIR, folder / "own");
       replace_in(folder / "own/config.json", "LlamaForCausalLM", "FalconMambaForCausalLM");
       replace_in(folder / "job.toml", "path = \"tiny\"", "path = \"own\"");
     },
     {"job.toml:2: [model] path = \"own\"", "FalconMambaForCausalLM"}},
    {"ModelWithoutWeights",
     [](const fs::path& folder) {
       fs::copy(RFT_TINY_MODEL_DIR, folder / "own");
       fs::remove(folder / "own/model.safetensors");
       replace_in(folder / "job.toml", "path = \"tiny\"", "path = \"own\"");
     },
     {"job.toml:2: [model] path", "safetensors"}},
    {"UnknownLoraTarget",
     in_toml("path = \"tiny\"", "path = \"tiny\"\nlora = { rank = 4, targets = [\"q_prj\"] }"),
     {"job.toml:3: [model.lora] targets: \"q_prj\" names no linear", "k_proj", "did you mean \"q_proj\"?"}},
    {"LoraDropout",
     in_toml("path = \"tiny\"", "path = \"tiny\"\nlora = { rank = 4, dropout = 0.1 }"),
     {"job.toml:3: [model.lora] dropout is refused", "Leave the key out"}},
    {"AdapterThatIsAModel",
     in_toml("path = \"tiny\"", "path = \"tiny\"\nadapter = \"tiny\""),
     {"job.toml:3: [model] adapter = \"tiny\": ", "a PEFT adapter is needed"}},
    {"DataOutsideTheFolder",
     in_toml("train = \"train.jsonl\"", "train = \"../train.jsonl\""),
     {"../train.jsonl", "leads out of the job folder"}},
    {"DataAtAnAbsolutePath",
     in_toml("train = \"train.jsonl\"", "train = \"/etc/passwd\""),
     {"/etc/passwd", "absolute path"}},
    {"ModelOutsideTheFolder", in_toml("path = \"tiny\"", "path = \"../tiny\""), {"../tiny", "leads out"}},
    {"ScorerOutsideTheFolder",
     in_toml("plugin = \"scorer.py\"", "plugin = \"../scorer.py\""),
     {"../scorer.py", "job folder"}},
    {"SymbolicLink",
     with_link("train.jsonl", "/etc/passwd"),
     {"train.jsonl is a symbolic link", "put the file itself"}},
    {"Fifo",
     [](const fs::path& folder) { ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0); },
     {"pipe is a FIFO"}},
};

INSTANTIATE_TEST_SUITE_P(For, Rejected, ::testing::ValuesIn(kFlaws),
                         [](const auto& info) { return std::string(info.param.name); });

// As on a machine whose kernel lets nobody make namespaces: bubblewrap is there and fails.
void start_without_isolation(DaemonHome& home) {
  const std::string bubblewrap = "/usr/bin/bwrap";
  home.set_wrapper(
      {bubblewrap, "--dev-bind", "/", "/", "--ro-bind", "/bin/false", bubblewrap, "--die-with-parent", "--"});
  home.start();
}

TEST(MachineWithoutIsolation, RefusesAScorerThatIsNotTrusted) {
  if (!plugins::available_isolation().namespaces) GTEST_SKIP() << plugins::available_isolation().missing;
  DaemonHome home;
  start_without_isolation(home);
  const int64_t id = home.drop(write_small_job(home.staging("words")));
  EXPECT_EQ(home.rftctl({"wait", std::to_string(id)}).exit_code, cli::kRejected);
  const fs::path rejected = home.root() / "rejected/words";
  const std::string reason = read_file(rejected / "REASON.txt");
  EXPECT_THAT(reason,
              HasSubstr("job.toml:9: [scorer] plugin = \"scorer.py\": this machine cannot keep it apart"));
  EXPECT_THAT(reason, HasSubstr("[plugins] trusted = [\"" + sha256_file(rejected / "scorer.py") + "\"]"));

  const int64_t shipped = home.drop(write_small_job(home.staging("shipped"), {.scorer = "exact_match"}));
  EXPECT_EQ(home.wait(shipped)["state"], "succeeded");
}

TEST(MachineWithoutIsolation, RunsATrustedScorer) {
  if (!plugins::available_isolation().namespaces) GTEST_SKIP() << plugins::available_isolation().missing;
  DaemonHome home("[plugins]\ntrusted = [\"*\"]\n");
  start_without_isolation(home);
  EXPECT_EQ(home.wait(home.drop(write_small_job(home.staging("words"))))["state"], "succeeded");
}

TEST(Rejected, FileThatIsNoFolderIsRejectedAsWell) {
  DaemonHome home;
  home.start();
  write_text(home.incoming("train.jsonl"), kRow);
  const int64_t id = home.job_of_folder("train.jsonl");
  EXPECT_EQ(home.rftctl({"wait", std::to_string(id)}).exit_code, cli::kRejected);
  EXPECT_THAT(read_file(home.root() / "rejected/train.jsonl/REASON.txt"), HasSubstr("is not a folder"));
  EXPECT_EQ(read_file(home.root() / "rejected/train.jsonl/train.jsonl"), kRow);
}

TEST(Rejected, FolderOfTheSameNameGetsAPlaceOfItsOwn) {
  DaemonHome home;
  home.start();
  for (const char* text : {"0", "1"}) {
    write_text(home.staging("words") / "notes.txt", text);
    EXPECT_EQ(home.rftctl({"submit", home.staging("words").string()}).exit_code, cli::kRejected);
  }
  EXPECT_EQ(read_file(home.root() / "rejected/words/notes.txt"), "0");
  EXPECT_EQ(read_file(home.root() / "rejected/words.2/notes.txt"), "1");
}

}  // namespace
}  // namespace rft::integration
