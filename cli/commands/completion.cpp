#include "cli/completion.h"

#include "cli/commands/commands.h"

namespace rft::cli {

Run define_completion(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return [shell](Session& session) {
    const std::string script = completion_script(*shell);
    session.out.text(script);
    session.out.value({{"shell", *shell}, {"script", script}});
    return kOk;
  };
}

}  // namespace rft::cli
