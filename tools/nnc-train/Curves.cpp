// The picture of a run: a panel for every value that is measured, with a line for training and one
// for evaluation.
#include "tools/nnc-train/MetricsLog.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::train;

namespace {

constexpr double Width = 420, Height = 260, Left = 62, Right = 12, Top = 30, Bottom = 34;

struct Line {
  std::string part;
  std::vector<std::pair<double, double>> points; // step, value
};

struct Panel {
  std::string name;
  std::vector<Line> lines;
};

/// Values by name, in the order in which they come first.
std::vector<Panel> panelsOf(const std::vector<Measurement> &measurements) {
  std::vector<Panel> panels;
  auto find = [](auto &list, const std::string &name, auto member) {
    return std::ranges::find(list, name, member);
  };
  for (const Measurement &measurement : measurements)
    for (const Scalar &scalar : measurement.values) {
      if (!std::isfinite(scalar.value))
        continue;
      auto panel = find(panels, scalar.name, &Panel::name);
      if (panel == panels.end())
        panel = panels.insert(panels.end(), {scalar.name, {}});
      auto line = find(panel->lines, measurement.part, &Line::part);
      if (line == panel->lines.end())
        line = panel->lines.insert(panel->lines.end(), {measurement.part, {}});
      line->points.emplace_back(static_cast<double>(measurement.step), scalar.value);
    }
  return panels;
}

/// 1, 2 or 5 times a power of ten, so that about four fit into `extent`.
double tickStep(double extent) {
  double raw = extent / 4, power = std::pow(10, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power)
      return factor * power;
  return 10 * power;
}

/// From numbers to a place along an axis.
struct Axis {
  double low, high, from, to;

  Axis(std::pair<double, double> range, double from, double to)
      : low(range.first), high(range.second), from(from), to(to) {
    if (high <= low) { // all are equal
      double margin = std::max(std::abs(low) * 0.1, 1e-6);
      low -= margin;
      high += margin;
    }
  }
  double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
  template <typename Visit> void ticks(Visit visit) const {
    double step = tickStep(high - low);
    for (double first = std::ceil(low / step), i = 0; (first + i) * step <= high && i < 20; ++i)
      visit((first + i) * step);
  }
};

const char *colorOf(const Line &line) { return line.part == "eval" ? "#d1495b" : "#2e6f95"; }

std::string escaped(std::string_view text) {
  std::string safe;
  for (char c : text)
    safe += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return safe;
}

std::string drawPanel(const Panel &panel, double x0, double y0) {
  std::vector<double> steps, values;
  for (const Line &line : panel.lines)
    for (auto [step, value] : line.points) {
      steps.push_back(step);
      values.push_back(value);
    }
  auto range = [](const std::vector<double> &list) {
    auto [low, high] = std::ranges::minmax(list);
    return std::pair(low, high);
  };
  Axis x(range(steps), x0 + Left, x0 + Width - Right);
  Axis y(range(values), y0 + Height - Bottom, y0 + Top);
  std::string svg = fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"title\">{}</text>\n",
                                x0 + Left, y0 + 18, escaped(panel.name));
  y.ticks([&](double value) {
    svg += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>"
                       "<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"left\">{:g}</text>\n",
                       x.from, y.at(value), x.to, x.from - 6, y.at(value) + 4, value);
  });
  x.ticks([&](double step) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"below\">{:g}</text>\n", x.at(step),
                       y.from + 16, step);
  });
  for (const Line &line : panel.lines) {
    std::string path;
    for (auto [step, value] : line.points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.at(step), y.at(value));
    if (line.points.size() == 1)
      path += "h0"; // a dot
    svg += fmt::format("<path class=\"line\" stroke=\"{}\" d=\"{}\"/>\n", colorOf(line), path);
  }
  double at = x.to;
  for (const Line &line : panel.lines) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"left\" fill=\"{}\">{}</text>\n", at,
                       y0 + 18, colorOf(line), escaped(line.part));
    at -= 48;
  }
  return svg;
}

} // namespace

std::string train::curves(const std::vector<Measurement> &measurements) {
  std::vector<Panel> panels = panelsOf(measurements);
  constexpr size_t Columns = 2;
  size_t rows = (panels.size() + Columns - 1) / Columns;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\">\n<style>text{{font:11px sans-serif}}.title{{font-weight:bold;font-size:13px}}"
      ".left{{text-anchor:end}}.below{{text-anchor:middle}}.grid{{stroke:#ddd}}"
      ".line{{fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      Width * Columns, Height * static_cast<double>(std::max<size_t>(rows, 1)));
  for (size_t i = 0; i < panels.size(); ++i) {
    size_t row = i / Columns, column = i % Columns;
    svg += drawPanel(panels[i], Width * static_cast<double>(column),
                     Height * static_cast<double>(row));
  }
  return svg + "</svg>\n";
}
