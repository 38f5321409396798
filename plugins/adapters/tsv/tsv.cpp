// For tables whose fields are separated by tabs.
#include "../common/table_reader.h"

using Tsv = TableReader<'\t'>;

RFT_DATASET_READER(Tsv, "tsv", "1.0.0")
