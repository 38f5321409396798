/* Capability rft.dataset-adapter/1: turns a user's records into prompts (and, where there is one, the output
 * that a supervised warm-up learns). It runs once, when a job is admitted. Read plugin.h first. */
#ifndef RFT_DATASET_ADAPTER_H
#define RFT_DATASET_ADAPTER_H

#include "rft/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RFT_CAPABILITY_DATASET_ADAPTER "rft.dataset-adapter/1"

/* Where one record's parts go. Every function is [plugin-thread, inside convert()]. Exactly one of the first
 * two is called for each record. The record itself reaches the scorer whole; it need not be handed on. */
typedef struct rft_example_sink {
  uint32_t struct_size;

  void (*prompt)(const struct rft_example_sink* sink, rft_text text);

  /* A JSON array of messages, {"role": ..., "content": ...} each, for the model's chat template. */
  void (*messages)(const struct rft_example_sink* sink, rft_text json);

  /* Optional: the completion that a supervised warm-up is to learn. */
  void (*output)(const struct rft_example_sink* sink, rft_text text);
} rft_example_sink;

typedef struct rft_dataset_adapter {
  uint32_t struct_size;

  /* [plugin-thread] Converts one record, a JSON object. RFT_FAILED after host->fail() refuses the record: the
   * user is told the file, the line and that text. */
  rft_status (*convert)(void* instance, rft_text record, const rft_example_sink* sink);
} rft_dataset_adapter;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RFT_DATASET_ADAPTER_H */
