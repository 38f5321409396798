// The program itself, as a shell runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/json.h"
#include "cli/command_table.h"
#include "cli/program.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ProgramResult rftctl(const std::vector<std::string>& arguments) {
  return run_program(std::filesystem::path(RFT_BIN_DIR) / "rftctl", arguments);
}

TEST(Rftctl, EveryCommandHasHelpWithAnExampleAndTheExitCodes) {
  EXPECT_TRUE(std::ranges::is_sorted(command_table(), {}, &Command::name));
  for (const Command& command : command_table()) {
    const ProgramResult help = rftctl({std::string(command.name), "--help"});
    EXPECT_EQ(help.exit_code, kOk) << command.name;
    EXPECT_THAT(help.output, HasSubstr("Example: "));
    EXPECT_THAT(help.output, HasSubstr("rftctl " + std::string(command.name)));
    EXPECT_THAT(help.output,
                HasSubstr("Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 daemon unreachable"));
  }
}

TEST(Rftctl, AMistypedCommandOrOptionIsUsageAndNamesTheNearest) {
  const ProgramResult command = rftctl({"sumbit", "x"});
  EXPECT_EQ(command.exit_code, kUsage);
  EXPECT_THAT(command.errors, HasSubstr("did you mean \"submit\"?"));
  const ProgramResult option = rftctl({"ls", "--jsno"});
  EXPECT_EQ(option.exit_code, kUsage);
  EXPECT_THAT(option.errors, HasSubstr("did you mean \"--json\"?"));
  const ProgramResult part = rftctl({"models", "nw"});
  EXPECT_EQ(part.exit_code, kUsage);
  EXPECT_THAT(part.errors,
              HasSubstr("unknown command \"nw\"; did you mean \"new\"? See: rftctl models --help"));
  EXPECT_THAT(rftctl({"fine-tunes", "list"}).errors, HasSubstr("unknown command \"list\"; there is: create"));
  EXPECT_EQ(rftctl({}).exit_code, kUsage);
  EXPECT_EQ(rftctl({"show"}).exit_code, kUsage);
  EXPECT_EQ(rftctl({"ls", "--state", "runing"}).exit_code, kUsage);
}

TEST(Rftctl, HelpIsAlsoAVerb) {
  EXPECT_EQ(rftctl({"help"}).output, rftctl({"--help"}).output);
  EXPECT_EQ(rftctl({"help", "models", "new"}).output, rftctl({"models", "new", "--help"}).output);
  EXPECT_THAT(rftctl({"help", "wach"}).errors, HasSubstr("did you mean \"watch\"?"));
}

TEST(Rftctl, WithoutADaemonItEndsWithFourAndTheMend) {
  const TempDir home;
  const ProgramResult result = rftctl({"ls", "--home", home.path().string()});
  EXPECT_EQ(result.exit_code, kUnreachable);
  EXPECT_THAT(result.output, IsEmpty());
  EXPECT_THAT(result.errors, HasSubstr("rftd --home " + home.path().string()));
  EXPECT_EQ(rftctl({"--home", home.path().string(), "ls"}).exit_code, kUnreachable)
      << "before the command too";
}

TEST(Rftctl, WithJsonAnErrorIsJsonAloneOnStandardOutput) {
  const TempDir home;
  const ProgramResult unreachable = rftctl({"ls", "--json", "--home", home.path().string()});
  EXPECT_EQ(parse_json(unreachable.output, "output")["error"]["code"], "unavailable");
  const ProgramResult usage = rftctl({"show", "--json"});
  EXPECT_EQ(parse_json(usage.output, "output")["error"]["code"], "invalid_argument");
}

TEST(Rftctl, FineTunesNeedsAModelAndFindsTheOldNamesOfItsFlags) {
  const TempDir home;
  const std::vector<std::string> flags = {
      "fine-tunes",     "create",     "-t",     "t.jsonl",           "-v",
      "v.jsonl",        "--n_epochs", "4",      "--learning-rate",   "5e-5",
      "--reward-model", "scorer.py",  "--home", home.path().string()};
  const ProgramResult none = rftctl(flags);
  EXPECT_EQ(none.exit_code, kUsage);
  EXPECT_THAT(none.errors, HasSubstr("--model"));
  auto with_model = flags;
  with_model.insert(with_model.end(), {"--model", "tiny"});
  EXPECT_EQ(rftctl(with_model).exit_code, kUnreachable);
}

TEST(Program, HandsOnLineAfterLineOfMoreThanItKeeps) {
  size_t count = 0;
  const ProgramResult result = run_program(
      "/bin/sh", {"-c", "for i in $(seq 20); do head -c 1000000 /dev/zero | tr '\\0' x; echo; done"}, "",
      [&](const std::string& line) { count += line.size() == 1'000'000; });
  EXPECT_EQ(count, 20u);
  EXPECT_EQ(result.output, "");
}

TEST(Rftctl, DoctorFindsWhatIsMissingAndExitsWithOne) {
  const TempDir home;
  const ProgramResult result = rftctl({"doctor", "--json", "--home", home.path().string()});
  EXPECT_EQ(result.exit_code, kFailed);
  const Json findings = parse_json(result.output, "output");
  const auto daemon =
      std::ranges::find_if(findings, [](const Json& finding) { return finding["name"] == "daemon"; });
  ASSERT_NE(daemon, findings.end());
  EXPECT_EQ((*daemon)["verdict"], "failed");
  EXPECT_THAT((*daemon)["mend"].get<std::string>(), HasSubstr("rftd --home " + home.path().string()));
}

TEST(Rftctl, DoctorStartsThePrograms) {
  const TempDir folder;
  const auto add_program = [&](const std::string& name, const std::string& script) {
    write_text(folder / name, "#!/bin/sh\n" + script);
    std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
  };
  std::filesystem::copy_file(RFT_BIN_DIR "/rftctl", folder / "rftctl");
  const auto doctor = [&] {
    const auto result =
        run_program(folder / "rftctl", {"doctor", "--json", "--home", folder.path().string()});
    const Json findings = parse_json(result.output, "output");
    return *std::ranges::find_if(findings, [](const Json& finding) { return finding["name"] == "programs"; });
  };

  add_program("rftd", "echo rftd " RFT_VERSION "\n");
  add_program("rft-worker", "echo rft-worker: cannot open libtorch_cpu.so >&2; exit 127\n");
  add_program("rft-plugin-host", "echo rft-plugin-host 0.0.1\n");
  const Json faults = doctor();
  EXPECT_EQ(faults["verdict"], "failed");
  EXPECT_EQ(faults["detail"],
            "rft-worker does not start: rft-worker: cannot open libtorch_cpu.so; rft-plugin-host is not of "
            "version " RFT_VERSION " (in " +
                folder.path().string() + ")");
  EXPECT_THAT(faults["mend"].get<std::string>(), HasSubstr("scripts/bootstrap"));

  std::filesystem::remove(folder / "rft-plugin-host");
  EXPECT_THAT(doctor()["detail"].get<std::string>(), HasSubstr("rft-plugin-host is missing"));

  add_program("rft-worker", "echo rft-worker " RFT_VERSION "\n");
  add_program("rft-plugin-host", "echo rft-plugin-host " RFT_VERSION "\n");
  EXPECT_EQ(doctor()["verdict"], "ok");
}

// What can stand in place of the last word, without what it means.
std::vector<std::string> choices_at(std::vector<std::string> words) {
  words.insert(words.begin(), "__complete");
  std::istringstream lines(rftctl(words).output);
  std::vector<std::string> choices;
  for (std::string line; std::getline(lines, line);) choices.push_back(line.substr(0, line.find('\t')));
  return choices;
}

TEST(Rftctl, CompletesCommandsOptionsAndTheirValues) {
  for (const Command& command : command_table())
    EXPECT_THAT(choices_at({""}), Contains(std::string(command.name)));
  EXPECT_THAT(choices_at({"models", "n"}), ElementsAre("new"));
  EXPECT_THAT(choices_at({"fine-tunes", "create", "--rew"}), ElementsAre("--reward-model", "--reward_model"));
  EXPECT_THAT(choices_at({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(choices_at({"ls", "--state", "re"}), ElementsAre("retrying", "rejected"));
  EXPECT_THAT(choices_at({"ls", "--state=re"}), ElementsAre("--state=retrying", "--state=rejected"));
  EXPECT_THAT(choices_at({"ls", "--state", "=", "ru"}), ElementsAre("running")) << "as bash splits it";
  EXPECT_THAT(choices_at({"models", "new", "--recipe", ""}), ElementsAre("tiny"));
  EXPECT_THAT(choices_at({"models", "new", "--from", ""}), ElementsAre(":files"));
  EXPECT_THAT(choices_at({"submit", ""}), ElementsAre(":folders"));
  EXPECT_THAT(choices_at({"metrics", "--last", ""}), IsEmpty());
  EXPECT_THAT(choices_at({"no-such-command", ""}), IsEmpty());
}

TEST(Rftctl, CompletesModelsWithoutADaemonAndJobsNotAtAll) {
  const TempDir home;
  std::filesystem::create_directories(home / "models/tiny-triage");
  const std::string path = home.path().string();
  EXPECT_THAT(choices_at({"models", "check", "--home", path, "t"}), ElementsAre("tiny-triage", ":folders"));
  EXPECT_THAT(choices_at({"--home=" + path, "watch", ""}), IsEmpty());
}

TEST(Rftctl, EveryShellAsksIt) {
  for (const char* shell : {"bash", "zsh", "fish"})
    EXPECT_THAT(rftctl({"completion", shell}).output, HasSubstr("__complete"));
  EXPECT_EQ(rftctl({"completion", "tcsh"}).exit_code, kUsage);
}

TEST(Rftctl, BashCompletesCommandsAndTheirOptions) {
  const auto complete = [](const std::string& words) {
    const std::string script =
        "source <(" RFT_BIN_DIR "/rftctl completion bash); COMP_WORDS=(" RFT_BIN_DIR "/" + words +
        "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _rftctl; echo \"${COMPREPLY[@]}\"";
    return run_program("/bin/bash", {"-c", script}).output;
  };
  EXPECT_EQ(complete("rftctl sub"), "submit\n");
  EXPECT_EQ(complete("rftctl models n"), "new\n");
  EXPECT_EQ(complete("rftctl fine-tunes create --rew"), "--reward-model --reward_model\n");
  EXPECT_EQ(complete("rftctl ls --state = ru"), "running\n");
}

}  // namespace
}  // namespace rft::cli
