#include "plugins/secrets.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "plugins/isolation.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSecrets =
    R"({"openai": {"url": "https://a/", "headers": {"Authorization": "Bearer key-1"}},
  "other": {"token": "key-2"}})";

fs::path write_secrets(const TemporaryFolder& folder, const std::string& text = kSecrets) {
  const fs::path file = folder.write("secrets.json", text);
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  return file;
}

std::string error_of(const fs::path& file, const std::vector<std::string>& names) {
  try {
    read_secrets(file, names);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_THAT(error.what(), Not(HasSubstr("key-")));
    return error.what();
  }
  return "no error";
}

TEST(Secrets, AreReadByTheirNames) {
  const TemporaryFolder folder;
  const fs::path file = write_secrets(folder);
  EXPECT_EQ(read_secrets(file, {"other"}), Json::parse(R"({"other": {"token": "key-2"}})"));
  EXPECT_EQ(read_secrets("/nowhere", {}), Json::object());
  EXPECT_THAT(error_of(file, {"opnai"}), HasSubstr("holds no secret \"opnai\"; did you mean \"openai\"?"));
  EXPECT_THAT(error_of("/nowhere", {"openai"}),
              HasSubstr("/nowhere: there is no such file; make it with mode 600"));
}

TEST(Secrets, AreForTheDaemonsUserAlone) {
  const TemporaryFolder folder;
  const fs::path file = write_secrets(folder);
  for (const auto open_to :
       {fs::perms::group_read, fs::perms::others_read, fs::perms::group_write, fs::perms::others_write}) {
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write | open_to);
    EXPECT_THAT(error_of(file, {"openai"}), HasSubstr("chmod 600 " + file.string()));
  }
}

TEST(Secrets, AreInNoErrorOfTheirFile) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(write_secrets(folder, "{\"openai\":\n{\"token\": \"key-3\" \"key-4\"}}"), {"openai"}),
              HasSubstr("not valid JSON at line 2"));
  EXPECT_THAT(error_of(write_secrets(folder, "[\"key-3\"]"), {"openai"}),
              HasSubstr("an object of named secrets"));
  EXPECT_THAT(error_of(write_secrets(folder, R"({"openai": "key-3"})"), {"openai"}),
              HasSubstr("\"openai\" must be an object"));
}

TEST(Secrets, ReachTheProcessThatIsGrantedThemAlone) {
  const TemporaryFolder folder, home;
  ScorerOptions options = options_for(folder.write("scorer.py", R"(
import os
def configure(options):
    global home
    home = options["home"]
def score(episodes):
    try:
        seen = open(home + "/secrets.json").read()
    except OSError as error:
        seen = type(error).__name__
    return [{"score": 1, "reason": os.environ.get("RFT_SECRETS", "none") + " " + seen} for _ in episodes]
)"),
                                      folder);
  options.kind = "python";
  options.options = {{"home", home.path()}};
  options.secrets_file = write_secrets(home);
  const auto requests = requests_of({"a"});
  const bool hides_files = available_isolation().namespaces || available_isolation().file_rules;
  const std::string none = ScorerHost(options).score(requests)[0].reason;
  EXPECT_THAT(none, ::testing::StartsWith("none "));
  if (hides_files) {
    EXPECT_THAT(none, HasSubstr("Error"));
  }
  options.secrets = {"other"};
  EXPECT_THAT(ScorerHost(options).score(requests)[0].reason,
              ::testing::StartsWith(R"({"other":{"token":"key-2"}} )"));
  options.secrets_file = "/nowhere";
  EXPECT_THROW(ScorerHost{options}, Error);
}

}  // namespace
}  // namespace rft::plugins
