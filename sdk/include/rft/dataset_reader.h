/* Capability rft.dataset-reader/1: reads data files of a form of their own (tables, lists of other files) as
 * records with their prompts. A dataset adapter has this one or rft.dataset-adapter/1, whose records are the
 * lines of a JSONL file. It runs once, when a job is admitted. Read plugin.h and dataset_adapter.h first. */
#ifndef RFT_DATASET_READER_H
#define RFT_DATASET_READER_H

#include "rft/dataset_adapter.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RFT_CAPABILITY_DATASET_READER "rft.dataset-reader/1"

/* Where a file's records go. Every function is [plugin-thread, inside read()]. */
typedef struct rft_record_sink {
  uint32_t struct_size;

  /* Begins the next record, a JSON object: what a scorer will see of it. */
  void (*record)(const struct rft_record_sink* sink, rft_text json);

  /* Where the parts of the record begun last go. */
  const rft_example_sink* example;
} rft_record_sink;

typedef struct rft_dataset_reader {
  uint32_t struct_size;

  /* [plugin-thread] Reads one data file of the job, given by its path in the job folder, which is the working
   * folder. RFT_FAILED after host->fail() refuses the file; the text, which names file and line, is what the
   * user is told. */
  rft_status (*read)(void* instance, rft_text path, const rft_record_sink* sink);
} rft_dataset_reader;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RFT_DATASET_READER_H */
