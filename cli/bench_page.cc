#include "cli/bench_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/output.h"

namespace coffre::cli {

namespace {

constexpr int row_height = 44;
constexpr int label_width = 110;
constexpr int longest_bar = 520;

constexpr char const* head = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{0}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
color: #1b2733; background: #fff }}
h1 {{ font-size: 1.4rem }} td {{ padding: .1rem 1rem .1rem 0 }} text {{ font-size: 13px }}
</style></head><body><h1>{0}</h1>
)";

std::string escaped(std::string const& text) {
    std::string out;
    for (char const c : printable(text)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string bar(double speed, double fastest, int y, char const* color) {
    double const width = std::max(1.0, speed / fastest * longest_bar);
    return fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"16\" fill=\"{}\"/>"
        "<text x=\"{:.1f}\" y=\"{}\">{}</text>\n",
        label_width, y, width, color, label_width + width + 6, y + 13, rate_text(speed));
}

std::string chart(BenchReport const& report) {
    double fastest = 1;
    for (auto const& stage : report.stages) {
        fastest = std::max({fastest, stage.one_thread, stage.all_threads});
    }
    std::string rows;
    int y = 4;
    for (auto const& stage : report.stages) {
        rows += fmt::format("<text x=\"0\" y=\"{}\">{}</text>\n", y + 22, stage.stage);
        rows += bar(stage.one_thread, fastest, y, "#8fb8de");
        rows += bar(stage.all_threads, fastest, y + 18, "#1f5f99");
        y += row_height;
    }
    return fmt::format(
        "<p>Plaintext a second, with one thread (light) and with {} (dark).</p>\n"
        "<svg width=\"{}\" height=\"{}\" role=\"img\" aria-label=\"speed of each stage\">\n{}"
        "</svg>\n",
        report.threads, label_width + longest_bar + 110, y, rows);
}

std::string cost_row(char const* name, RunCost const& cost) {
    return fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", name,
                       duration_text(cost.seconds), size_text(cost.read_bytes),
                       size_text(cost.stored_bytes));
}

std::string costs(BenchReport const& report) {
    return "<table><tr><td></td><td>time</td><td>read</td><td>stored</td></tr>\n" +
           cost_row("first run", report.first) +
           cost_row("a run with nothing new", report.unchanged) +
           cost_row("a day's run", report.daily) + "</table>\n";
}

}  // namespace

std::string bench_page(BenchReport const& report, std::string const& title) {
    std::string const found =
        fmt::format("<p>{} files in {} folders, {}. Measured on {} of {} of them.</p>\n",
                    number_text(report.found.files), number_text(report.found.directories),
                    size_text(report.found.bytes), size_text(report.sample.bytes),
                    number_text(report.sample.files));
    return fmt::format(head, escaped(title)) + found + costs(report) + chart(report) +
           "</body></html>\n";
}

}  // namespace coffre::cli
