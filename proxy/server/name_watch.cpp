#include "proxy/server/name_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proxy/runtime/log.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

using std::chrono::milliseconds;

namespace {

// Questions that are due at nearly the same time are asked together.
constexpr milliseconds look_every_at_least(250);
// A name server that does not answer delays the names asked with it by no more than their own interval.
constexpr milliseconds limit_max(5'000);

std::string in_words(const std::vector<state::NamedServer>& servers) {
  constexpr std::size_t named_max = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(servers.size(), named_max); ++i) {
    text += (i == 0 ? "" : ", ") + servers[i].address.text();
  }
  if (servers.size() > named_max) text += fmt::format(" and {} more", servers.size() - named_max);
  return text;
}

}  // namespace

// Many processes start together, so that each spreads its questions by a tenth either way.
NameWatch::Clock::time_point NameWatch::next(config::Milliseconds every) {
  std::uniform_int_distribution<std::int64_t> around(every.count() * 9 / 10, every.count() * 11 / 10);
  return Clock::now() + milliseconds(around(random_));
}

void NameWatch::watch() {
  timer_.cancel();
  const std::map<std::string, Asked> before = std::exchange(asked_, {});
  for (Recurring& one : recurring_questions(parts_.data_path.config())) {
    std::string text = one.question.text();
    Asked asked{.question = std::move(one.question), .every = one.every, .due = next(one.every)};
    if (const auto same = before.find(text); same != before.end()) {
      asked.is_under_way = same->second.is_under_way;
      asked.has_failed = same->second.has_failed;
      asked.due = std::min(asked.due, same->second.due);
    }
    asked_.emplace(std::move(text), std::move(asked));
  }
  wake_when_due();
}

void NameWatch::wake_when_due() {
  auto first = Clock::time_point::max();
  for (const auto& [text, asked] : asked_) {
    if (!asked.is_under_way) first = std::min(first, asked.due);
  }
  if (first == Clock::time_point::max()) return;
  const auto left = std::chrono::ceil<milliseconds>(first - Clock::now());
  call_after(timer_, std::max(left, look_every_at_least), [this] {
    look();
    wake_when_due();
  });
}

void NameWatch::look() {
  // Another process is the instance, or will be.
  if (!parts_.role.is_serving()) return;
  Round round{.texts = {}, .questions = {}, .limit = limit_max};
  for (auto& [text, asked] : asked_) {
    if (asked.is_under_way || asked.due > Clock::now()) continue;
    round.texts.push_back(text);
    round.questions.push_back(asked.question);
    round.limit = std::min<milliseconds>(round.limit, asked.every);
  }
  if (!round.texts.empty()) ask(std::move(round));
}

void NameWatch::ask(Round round) {
  const std::vector<std::string> texts = round.texts;
  parts_.background.run([this, round = std::move(round)]() -> Background::Rest {
    return [this, texts = round.texts, answers = process::ask(round.questions, round.limit)]() mutable {
      answered(texts, std::move(answers));
    };
  });
  for (const std::string& text : texts) asked_.at(text).is_under_way = true;
}

void NameWatch::answered(const std::vector<std::string>& texts, std::vector<process::Answer> answers) {
  state::KnownNames names = parts_.data_path.settings()->names;
  std::vector<std::string> news;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto found = asked_.find(texts[i]);
    if (found == asked_.end()) continue;  // a reload has dropped it
    Asked& asked = found->second;
    asked.is_under_way = false;
    asked.due = next(asked.every);
    if (!parts_.role.is_serving()) continue;
    if (auto line = learn(asked, answers[i], names)) news.push_back(*std::move(line));
  }
  wake_when_due();
  if (news.empty()) return;
  parts_.data_path.refresh(with_names(*parts_.data_path.settings(), std::move(names)));
  for (const std::string& line : news) log::info("{}", line);
  parts_.supervision.announce();
}

std::optional<std::string> NameWatch::learn(Asked& asked, process::Answer& answer, state::KnownNames& names) {
  const std::string address = asked.question.address.text();
  std::vector<state::NamedServer>& known = names[asked.question.text()];
  const bool has_failed = !answer.failure.empty();
  if (has_failed && !asked.has_failed) {
    log::warning("{} cannot be looked up: {}; its {} addresses stay in use", address, answer.failure, known.size());
  }
  if (!has_failed && asked.has_failed) log::info("{} can be looked up again", address);
  asked.has_failed = has_failed;
  if (has_failed || answer.found == known) return std::nullopt;
  const std::string before = in_words(known);
  known = std::move(answer.found);
  return fmt::format("{} is now at {}; it was at {}", address, in_words(known), before);
}

}  // namespace baton::proxy
