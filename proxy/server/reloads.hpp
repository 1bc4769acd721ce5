// SIGHUP, `ctl reload` and `ctl apply`: the configuration is replaced whole or not at all, by the file's or by one that
// a client gives. Everything that can fail is done before anything changes. Runs in the main thread; names are looked
// up and disks read off that thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/changes.hpp"
#include "proxy/server/background.hpp"
#include "proxy/server/certificate_watch.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/health_watch.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/launch.hpp"
#include "proxy/server/name_watch.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/service_manager.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

class Reloads {
 public:
  struct Parts {  // all outlive it
    const Role& role;
    DataPath& data_path;
    Instance& instance;
    Generation& generation;
    ServiceManager& manager;
    Supervision& supervision;
    CertificateWatch& certificates;
    NameWatch& names;
    HealthWatch& health;
    Background& background;
  };
  // What was done, or why nothing was done: a text for people, which is also logged.
  using Outcome = std::expected<std::string, std::string>;
  using Answer = std::function<void(const Outcome&)>;
  // The same with what an applied configuration changes, as far as it could be read.
  using AnswerWithChanges = std::function<void(const Outcome&, const std::vector<config::Change>&)>;

  Reloads(boost::asio::io_context& context, Parts parts, LoadConfiguration load)
      : parts_(parts), load_(std::move(load)), slow_(context) {}

  // From the file.
  void begin(Answer answer = [](const Outcome&) {});
  // Takes `yaml` in its place. With `dry_run` nothing changes, and the outcome says whether it could. Only if it has
  // room.
  void apply(std::string yaml, bool dry_run, AnswerWithChanges answer);
  bool has_room() const;
  // Called when something else decides what is served, and by whom. `and_the_file` says what that means for the file.
  void drop(const std::string& why, const std::string& and_the_file = "");
  bool is_under_way() const { return under_way_ != nullptr; }
  // Whether the file is to be read again, now or next.
  bool is_file_wanted() const;
  // Of the file.
  bool has_last_succeeded() const { return has_last_succeeded_; }

 private:
  struct Reload {
    std::optional<std::string> applied = {};  // nothing: the file
    bool is_dry_run = false;
    std::vector<AnswerWithChanges> asked = {};  // by clients; for a file that is yet to be read there may be several
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();

    const char* name() const { return applied ? "apply" : "reload"; }
    std::int64_t seconds() const;
    // Tells all that asked, and nobody twice.
    void answer(const Outcome& outcome, const std::vector<config::Change>& changes = {});
  };
  // The parts of it that may take long.
  struct Prepared {
    std::shared_ptr<const Settings> settings;
    std::vector<WantedSocket> listeners;
    std::shared_ptr<access_log::AccessLog> access_log;
    config::Provenance provenance;
    std::string text;
  };
  struct Result {
    std::expected<Prepared, std::string> prepared;
    std::vector<config::Change> changes = {};  // of an applied one that is valid
  };
  static Result prepare(const LoadConfiguration& load, const Reload& reload, const Settings& now);
  static Prepared make_ready(LoadedConfiguration loaded, const Settings& now);
  static Prepared make_ready_on_trial(LoadedConfiguration loaded);

  // Why none can begin now.
  std::optional<std::string> why_not() const;
  void add(std::shared_ptr<Reload> reload);
  void warn_of_wait(const Reload& reload) const;
  void carry_out(std::shared_ptr<Reload> reload);
  void tell_when_slow();
  void end(Result result);
  Outcome take(Prepared prepared);
  void replace(Prepared prepared, std::vector<BoundSocket> sockets);

  const Parts parts_;
  const LoadConfiguration load_;
  std::shared_ptr<Reload> under_way_;
  std::deque<std::shared_ptr<Reload>> next_;
  boost::asio::steady_timer slow_;  // runs as long as that does
  bool has_last_succeeded_ = true;
};

}  // namespace baton::proxy
