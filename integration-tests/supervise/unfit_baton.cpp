// A version whose supervisor cannot go on where another stood: it serves as Baton does, and has no answer to a dry run.
#define main baton_main
#include "proxy/main.cpp"
#undef main

int main(int argc, char** argv) {
  if (std::getenv("BATON_SUPERVISOR_CHECK") != nullptr) return 0;      // well, but without a word
  return baton_main(argc, argv);
}
