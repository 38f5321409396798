#include "config/daemon_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::config {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::filesystem::path& file) {
  try {
    read_daemon_config(file);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(DaemonConfig, IsOptional) {
  const TempDir folder;
  EXPECT_DOUBLE_EQ(read_daemon_config(folder.path() / "rftd.toml").intake.settle_s, 2);
}

TEST(DaemonConfig, ReadsItsKeys) {
  const TempDir folder;
  const auto config = read_daemon_config(write_text(
      folder.path() / "rftd.toml", "[intake]\nsettle_s = 0.5\n[capacity]\ngpus = false\ncores = 2\n"));
  EXPECT_DOUBLE_EQ(config.intake.settle_s, 0.5);
  EXPECT_FALSE(config.capacity.gpus);
  EXPECT_EQ(config.capacity.cores, 2);
}

TEST(DaemonConfig, TakesOneOrSeveralPluginsForASecret) {
  const TempDir folder;
  const auto file = folder.path() / "rftd.toml";
  write_text(file, "[plugins.secrets]\nopenai = [\"judge\", \"http\"]\nother = \"abc\"\n");
  EXPECT_EQ(read_daemon_config(file).plugins.secrets,
            Json::parse(R"({"openai": ["judge", "http"], "other": ["abc"]})"));
  EXPECT_THAT(error_of(write_text(file, "[plugins]\nsecrets = { openai = true }\n")),
              HasSubstr("rftd.toml:2: [plugins] secrets: openai must be a list of plugins"));
}

TEST(DaemonConfig, RefusesTcpWithTheReason) {
  const TempDir folder;
  const auto file = write_text(folder.path() / "rftd.toml", "[tcp]\ncontrol = \"tcp://0.0.0.0:7410\"\n");
  EXPECT_THAT(error_of(file),
              HasSubstr("rftd.toml:1: tcp is refused: this version serves only the sockets in HOME/run"));
}

TEST(DaemonConfig, RefusesUnknownKeys) {
  const TempDir folder;
  const auto file = write_text(folder.path() / "rftd.toml", "[retry]\nfirst_delay = 1\n");
  EXPECT_THAT(error_of(file), HasSubstr("did you mean first_delay_s?"));
  EXPECT_THAT(error_of(write_text(folder.path() / "rftd.toml", "foo = 1\n")),
              HasSubstr("unknown key foo; every key stands in a section: ["));
}

TEST(DaemonConfig, APythonIsAProgramThatIsThere) {
  const TempDir folder;
  const auto file = folder.path() / "rftd.toml";
  const auto with = [&](const std::string& python) {
    return write_text(file, "[plugins]\ntrusted = []\npython = " + python + "\n");
  };
  EXPECT_THAT(read_daemon_config(with("\"/bin/sh\"")).plugins.python, ::testing::ElementsAre("/bin/sh"));
  EXPECT_THAT(read_daemon_config(with("[\"/bin/sh\", \"/bin/ls\"]")).plugins.python,
              ::testing::ElementsAre("/bin/sh", "/bin/ls"));
  EXPECT_THAT(error_of(with("\"/opt/none/bin/python\"")),
              HasSubstr("rftd.toml:3: [plugins] python = \"/opt/none/bin/python\": there is no such file"));
  EXPECT_THAT(error_of(with("\"python3\"")), HasSubstr("give the absolute path"));
  EXPECT_THAT(error_of(with("[\"/bin/sh\", \"/etc/passwd\"]")),
              HasSubstr("python = \"/etc/passwd\": it is no program"));
  EXPECT_THAT(error_of(with("\"/usr\"")), HasSubstr("it is no program"));
}

TEST(DaemonConfigExample, IsTheFileInEtc) {
  const std::filesystem::path file = std::filesystem::path(RFT_SOURCE_DIR) / "etc/rftd.toml";
  if (std::getenv("RFT_UPDATE_DOCS") != nullptr) write_file_atomically(file, daemon_config_example());
  EXPECT_EQ(read_file(file), daemon_config_example()) << "run config_test with RFT_UPDATE_DOCS=1";
}

TEST(DaemonConfigExample, IsAcceptedWithEveryKeyUncommented) {
  const TempDir folder;
  std::istringstream lines(daemon_config_example());
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const bool is_key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += (is_key ? line.substr(1) : line) + "\n";
  }
  EXPECT_EQ(error_of(write_text(folder.path() / "rftd.toml", text)), "no error");
  EXPECT_THAT(text, HasSubstr("\nsettle_s = 2.0\n"));
}

}  // namespace
}  // namespace rft::config
