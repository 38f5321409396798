/* A minimal C scorer whose note, entry and symbols can be wrong, each by a definition of the build. Its
 * static constructor says that it ran. */
#include <stdio.h>

#include "rft/scorer.h"

#ifndef NOTE_MAJOR
#define NOTE_MAJOR RFT_ABI_MAJOR
#endif
#ifndef NOTE_MINOR
#define NOTE_MINOR RFT_ABI_MINOR
#endif
#ifndef ENTRY_VERSION
#define ENTRY_VERSION RFT_ABI_VERSION
#endif
#ifndef ENTRY_SIZE
#define ENTRY_SIZE sizeof(rft_plugin)
#endif
#ifndef CREATE
#define CREATE create
#endif
#ifndef NOTE_TYPE
#define NOTE_TYPE RFT_NOTE_TYPE
#endif
#ifndef NOTE_OWNER
#define NOTE_OWNER RFT_NOTE_OWNER
#endif
#ifndef NOTE_SIZE
#define NOTE_SIZE (sizeof(rft_note) - 16)
#endif
#ifndef NAME_OF_NOTE
#define NAME_OF_NOTE NAME
#endif
#ifndef KIND
#define KIND RFT_KIND_SCORER
#endif
#ifndef MAGIC
#define MAGIC RFT_NOTE_MAGIC
#endif

#define NOTE(variable)                                                                       \
  _Alignas(4) __attribute__((section(".note.rft"), used)) static const rft_note variable = { \
      4, NOTE_SIZE, NOTE_TYPE, NOTE_OWNER, MAGIC, NOTE_MAJOR, NOTE_MINOR, KIND, NAME_OF_NOTE, "1"}

#ifndef NO_NOTE
NOTE(first);
#endif
#ifdef SECOND_NOTE
NOTE(second);
#endif

__attribute__((constructor)) static void say_that_it_ran(void) {
  fprintf(stderr, "CONSTRUCTOR RAN\n");
#ifdef CRASH_IN_CONSTRUCTOR
  *(volatile int*)0 = 1;
#endif
}

#ifdef MISSING_SYMBOL
extern double a_function_that_nobody_defines(void);
#endif

static rft_status score(void* instance, const rft_episode* const* episodes, size_t num_episodes,
                        const rft_score_sink* sink) {
  (void)instance;
  for (size_t i = 0; i < num_episodes; ++i) {
    sink->scores[i] = (double)episodes[i]->completion.size;
#ifdef MISSING_SYMBOL
    sink->scores[i] += a_function_that_nobody_defines();
#endif
  }
#ifdef FAIL_SILENTLY
  return RFT_FAILED;
#endif
#ifdef WRITE_PAST
  sink->scores[num_episodes] = 1;
#endif
#ifdef WRITE_BEFORE
  sink->scores[-1] = 1;
#endif
#ifdef OUT_OF_RANGE
  sink->valid(sink, num_episodes, 1);
#endif
  return RFT_OK;
}

static const rft_scorer scorer = {sizeof(rft_scorer), score};

__attribute__((unused)) static void* create(const rft_host* host, rft_text options) {
  (void)options;
  return (void*)(uintptr_t)host;
}
static void destroy(void* instance) { (void)instance; }
static const void* capability(void* instance, const char* id) {
  (void)instance;
#ifdef NO_CAPABILITY
  return NULL;
#endif
  return id[4] == 's' && id[5] == 'c' ? &scorer : NULL;
}

#ifdef NO_ENTRY
__attribute__((used)) static const rft_plugin not_exported =
#else
RFT_EXPORT const rft_plugin rft_plugin_entry =
#endif
    {ENTRY_VERSION, ENTRY_SIZE, CREATE, destroy, capability};
