// A version whose supervisor cannot continue for another: it serves like Baton, but does not answer a dry run.
#define main baton_main
#include "proxy/main.cpp"
#undef main

int main(int argc, char** argv) {
  if (std::getenv("BATON_SUPERVISOR_CHECK") != nullptr) return 0;      // successfully, but without a word
  return baton_main(argc, argv);
}
