//! The pictures, as SVG in the page. Names and numbers stand in the legend below each, so no two can lie over each other.

use super::{
    super::document::{Samples, Segment, Times},
    escaped,
};
use crate::report::words::Words;

/// Width of every picture, in its own units; the page scales it.
const WIDTH: f64 = 720.0;

/// Height of the part of the samples' chart in which bars stand.
const HEIGHT: f64 = 90.0;

/// How many shades there are for stretches of a move: one for each that can be.
const SHADES: usize = 6;

/// One time as a bar against its target, and below it the same time by what it went into.
pub(super) fn times(times: &Times, words: &Words) -> String {
    let labels = &words.labels;
    let scale = [Some(times.real), times.target, times.predicted].into_iter().flatten().max().unwrap_or(1);
    let at = |millis: i64| part(millis, scale) * (WIDTH - 2.0);
    let missed = times.target.is_some_and(|target| times.real > target);
    let bar = if missed { "missed" } else { "real" };
    let mut svg = format!("<rect class=\"track\" x=\"0\" y=\"6\" width=\"{WIDTH}\" height=\"14\"/>");
    svg += &format!(
        "<rect class=\"{bar}\" x=\"0\" y=\"6\" width=\"{:.1}\" height=\"14\"/>",
        at(times.real).max(2.0)
    );
    let mut legend = vec![entry(bar, labels.real, &times.real_shown)];
    if let Some(target) = times.target {
        svg += &format!("<rect class=\"target\" x=\"{:.1}\" y=\"0\" width=\"2\" height=\"26\"/>", at(target));
        legend.push(entry("target", labels.target, &times.target_shown));
    }
    if let Some(predicted) = times.predicted {
        svg += &format!(
            "<rect class=\"predicted\" x=\"{:.1}\" y=\"3\" width=\"2\" height=\"20\"/>",
            at(predicted)
        );
        legend.push(entry("predicted", labels.predicted, &times.predicted_shown));
    }
    figure(words.says.against_target, 26.0, &svg, &legend) + &split(&times.segments, words)
}

fn split(segments: &[Segment], words: &Words) -> String {
    let whole: i64 = segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.millis));
    if whole == 0 {
        return String::new();
    }
    let (mut svg, mut legend, mut x) = (String::new(), Vec::new(), 0.0);
    for (index, segment) in segments.iter().enumerate() {
        let width = part(segment.millis, whole) * WIDTH;
        let class = format!("s{}", index % SHADES);
        svg += &format!("<rect class=\"{class}\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"14\"/>");
        legend.push(entry(&class, segment.name, &segment.shown));
        x += width;
    }
    figure(words.says.where_time_went, 14.0, &svg, &legend)
}

/// Good and bad samples as bars on each other, and the response time as a line over them.
pub(super) fn samples(samples: &Samples, words: &Words) -> String {
    let labels = &words.labels;
    let mut legend = vec![entry("sample-good", labels.good, ""), entry("sample-bad", labels.bad, "")];
    let mut svg = bars(samples);
    if !samples.shades.is_empty() {
        svg += &shades(samples);
        legend.push(entry("moving", words.says.moving, ""));
    }
    if let Some((longest, shown)) = &samples.longest_p95 {
        svg += &line(samples, *longest);
        legend.push(entry("p95", labels.longest_p95, shown));
    }
    svg += &format!("<rect class=\"axis\" x=\"0\" y=\"{HEIGHT}\" width=\"{WIDTH}\" height=\"1\"/>");
    let y = HEIGHT + 14.0;
    svg += &format!("<text x=\"0\" y=\"{y}\">{}</text>", escaped(&samples.from_shown));
    svg += &format!(
        "<text x=\"{WIDTH}\" y=\"{y}\" text-anchor=\"end\">{}</text>",
        escaped(&samples.until_shown)
    );
    figure(words.says.chart_samples, HEIGHT + 18.0, &svg, &legend)
}

fn shades(samples: &Samples) -> String {
    let one = |shade: &crate::report::document::Shade| {
        let (from, until) = (x(samples, shade.from), x(samples, shade.until));
        let width = (until - from).max(2.0);
        format!("<rect class=\"moving\" x=\"{from:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{HEIGHT}\"/>")
    };
    samples.shades.iter().map(one).collect()
}

fn bars(samples: &Samples) -> String {
    let count = |good: u32, bad: u32| i64::from(good) + i64::from(bad);
    let most = samples.buckets.iter().map(|bucket| count(bucket.good, bucket.bad)).max().unwrap_or(1).max(1);
    let ends = samples.buckets.iter().skip(1).map(|next| next.at).chain([samples.until]);
    let one = |(bucket, end): (&crate::report::Bucket, i64)| {
        let left = x(samples, bucket.at);
        let width = (x(samples, end) - left - 0.6).max(0.4);
        // A fifth is left free above the bars, so that the line can be told from them.
        let [good, bad] = [bucket.good, bucket.bad].map(|n| part(i64::from(n), most) * HEIGHT * 0.8);
        let rect = |class: &str, y: f64, height: f64| match height > 0.0 {
            true => format!(
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            ),
            false => String::new(),
        };
        rect("sample-good", HEIGHT - good, good) + &rect("sample-bad", HEIGHT - good - bad, bad)
    };
    samples.buckets.iter().zip(ends).map(one).collect()
}

/// From the middle of each bar to that of the next. It breaks where nothing answered.
fn line(samples: &Samples, longest: i64) -> String {
    let (mut path, mut pen) = (String::new(), 'M');
    let middle = WIDTH / (samples.buckets.len().max(1) as f64) / 2.0;
    for bucket in &samples.buckets {
        let Some(p95) = bucket.p95 else {
            pen = 'M';
            continue;
        };
        let y = HEIGHT - part(p95, longest) * (HEIGHT - 4.0);
        path += &format!("{pen}{:.1} {y:.1}", x(samples, bucket.at) + middle);
        pen = 'L';
    }
    format!("<path class=\"p95\" d=\"{path}\"/>")
}

fn x(samples: &Samples, at: i64) -> f64 {
    let first = samples.buckets.first().map_or(0, |bucket| bucket.at);
    part(at.saturating_sub(first), samples.until.saturating_sub(first)) * WIDTH
}

/// From 0 to 1. What lies outside is drawn at the edge.
fn part(of: i64, whole: i64) -> f64 {
    (of as f64 / whole.max(1) as f64).clamp(0.0, 1.0)
}

fn entry(class: &str, name: &str, value: &str) -> String {
    let value = if value.is_empty() { String::new() } else { format!(" <b>{}</b>", escaped(value)) };
    format!("<li><i class=\"{class}\"></i>{name}{value}</li>")
}

fn figure(title: &str, height: f64, svg: &str, legend: &[String]) -> String {
    format!(
        "<figure>\n<figcaption>{title}</figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">{svg}</svg>\n\
         <ul class=\"legend\">{}</ul>\n</figure>\n",
        legend.concat()
    )
}
