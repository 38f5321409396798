// For tables whose fields are separated by commas.
#include "../common/table_reader.h"

using Csv = TableReader<','>;

RFT_DATASET_READER(Csv, "csv", "1.0.0")
