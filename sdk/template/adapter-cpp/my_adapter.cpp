// Makes a prompt of a record's "question", and learns its "answer" in a warm-up.
#include <rft/adapter.hpp>
#include <stdexcept>

class MyAdapter : public rft::DatasetAdapter {
 public:
  rft::Example convert(std::string_view record) override {
    const rft::Fields fields(record);
    const auto question = fields.text("question");
    if (!question) throw std::invalid_argument("the record has no \"question\"");
    return rft::Example::text("Q: " + *question + "\nA:", fields.text("answer"));
  }
};

RFT_DATASET_ADAPTER(MyAdapter, "my_adapter", "0.1.0")
