#include <regex>

#include "base/files.h"
#include "base/json.h"
#include "config/daemon_config.h"
#include "config/job_config.h"
#include "engine/model/model_config.h"
#include "engine/model/model_summary.h"
#include "fuzz/fuzz.h"
#include "protocol/event.h"
#include "protocol/reply.h"
#include "protocol/request.h"
#include "protocol/worker_stream.h"
#include "support/temp_dir.h"
#include "support/tiny_model_folder.h"
#include "support/write_text.h"

namespace rft {
namespace {

namespace fs = std::filesystem;

TEST(Fuzz, JsonLines) {
  const TempDir dir;
  fuzz({"{\"task\": \"t\", \"input\": \"ü\", \"n\": [1, 2.5, null]}\n\n{\"messages\": [{\"role\": "
        "\"user\"}]}\n"},
       5000, [&](const std::string& lines) {
         for_each_json_line(write_text(dir / "train.jsonl", lines),
                            [](const Json& record, size_t) { dump_json(record); });
       });
}

TEST(Fuzz, JobToml) {
  std::vector<std::string> samples;
  for (const char* example : {"package-triage", "random-walks"})
    samples.push_back(read_file(fs::path(RFT_SOURCE_DIR) / "examples" / example / "job.toml"));
  samples.push_back(
      "[model]\npath = \"m\"\n[data]\ntrain = "
      "\"t\"\n"
      "[scorer]\nplugin = \"x\"\noptions = { a = 1, b = [1.5, \"x\"], c = true }\n[rollout]\nstop = "
      "[\"a\"]\n");
  const TempDir dir;
  fuzz(samples, 3000,
       [&](const std::string& toml) { config::parse_job(write_text(dir / "job.toml", toml)); });
}

TEST(Fuzz, DaemonToml) {
  const std::string commented = read_file(fs::path(RFT_SOURCE_DIR) / "etc/rftd.toml");
  const TempDir dir;
  fuzz({std::regex_replace(commented, std::regex("\n#([a-z_]+ = )"), "\n$1")}, 1000,
       [&](const std::string& toml) { config::read_daemon_config(write_text(dir / "rftd.toml", toml)); });
}

TEST(Fuzz, ModelConfig) {
  const TempDir dir;
  write_tiny_model(dir.path());
  const std::string config = read_file(dir / "config.json");
  const std::string gemma =
      R"({"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "vocab_size": 8, "hidden_size": 4,
          "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
          "head_dim": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "query_pre_attn_scalar": 4,
          "sliding_window": 16, "attn_logit_softcapping": 50.0, "rope_scaling": {"rope_type": "llama3",
          "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}, "eos_token_id": [1, 107]})";
  fuzz({config, gemma}, 4000, [&](const std::string& text) {
    write_text(dir / "config.json", text);
    engine::read_model_config(dir.path());
  });
  fuzz({config}, 1500, [&](const std::string& text) {
    write_text(dir / "config.json", text);
    engine::check_model(dir.path());
  });
}

TEST(Fuzz, ControlMessages) {
  const std::string request = protocol::encode(protocol::Request{"a1", "submit", {{"path", "/x"}, {"n", 3}}});
  fuzz({request}, 10000, [](const std::string& bytes) { protocol::decode_request(bytes); });
  fuzz({R"({"v":1,"id":"a","ok":true,"result":{"jobs":[{"id":17}]}})",
        R"({"v":1,"id":"a","ok":false,"error":{"code":"not_found","message":"no job 17","field":"job"}})"},
       10000, [](const std::string& bytes) { protocol::decode_reply(bytes); });
  fuzz({R"({"v":1,"topic":"job.17.metrics","boot":"9c","seq":42,"time":1767225600.125,"data":{"a":1}})"},
       10000, [](const std::string& bytes) { protocol::decode_event(bytes); });
}

TEST(Fuzz, WorkerMessages) {
  const Json hello = to_json(protocol::WorkerHello{17, 2, "token", 4711});
  protocol::WorkerFinished finished;
  finished.error_message = "out of memory";
  finished.result = {{"score", 0.5}};
  fuzz({hello.dump() + "\n", to_json(finished).dump() + "\n"}, 10000, [](const std::string& bytes) {
    protocol::LineSplitter lines;
    for (const std::string& line : lines.feed(bytes)) {
      const Json message = parse_json(line, "a worker's message");
      if (message.is_object() && message.contains("token"))
        protocol::hello_from_json(message);
      else
        protocol::finished_from_json(message);
    }
  });
}

}  // namespace
}  // namespace rft
