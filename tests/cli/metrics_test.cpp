// SPDX-License-Identifier: MIT
// The metrics, read by a strict reader of Prometheus' text format 0.0.4.

#include "primary/metrics.h"

#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "sample.h"

namespace muster::test {
namespace {

using namespace cli;

struct Metrics {
  std::map<std::string, std::string> types;
  std::map<std::string, double> samples;  // by name{labels}, values unescaped
  std::vector<std::string> mistakes;
};

// Reads a name, a label's when colons are not allowed, off the front of the text.
std::string take_name(std::string_view& text, bool colons) {
  std::size_t size = 0;
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':') ||
           (size > 0 && c >= '0' && c <= '9');
  };
  while (size < text.size() && fits(text[size])) ++size;
  std::string name(text.substr(0, size));
  text.remove_prefix(size);
  return name;
}

bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

Metrics read(const std::string& text) {
  Metrics metrics;
  std::set<std::string> helps, left;
  std::string current;
  const auto mistake = [&](const std::string& what, const std::string& line) {
    metrics.mistakes.push_back(what + ": " + line);
  };
  if (!text.ends_with("\n")) mistake("the last line does not end", "");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::string_view rest = line;
    if (take(rest, "# HELP ")) {
      const std::string name = take_name(rest, true);
      if (name.empty() || !take(rest, " ") || rest.empty()) mistake("malformed HELP", line);
      if (!helps.insert(name).second) mistake("a second HELP", line);
      if (!current.empty()) left.insert(current);
      current = name;
      continue;
    }
    if (take(rest, "# TYPE ")) {
      const std::string name = take_name(rest, true);
      if (name != current || !take(rest, " ")) mistake("TYPE of another", line);
      if (rest != "counter" && rest != "gauge") mistake("unknown type", line);
      if (!metrics.types.emplace(name, rest).second) mistake("a second TYPE", line);
      if ((rest == "counter") != name.ends_with("_total")) mistake("a name that does not say its type", line);
      continue;
    }
    const std::string name = take_name(rest, true);
    if (!name.starts_with("muster_")) mistake("a name of somebody else", line);
    if (name != current || left.contains(name) || !metrics.types.contains(name)) mistake("a sample away from its TYPE", line);
    std::string series = name;
    std::set<std::string> labels;
    if (take(rest, "{")) {
      do {
        const std::string label = take_name(rest, false);
        if (label.empty() || !labels.insert(label).second) mistake("a bad label", line);
        if (!take(rest, "=\"")) mistake("no value of a label", line);
        series += " " + label + "=";
        while (!rest.empty() && rest[0] != '"') {
          if (take(rest, "\\\\")) {
            series += '\\';
          } else if (take(rest, "\\\"")) {
            series += '"';
          } else if (take(rest, "\\n")) {
            series += '\n';
          } else {
            if (rest[0] == '\\') mistake("a bad escape", line);
            series += rest[0];
            rest.remove_prefix(1);
          }
        }
        if (!take(rest, "\"")) mistake("a value that does not end", line);
      } while (take(rest, ","));
      if (!take(rest, "}")) mistake("labels that do not end", line);
    }
    if (!take(rest, " ")) mistake("no value", line);
    char* end = nullptr;
    const std::string number(rest);
    const double value = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != '\0') mistake("a bad number", line);
    if (metrics.types[name] == "counter" && !(value >= 0)) mistake("a counter below zero", line);
    if (!metrics.samples.emplace(series, value).second) mistake("a series twice", line);
  }
  return metrics;
}

TEST(Metrics, AreWhatPrometheusReads) {
  const Metrics metrics = read(metrics_text(sample_status()));

  EXPECT_EQ(metrics.mistakes, std::vector<std::string>());
  const auto& samples = metrics.samples;
  EXPECT_EQ(samples.at("muster_info app=api version=1.0.0 policy=round_robin"), 1);
  EXPECT_EQ(samples.at("muster_state app=api state=degraded"), 1);
  EXPECT_EQ(samples.at("muster_state app=api state=failed"), 0);
  EXPECT_EQ(samples.at("muster_workers app=api state=ready"), 3);
  EXPECT_EQ(samples.at("muster_workers app=api state=waiting"), 1);
  EXPECT_EQ(samples.at("muster_workers app=api state=draining"), 0);
  EXPECT_EQ(samples.at("muster_workers_wanted app=api"), 4);
  EXPECT_EQ(samples.at("muster_start_time_seconds app=api"), 1716890531);
  EXPECT_EQ(samples.at("muster_memory_bytes app=api"), 13'000'000);
  EXPECT_DOUBLE_EQ(samples.at("muster_cpu_ratio app=api"), 0.003);
  EXPECT_EQ(samples.at("muster_restarts_total app=api"), 7);
  EXPECT_EQ(samples.at("muster_reloads_total app=api"), 2);
  EXPECT_EQ(samples.at("muster_failed_reloads_total app=api"), 1);
  EXPECT_EQ(samples.at("muster_workers_ended_total app=api cause=crashed"), 6);
  EXPECT_EQ(samples.at("muster_workers_ended_total app=api cause=hung"), 0);
  EXPECT_EQ(samples.at("muster_worker_up app=api worker=1"), 1);
  EXPECT_EQ(samples.at("muster_worker_up app=api worker=4"), 0);
  EXPECT_EQ(samples.at("muster_worker_restarts_total app=api worker=4"), 6);
  EXPECT_EQ(samples.at("muster_worker_memory_bytes app=api worker=1"), 61 << 20);
  EXPECT_DOUBLE_EQ(samples.at("muster_worker_cpu_ratio app=api worker=2"), 0.15);
  EXPECT_EQ(samples.at("muster_worker_connections app=api worker=1"), 12);
  EXPECT_EQ(samples.at("muster_worker_connections_total app=api worker=2"), 4000);
  EXPECT_EQ(samples.at("muster_worker_requests_total app=api worker=2"), 300'000);
  EXPECT_EQ(samples.at("muster_worker_messages_total app=api worker=1"), 60);
  EXPECT_DOUBLE_EQ(samples.at("muster_worker_loop_lag_seconds app=api worker=1"), 0.0008);
  EXPECT_EQ(samples.at("muster_worker_start_time_seconds app=api worker=1"), 1717156631);
  EXPECT_EQ(samples.at("muster_connections_total app=api"), 7500);
  EXPECT_EQ(samples.at("muster_requests_total app=api"), 600'000);
  EXPECT_EQ(samples.at("muster_messages_total app=api"), 150);
  // It says nothing of itself, and nothing is made up.
  EXPECT_TRUE(samples.contains("muster_worker_memory_bytes app=api worker=3"));
  EXPECT_FALSE(samples.contains("muster_worker_requests_total app=api worker=3"));
}

// A reload begins no series and ends none, and lets no counter fall.
TEST(Metrics, HaveOneSeriesForASeatWhoeverSitsThere) {
  AppStatus app = sample_status();
  const Metrics before = read(metrics_text(app));
  app.workers[0].state = "draining";
  WorkerStatus successor = app.workers[0];
  successor.id = 20;
  successor.pid = 4301;
  successor.state = "ready";
  successor.started_at += 1000;
  successor.connections = 3;
  app.workers.push_back(successor);
  const Metrics during = read(metrics_text(app));
  app.workers.erase(app.workers.begin());
  const Metrics after = read(metrics_text(app));

  EXPECT_EQ(during.mistakes, std::vector<std::string>());
  EXPECT_EQ(during.samples.at("muster_worker_connections app=api worker=1"), 15);
  EXPECT_EQ(during.samples.at("muster_worker_memory_bytes app=api worker=1"), 2 * (61 << 20));
  EXPECT_EQ(during.samples.at("muster_worker_start_time_seconds app=api worker=1"), 1717156632);
  EXPECT_EQ(during.samples.at("muster_worker_up app=api worker=1"), 1);
  EXPECT_EQ(after.samples.at("muster_worker_connections app=api worker=1"), 3);
  const auto series = [](const Metrics& metrics) {
    std::set<std::string> names;
    for (const auto& [name, value] : metrics.samples) names.insert(name);
    return names;
  };
  EXPECT_EQ(series(during), series(before));
  EXPECT_EQ(series(after), series(before));
}

TEST(Metrics, EscapeNames) {
  AppStatus app = sample_status();
  app.name = "a\"b\\c\nd{e=\"f\"}";
  const Metrics metrics = read(metrics_text(app));
  EXPECT_EQ(metrics.mistakes, std::vector<std::string>());
  EXPECT_TRUE(metrics.samples.contains("muster_workers_wanted app=a\"b\\c\nd{e=\"f\"}"));
}

TEST(Metrics, AreUtf8WhateverAnAppIsCalled) {
  AppStatus app;
  app.name = "gr\xc3\xbcn \xff\xc3";
  EXPECT_TRUE(read(metrics_text(app)).samples.contains("muster_workers_wanted app=grün \uFFFD\uFFFD"));
}

TEST(Metrics, OfAnAppWithoutWorkersAreComplete) {
  AppStatus app;
  app.workers_wanted = 2;
  const Metrics metrics = read(metrics_text(app));
  EXPECT_EQ(metrics.mistakes, std::vector<std::string>());
  EXPECT_EQ(metrics.samples.at("muster_worker_up app= worker=2"), 0);
}

}  // namespace
}  // namespace muster::test
