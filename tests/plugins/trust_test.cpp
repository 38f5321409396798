#include "plugins/trust.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace rft::plugins {
namespace {

using ::testing::HasSubstr;

const Isolation kComplete{.namespaces = true, .system_call_filter = true, .missing = ""};
const Isolation kNone{.namespaces = false,
                      .system_call_filter = true,
                      .missing = "bubblewrap is not installed (apt install bubblewrap)"};

ResolvedPlugin plugin(Origin origin) {
  ResolvedPlugin plugin;
  plugin.name = "polite";
  plugin.digest = "abc";
  plugin.origin = origin;
  if (origin != Origin::job_folder) plugin.file = "/home/plugins/polite.py";
  return plugin;
}

TEST(Trust, IsolatesWhatIsNotNamed) {
  for (const Origin origin : {Origin::shipped, Origin::home, Origin::job_folder})
    EXPECT_FALSE(Trust({}).runs_unconfined(plugin(origin), kComplete));
}

TEST(Trust, RefusesWithoutIsolationAndNamesTheMend) {
  for (const Origin origin : {Origin::home, Origin::job_folder}) {
    try {
      Trust({"another"}).runs_unconfined(plugin(origin), kNone);
      FAIL() << "it may run";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("apt install bubblewrap"));
      EXPECT_THAT(error.what(), HasSubstr("[plugins] trusted = [\"abc\"]"));
    }
  }
  EXPECT_TRUE(Trust({}).runs_unconfined(plugin(Origin::shipped), kNone));
}

TEST(Trust, CoversDigestsRegisteredNamesPathsAndAll) {
  for (const Isolation& isolation : {kComplete, kNone}) {
    EXPECT_TRUE(Trust({"abc"}).runs_unconfined(plugin(Origin::job_folder), isolation));
    EXPECT_TRUE(Trust({"*"}).runs_unconfined(plugin(Origin::job_folder), isolation));
    EXPECT_TRUE(Trust({"polite"}).runs_unconfined(plugin(Origin::home), isolation));
    EXPECT_TRUE(Trust({"/home/plugins/polite.py"}).runs_unconfined(plugin(Origin::home), isolation));
  }
  EXPECT_FALSE(Trust({"polite"}).runs_unconfined(plugin(Origin::job_folder), kComplete))
      << "a job may call its file as it likes";
}

TEST(Trust, GrantsTheNetworkToWhatIsNamed) {
  for (const char* entry : {"abc", "polite", "/home/plugins/polite.py", "*"}) {
    EXPECT_NO_THROW(Trust({}, {entry}).require_network(plugin(Origin::home))) << entry;
    EXPECT_NO_THROW(Trust({entry}).require_network(plugin(Origin::home))) << entry;
  }
  for (const char* entry : {"polite", "/home/plugins/polite.py"})
    EXPECT_THROW(Trust({}, {entry}).require_network(plugin(Origin::job_folder)), Error) << entry;
  try {
    Trust({}, {"another"}).require_network(plugin(Origin::shipped));
    FAIL() << "it may use the network";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("[plugins] network = [\"polite\"]"));
  }
}

TEST(Trust, GrantsASecretToWhatIsNamedForIt) {
  for (const char* entry : {"abc", "polite", "*"})
    EXPECT_NO_THROW(Trust({}, {}, {}, {{"key", {entry}}}).require_secret(plugin(Origin::home), "key"))
        << entry;
  EXPECT_THROW(Trust({}, {}, {}, {{"key", {"polite"}}}).require_secret(plugin(Origin::job_folder), "key"),
               Error);
  EXPECT_THROW(Trust({"*"}, {"*"}).require_secret(plugin(Origin::home), "key"), Error);
  try {
    Trust({}, {}, {}, {{"other", {"*"}}}).require_secret(plugin(Origin::job_folder), "key");
    FAIL() << "it may have the secret";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("[plugins] secrets = { key = [\"abc\"] }"));
  }
}

TEST(Trust, NamesTheInterpretersOfScripts) {
  EXPECT_EQ(Trust({}).python(""), "") << "python3 of PATH";
  const Trust trust({}, {}, {"/a/python", "/b/python"});
  EXPECT_EQ(trust.python(""), "/a/python");
  EXPECT_EQ(trust.python("/b/python"), "/b/python");
  try {
    trust.python("/c/python");
    FAIL() << "it may run";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("[plugins] python names /a/python, /b/python"));
  }
  EXPECT_THROW(Trust({}).python("/usr/bin/python3"), Error);
}

}  // namespace
}  // namespace rft::plugins
