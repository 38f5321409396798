#include "plugins/note.h"

#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

TEST(Note, SaysWhatThePluginIs) {
  const PluginNote note = read_note(hostile_plugin("hostile"));
  EXPECT_EQ(note.kind, "scorer");
  EXPECT_EQ(note.name, "hostile");
  EXPECT_EQ(note.version, "6.6.6");
  EXPECT_EQ(note.abi_major, 1);
  EXPECT_EQ(note.abi_minor, 0);
  EXPECT_NO_THROW(require_loadable_abi(note, "hostile.so"));
}

TEST(Note, RefusesEachWrongNoteByName) {
  const auto refused = [](const std::string& name, const std::string& why) {
    expect_plugin_error(PluginFailure::not_loadable, {name, why}, [&] { read_note(hostile_plugin(name)); });
  };
  refused("no_note", "no .note.rft section");
  refused("two_notes", "more than one note");
  refused("bad_magic", "holds something else");
  refused("unknown_kind", "unknown kind \"oracle\"");
}

TEST(Note, RefusesOtherAbisNamingBothVersions) {
  const auto refused = [](const std::string& name, const std::string& version) {
    const fs::path file = hostile_plugin(name);
    expect_plugin_error(PluginFailure::wrong_abi, {name, "built for plugin ABI " + version, "1.0 to 1.0"},
                        [&] { require_loadable_abi(read_note(file), file); });
  };
  refused("newer_major", "2.0");
  refused("newer_minor", "1.9");
  refused("older_major", "0.0");
}

TEST(Note, RefusesFilesThatAreNoSharedObjects) {
  const TemporaryFolder folder;
  const auto refused = [&](const fs::path& file, const std::string& why) {
    expect_plugin_error(PluginFailure::not_loadable, {file, why}, [&] { read_note(file); });
  };
  refused(folder.path() / "absent.so", "cannot be opened");
  refused(folder.path(), "no regular file");
  refused(folder.write("empty.so", ""), "cut off");
  refused(folder.write("text.so", std::string(1000, 'x')), "no ELF file");
  refused(fs::path(RFT_BIN_DIR) / "rft-plugin-host", "no .note.rft section");
}

// A file cut or flipped anywhere is read or refused; nothing is read beyond its end.
TEST(Note, SurvivesDamagedFiles) {
  const TemporaryFolder folder;
  const std::string whole = read_file(hostile_plugin("plain"));
  size_t num_refused = 0;
  const auto try_bytes = [&](const std::string& bytes) {
    const fs::path file = folder.write("damaged.so", bytes);
    try {
      read_note(file);
    } catch (const PluginError& error) {
      EXPECT_EQ(error.kind(), PluginFailure::not_loadable);
      ++num_refused;
    }
  };
  for (size_t size = 0; size < whole.size(); size += 97) try_bytes(whole.substr(0, size));
  EXPECT_GT(num_refused, whole.size() / 97 - 5);  // the section table is at the end
  for (size_t at = 0; at < 64; ++at)
    for (const char bit : {'\x01', '\x80', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ bit);
      try_bytes(bytes);
    }
}

TEST(Note, PluginNamesAreLowerCaseWords) {
  for (const char* good : {"a", "exact_match", "my-scorer2", "0x"}) EXPECT_TRUE(is_plugin_name(good)) << good;
  for (const char* bad : {"", "_a", "-a", "A", "a.b", "a/b", "ä", "a b"})
    EXPECT_FALSE(is_plugin_name(bad)) << bad;
  EXPECT_FALSE(is_plugin_name(std::string(64, 'a')));
}

TEST(Note, DetectsWhatAFileIs) {
  const TemporaryFolder folder;
  EXPECT_EQ(detect_implementation(folder.write("scorer.py", "")), "python");
  EXPECT_EQ(detect_implementation(folder.write("run", "#!/bin/sh\n", true)), "command");
  EXPECT_EQ(detect_implementation(hostile_plugin("plain")), "shared_object");
  fs::copy_file(hostile_plugin("plain"), folder.path() / "renamed");
  EXPECT_EQ(detect_implementation(folder.path() / "renamed"), "shared_object");
  expect_plugin_error(PluginFailure::not_loadable, {"not executable"},
                      [&] { detect_implementation(folder.write("notes.txt", "")); });
}

}  // namespace
}  // namespace rft::plugins
