#include "cli/commands/commands.h"
#include "cli/job_feed.h"
#include "cli/job_text.h"
#include "cli/paging.h"

namespace rft::cli {

Run define_logs(CLI::App& app) {
  const auto options = std::make_shared<PagingOptions>();
  add_paging_options(app, *options);
  return [options](Session& session) {
    return print_pages(session, "logs", Json::object(), *options, [&](const Json& page) {
      for (const Json& line : page.at("lines")) {
        session.out.line(line.get<std::string>());
        session.out.value({{"line", line}});
      }
    });
  };
}

}  // namespace rft::cli
