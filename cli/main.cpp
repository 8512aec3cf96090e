#include "commands.h"
#include "config/options.h"

int main(int argc, char** argv) {
  if (const auto code = muster::cli::run_hidden(argc, argv)) return *code;
  return muster::cli::run(muster::cli::parse(argc, argv));
}
