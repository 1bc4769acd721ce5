#include "proxy/worker/answer_files.hpp"

#include "proxy/tls/files.hpp"

namespace baton::proxy {

state::SharedText read_answer_file(const config::File& file) {
  return state::share(tls::read_file(file, config::answer_bytes_max).view());
}

std::shared_ptr<const routing::Passwords> read_passwords(const config::File& file) {
  auto passwords = routing::Passwords::parse(tls::read_file(file, config::answer_bytes_max).view());
  if (!passwords) tls::refuse(file, passwords.error());
  return std::make_shared<const routing::Passwords>(*std::move(passwords));
}

routing::Files read_answer_files(const config::Config& config) {
  routing::Files files;
  for (const config::File& file : routing::files_of_answers(config)) {
    const auto [found, is_new] = files.contents.try_emplace(file.path);
    if (is_new) found->second = read_answer_file(file);
  }
  for (const config::File& file : routing::files_of_passwords(config)) {
    const auto [found, is_new] = files.passwords.try_emplace(file.path);
    if (is_new) found->second = read_passwords(file);
  }
  return files;
}

}  // namespace baton::proxy
