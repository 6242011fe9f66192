// From a sample's figures to what whole runs cost.
#include "engine/bench.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/measure/stages.h"
#include "engine/util/workers.h"

namespace coffre {

namespace {

double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

StageSpeed const& stage(BenchReport const& report, std::string const& name) {
    return *std::find_if(report.stages.begin(), report.stages.end(),
                         [&](StageSpeed const& speed) { return speed.stage == name; });
}

// Reading, working and writing go on at once: the slowest sets the pace. Every file is looked at.
RunCost cost_of(BenchReport const& report, std::uint64_t read_bytes) {
    SampleFound const& sample = report.sample;
    auto const bytes = static_cast<double>(read_bytes);
    double const stored = bytes * ratio(sample.stored_bytes, sample.bytes);
    double slowest = std::max(bytes / stage(report, "read").all_threads,
                              bytes / stage(report, "snapshot").all_threads);
    if (report.write_speed) slowest = std::max(slowest, stored / *report.write_speed);
    return {report.found.seconds + slowest, read_bytes, static_cast<std::uint64_t>(stored)};
}

}  // namespace

BenchReport bench_paths(BenchRequest const& request, Progress& progress) {
    BenchReport report;
    report.threads = worker_count(request.threads);
    // First, so that a folder that cannot be written to is told at once.
    if (!request.store_folder.empty()) {
        report.write_speed = measure_writing(request.store_folder, progress);
    }
    PieceSampler sampler(request.sample_bytes);
    report.found = survey_paths(request.paths, request.exclude, sampler, progress);
    Stages stages(request, progress);
    stages.read(sampler.take());
    if (stages.sample().bytes == 0) {
        throw SourceError(request.paths.front(),
                          "nothing to measure: no file with contents can "
                          "be read there");
    }
    stages.measure_all();
    report.sample = stages.sample();
    report.sample.is_all = !sampler.has_left_out();
    report.stages = stages.speeds();
    report.first = cost_of(report, report.found.bytes);
    report.unchanged = {report.found.seconds, 0, 0};
    report.daily = cost_of(report, report.found.bytes_of_month / 30);
    return report;
}

}  // namespace coffre
