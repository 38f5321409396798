/* A dataset adapter of 1.0: the record is its prompt, as messages where it holds them. */
#include <string.h>

#include "rft/dataset_adapter.h"

static const rft_host* host_of_plugin;

static rft_status convert(void* instance, rft_text record, const rft_example_sink* sink) {
  static const char refusal[] = "it says refuse";
  static const char messages[] = "[{\"role\":\"user\",\"content\":\"hi\"}]";
  (void)instance;
  if (strstr(record.data, "refuse") != NULL) {
    host_of_plugin->fail(host_of_plugin, (rft_text){refusal, strlen(refusal)});
    return RFT_FAILED;
  }
  if (strstr(record.data, "messages") != NULL)
    sink->messages(sink, (rft_text){messages, strlen(messages)});
  else
    sink->prompt(sink, record);
  sink->output(sink, record);
  return RFT_OK;
}

static void* create(const rft_host* host, rft_text options) {
  (void)options;
  host_of_plugin = host;
  return &host_of_plugin;
}
static void destroy(void* instance) { (void)instance; }
static const void* capability(void* instance, const char* id) {
  static const rft_dataset_adapter adapter = {sizeof(rft_dataset_adapter), convert};
  (void)instance;
  return strcmp(id, RFT_CAPABILITY_DATASET_ADAPTER) == 0 ? &adapter : NULL;
}

RFT_NOTE(RFT_KIND_DATASET_ADAPTER, "abi-1-0-adapter", "1.0.0");
RFT_EXPORT const rft_plugin rft_plugin_entry = {RFT_ABI_VERSION, sizeof(rft_plugin), create, destroy,
                                                capability};
