/* The rft plugin ABI, version 1.0. This header is its manual; C11 or C++17.
 *
 * A plugin is a shared object with two things in it:
 *
 *   1. a NOTE: the ELF section `.note.rft`, plain bytes that say what the plugin is (struct rft_note). The
 *      host reads them from the file before any code of the plugin runs, static constructors included, and
 *      refuses a plugin of another ABI by name.
 *   2. one exported symbol, `rft_plugin_entry` (struct rft_plugin): constant data that holds its functions.
 *
 * C++ authors need neither by hand: see scorer.hpp and adapter.hpp.
 *
 * LIFE OF A PLUGIN. Each job runs its plugin in a process of its own, which loads that plugin and no other:
 *
 *     process starts ─► note checked ─► loaded ─► create() ─► any number of calls ─► destroy() ─► end
 *
 *   The process ends without running static destructors: what must be written is written by destroy(), which
 *   has a second for it. The process may also be killed at any time: when a call takes longer than the job's
 *   deadline, when the job ends, when the daemon says so. Then destroy() is not called.
 *
 * THREADS. Every function of a plugin is called on one thread, the [plugin-thread], and never while another
 *   call is under way. A plugin may start threads of its own; they may call only what is tagged [any-thread].
 *
 * MEMORY. Nothing is owned across the boundary. What the host passes (texts, episodes, arrays) is readable
 *   until the call returns, and must not be written unless it says [out]: a plugin that changes its input is
 *   an error of its job. What the plugin passes to the host is copied before that function returns.
 *
 * TEXTS are UTF-8, in both directions, not NUL-terminated as far as `size` is concerned, though the texts
 *   that a host passes have a NUL at data[size]. A completion is what the model sampled: expect anything
 *   in it.
 *
 * ERRORS. A function that fails calls host->fail() with a text for a person, then returns RFT_FAILED (or
 *   NULL). No exception and no longjmp may leave a plugin's function.
 *
 * GROWTH. Structs grow at their end alone, and every struct that may grow begins with its size or is reached
 *   through a pointer: a plugin built for 1.x works in every later 1.y. New abilities are new capability ids.
 *   What version 1.0 laid down is kept with the project (tests/plugins/abi-1.0) and compared at each build.
 *
 * THE PROCESS has no network unless it is granted one and, where the machine allows, only a read-only view of
 *   the file systems apart from an empty /tmp; it may not fork. Its stdout and stderr go to the job's log.
 *
 * `rftctl plugins check FILE.so` tries a plugin against these rules, each in a process of its own, and names
 * the rule that is broken by its word in capitals here, or by the function that states it.
 */
#ifndef RFT_PLUGIN_H
#define RFT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RFT_ABI_MAJOR 1
#define RFT_ABI_MINOR 0
#define RFT_ABI_VERSION (((uint32_t)RFT_ABI_MAJOR << 16) | (uint32_t)RFT_ABI_MINOR)

#define RFT_KIND_SCORER "scorer"
#define RFT_KIND_DATASET_ADAPTER "dataset-adapter"

typedef struct rft_text {
  const char* data;
  size_t size; /* bytes */
} rft_text;

/* What a function of a plugin returns. */
typedef int32_t rft_status;
#define RFT_OK 0
#define RFT_FAILED 1

/* ---- the note ---------------------------------------------------------------------------------------- */

#define RFT_NOTE_OWNER "RFT"
#define RFT_NOTE_TYPE 1
#define RFT_NOTE_MAGIC "RFTPLUG" /* 8 bytes with its NUL */

/* An ELF note with a fixed layout, in the byte order of the machine. Texts are NUL-terminated within their
 * field. This struct never changes. */
typedef struct rft_note {
  uint32_t owner_size; /* 4 */
  uint32_t body_size;  /* sizeof(rft_note) - 16 */
  uint32_t type;       /* RFT_NOTE_TYPE */
  char owner[4];       /* RFT_NOTE_OWNER */
  char magic[8];       /* RFT_NOTE_MAGIC */
  uint16_t abi_major;
  uint16_t abi_minor;
  char kind[28];    /* RFT_KIND_... */
  char name[64];    /* [a-z0-9][a-z0-9_-]*, what jobs call it; its file is NAME.so */
  char version[32]; /* the author's own, such as "1.0.0" */
} rft_note;

#ifdef __cplusplus
#define RFT_NOTE_STORAGE_ alignas(4) __attribute__((section(".note.rft"), used)) static const
#else
#define RFT_NOTE_STORAGE_ _Alignas(4) __attribute__((section(".note.rft"), used)) static const
#endif

/* Puts the note into the shared object. Once per plugin, at file scope, outside any namespace. */
#define RFT_NOTE(kind, name, version)                                      \
  RFT_NOTE_STORAGE_ rft_note rft_note_of_plugin_ = {4,                     \
                                                    sizeof(rft_note) - 16, \
                                                    RFT_NOTE_TYPE,         \
                                                    RFT_NOTE_OWNER,        \
                                                    RFT_NOTE_MAGIC,        \
                                                    RFT_ABI_MAJOR,         \
                                                    RFT_ABI_MINOR,         \
                                                    kind,                  \
                                                    name,                  \
                                                    version}

/* ---- what the host offers ---------------------------------------------------------------------------- */

/* Valid from create() until destroy() returns. */
typedef struct rft_host {
  uint32_t abi_version; /* RFT_ABI_VERSION of the host */
  uint32_t struct_size;

  /* [plugin-thread, inside a call] Says why the present call fails. The last text counts. */
  void (*fail)(const struct rft_host* host, rft_text why);

  /* [any-thread] Writes one line to the job's log. */
  void (*log)(const struct rft_host* host, rft_text line);
} rft_host;

/* ---- the entry --------------------------------------------------------------------------------------- */

typedef struct rft_plugin {
  uint32_t abi_version; /* RFT_ABI_VERSION at the plugin's build; must agree with its note */
  uint32_t struct_size; /* sizeof(rft_plugin) at the plugin's build */

  /* [plugin-thread] Makes the one instance. `options` is a JSON object: the job's [scorer] options, or for an
   * adapter the keys of [data]. Returns NULL after host->fail(), for instance for an unknown option. */
  void* (*create)(const rft_host* host, rft_text options);

  /* [plugin-thread] Ends the instance and frees all that it took. The last call; it may come right after
   * create(). For NULL, what a create() that failed has returned, there is nothing to do. */
  void (*destroy)(void* instance);

  /* [plugin-thread] The struct of that capability, valid as long as the instance, or NULL for a capability
   * that this plugin does not have. Ids: scorer.h, summary.h, dataset_adapter.h. */
  const void* (*capability)(void* instance, const char* id);
} rft_plugin;

#define RFT_EXPORT __attribute__((visibility("default")))

/* The one symbol that a plugin exports. */
RFT_EXPORT extern const rft_plugin rft_plugin_entry;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RFT_PLUGIN_H */
