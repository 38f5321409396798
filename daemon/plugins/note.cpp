#include "plugins/note.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <vector>

#include "base/unique_fd.h"
#include "plugins/plugin_error.h"
#include "rft/plugin.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#endif
constexpr char kSection[] = ".note.rft";
constexpr size_t kMaxNameTableBytes = size_t{16} << 20;

// Reads ranges of a file; a range that is not all there is refused.
class ElfFile {
 public:
  explicit ElfFile(const fs::path& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat info {};
    if (!fd_) refuse(std::string("it cannot be opened: ") + std::strerror(errno));
    if (::fstat(fd_.get(), &info) != 0 || !S_ISREG(info.st_mode)) refuse("it is no regular file");
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw PluginError(PluginFailure::not_loadable, path_.string() + " is not a plugin: " + why);
  }

  void read(uint64_t offset, void* into, size_t size) const {
    for (size_t done = 0; done < size;) {
      const ssize_t got =
          ::pread(fd_.get(), static_cast<char*>(into) + done, size - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) refuse("the file is cut off");
      done += static_cast<size_t>(got);
    }
  }

 private:
  fs::path path_;
  UniqueFd fd_;
};

Elf64_Ehdr read_elf_header(const ElfFile& file) {
  Elf64_Ehdr header;
  file.read(0, &header, sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) file.refuse("it is no ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kMachine)
    file.refuse("it is built for another kind of machine");
  if (header.e_type != ET_DYN) file.refuse("it is no shared object");
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum == 0 || header.e_shstrndx >= header.e_shnum)
    file.refuse("its section table is broken");
  return header;
}

// The one section of that name.
Elf64_Shdr find_note_section(const ElfFile& file) {
  const Elf64_Ehdr header = read_elf_header(file);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  file.read(header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr));
  const Elf64_Shdr& name_section = sections[header.e_shstrndx];
  if (name_section.sh_size > kMaxNameTableBytes) file.refuse("its section table is broken");
  std::string names(name_section.sh_size, '\0');
  file.read(name_section.sh_offset, names.data(), names.size());

  for (const auto& section : sections)
    if (section.sh_name < names.size() && std::strcmp(names.c_str() + section.sh_name, kSection) == 0)
      return section;
  file.refuse("it has no .note.rft section; a plugin is named with RFT_SCORER or RFT_DATASET_ADAPTER");
}

template <size_t size>
std::string field_text(const ElfFile& file, const char (&field)[size], const char* what) {
  const void* end = std::memchr(field, '\0', size);
  if (end == nullptr) file.refuse(std::string("the ") + what + " in its note has no end");
  return field;
}

}  // namespace

PluginNote read_note(const fs::path& shared_object) {
  const ElfFile file(shared_object);
  const Elf64_Shdr section = find_note_section(file);
  if (section.sh_size != sizeof(rft_note))
    file.refuse(section.sh_size > sizeof(rft_note)
                    ? "it has more than one note; one plugin is one shared object"
                    : "its note is cut off");
  rft_note raw;
  file.read(section.sh_offset, &raw, sizeof raw);
  if (raw.owner_size != sizeof raw.owner || raw.body_size != sizeof raw - 16 || raw.type != RFT_NOTE_TYPE ||
      std::memcmp(raw.owner, RFT_NOTE_OWNER, sizeof raw.owner) != 0 ||
      std::memcmp(raw.magic, RFT_NOTE_MAGIC, sizeof raw.magic) != 0)
    file.refuse("its .note.rft section holds something else");

  PluginNote note;
  note.kind = field_text(file, raw.kind, "kind");
  note.name = field_text(file, raw.name, "name");
  note.version = field_text(file, raw.version, "version");
  note.abi_major = raw.abi_major;
  note.abi_minor = raw.abi_minor;
  if (note.kind != RFT_KIND_SCORER && note.kind != RFT_KIND_DATASET_ADAPTER)
    file.refuse("its note has the unknown kind \"" + note.kind + "\"");
  if (!is_plugin_name(note.name))
    file.refuse("the name \"" + note.name + "\" in its note is not of the form [a-z0-9][a-z0-9_-]*");
  return note;
}

void require_loadable_abi(const PluginNote& note, const fs::path& shared_object) {
  if (note.abi_major == RFT_ABI_MAJOR && note.abi_minor <= RFT_ABI_MINOR) return;
  const auto version = [](int major, int minor) {
    return std::to_string(major) + "." + std::to_string(minor);
  };
  throw PluginError(PluginFailure::wrong_abi,
                    shared_object.string() + ": " + note.kind + " " + note.name + " " + note.version +
                        " is built for plugin ABI " + version(note.abi_major, note.abi_minor) +
                        ", and this version loads " + version(RFT_ABI_MAJOR, 0) + " to " +
                        version(RFT_ABI_MAJOR, RFT_ABI_MINOR) + "; build it again with this version's SDK");
}

std::string detect_implementation(const fs::path& file) {
  if (file.extension() == ".py") return "python";
  if (file.extension() == ".so") return "shared_object";
  try {
    read_note(file);
    return "shared_object";
  } catch (const PluginError&) {
    // No shared object of ours; it may still be a program.
  }
  if (fs::is_regular_file(file) && ::access(file.c_str(), X_OK) == 0) return "command";
  throw PluginError(
      PluginFailure::not_loadable,
      file.string() +
          " is not a plugin: it is no .so, no .py and not executable; run chmod +x on it if it is a program");
}

std::string detect_kind(const fs::path& file, const std::string& implementation) {
  if (implementation == "shared_object") return read_note(file).kind;
  if (implementation != "python") return "program";
  bool adapts = false, reads = false, scores = false;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    adapts = adapts || line.starts_with("def adapt(");
    reads = reads || line.starts_with("def read(");
    scores = scores || line.starts_with("def score(") || line.starts_with("def grade(");
  }
  adapts = adapts || (reads && !scores);
  return adapts == scores ? "program" : adapts ? RFT_KIND_DATASET_ADAPTER : RFT_KIND_SCORER;
}

bool is_plugin_name(const std::string& name) {
  if (name.empty() || name.size() > 63 || name.front() == '_' || name.front() == '-') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
}

}  // namespace rft::plugins
