//! A plot with two logarithmic axes as SVG: small, readable on light and on dark ground.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// What is to be drawn. Values have to be greater than zero.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    /// With its unit, as `y`.
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) series: &'a [Series<'a>],
}

/// One line of it.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) line: Line,
    pub(super) points: Vec<(f64, f64)>,
}

/// What is drawn of a series.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// With a dot for each value.
    Measured,
    /// Dashed, to compare with.
    Guide,
}

impl Plot<'_> {
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Axis::over(
            points().map(|(x, _)| *x),
            f64::from(LEFT)..=f64::from(RIGHT),
        );
        let y = Axis::over(
            points().map(|(_, y)| *y),
            f64::from(BOTTOM)..=f64::from(TOP),
        );
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n<title>{}</title>\n{STYLE}\n\
             <rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n",
            escaped(self.title)
        );
        self.draw_axes(&mut svg, &x, &y);
        for (number, series) in self.series.iter().enumerate() {
            draw_series(&mut svg, number, series, &x, &y);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_axes(&self, svg: &mut String, x: &Axis, y: &Axis) {
        for decade in x.decades() {
            let (at, label) = (x.place(decade), short(decade));
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {BOTTOM}V{TOP}\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                BOTTOM + 18
            );
        }
        for decade in y.decades() {
            let (at, label) = (y.place(decade), short(decade));
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 8,
                at + 4.0
            );
        }
        let (middle, height) = (i32::midpoint(LEFT, RIGHT), i32::midpoint(TOP, BOTTOM));
        let _ = writeln!(
            svg,
            "<text class=\"title\" x=\"{middle}\" y=\"24\" text-anchor=\"middle\">{}</text>\n\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
             <text transform=\"translate(18 {height}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escaped(self.title),
            BOTTOM + 42,
            escaped(self.x),
            escaped(self.y)
        );
    }
}

fn draw_series(svg: &mut String, number: usize, series: &Series<'_>, x: &Axis, y: &Axis) {
    let class = match series.line {
        Line::Measured => format!("line c{number}"),
        Line::Guide => format!("line guide c{number}"),
    };
    let places: Vec<String> = series
        .points
        .iter()
        .map(|(a, b)| format!("{:.1},{:.1}", x.place(*a), y.place(*b)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline class=\"{class}\" points=\"{}\"/>",
        places.join(" ")
    );
    if series.line == Line::Measured {
        for (a, b) in &series.points {
            let (a, b) = (x.place(*a), y.place(*b));
            let _ = writeln!(
                svg,
                "<circle class=\"dot c{number}\" cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3.5\"/>"
            );
        }
    }
    let row = TOP + 10 + 20 * i32::try_from(number).unwrap_or(0);
    let _ = writeln!(
        svg,
        "<path class=\"{class}\" d=\"M{} {row}h24\"/><text x=\"{}\" y=\"{}\">{}</text>",
        RIGHT + 12,
        RIGHT + 42,
        row + 4,
        escaped(series.name)
    );
}

/// Whole decades from below the least value to above the greatest, on so many points of the picture.
struct Axis {
    least: i32,
    greatest: i32,
    span: RangeInclusive<f64>,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, span: RangeInclusive<f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if high <= 0.0 {
            (low, high) = (1.0, 1.0);
        }
        let least = whole(low.log10().floor());
        let greatest = whole(high.log10().ceil()).max(least + 1);
        Self {
            least,
            greatest,
            span,
        }
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.least..=self.greatest).map(|exponent| 10.0_f64.powi(exponent))
    }

    /// Where a value stands; what is not greater than zero, at the beginning.
    fn place(&self, value: f64) -> f64 {
        let whole = f64::from(self.greatest - self.least);
        let part = (value.log10() - f64::from(self.least)).max(0.0) / whole;
        self.span.start() + part * (self.span.end() - self.span.start())
    }
}

/// A decade's exponent: a whole number that fits by far.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a finite number is below 309"
)]
fn whole(exponent: f64) -> i32 {
    exponent as i32
}

/// `0.001`, `1`, `1k`, `1M`.
fn short(value: f64) -> String {
    match value {
        v if v >= 0.999e6 => format!("{:.0}M", v / 1e6),
        v if v >= 0.999e3 => format!("{:.0}k", v / 1e3),
        v => format!("{}", (v * 1e6).round() / 1e6),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

const WIDTH: i32 = 720;
const HEIGHT: i32 = 400;
const LEFT: i32 = 80;
const RIGHT: i32 = 500;
const TOP: i32 = 44;
const BOTTOM: i32 = 340;

/// Colours that are told apart by people who see some of them alike.
const STYLE: &str = "<style>
text{font:13px sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:bold}
.ground{fill:#ffffff}.grid{stroke:#d0d7de;fill:none}
.line{fill:none;stroke-width:2}.guide{stroke-dasharray:5 4;stroke-width:1.5}
.c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}.c3{stroke:#777777}
.dot.c0{fill:#0072b2}.dot.c1{fill:#d55e00}.dot.c2{fill:#009e73}.dot.c3{fill:#777777}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.grid{stroke:#30363d}
.c0{stroke:#56b4e9}.dot.c0{fill:#56b4e9}.c3{stroke:#aaaaaa}.dot.c3{fill:#aaaaaa}}
</style>";

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[f64]) -> Axis {
        Axis::over(values.iter().copied(), 0.0..=300.0)
    }

    #[test]
    fn axes_have_whole_decades() {
        let labels = |values: &[f64]| {
            axis(values)
                .decades()
                .map(short)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(labels(&[1_000.0, 1_000_000.0]), "1k 10k 100k 1M");
        assert_eq!(labels(&[0.03, 4.0]), "0.01 0.1 1 10");
        assert_eq!(labels(&[100.0]), "100 1k");
        assert_eq!(labels(&[]), "1 10");
        assert_eq!(labels(&[0.0, -1.0, 5.0]), "1 10");
    }

    #[test]
    fn equal_factors_are_equal_distances() {
        let axis = axis(&[1.0, 1000.0]);
        for (value, wanted) in [(1.0, 0.0), (10.0, 100.0), (1000.0, 300.0), (0.0, 0.0)] {
            assert!((axis.place(value) - wanted).abs() < 1e-6, "{value}");
        }
    }

    #[test]
    fn the_picture_is_well_formed_and_says_what_it_shows() {
        let series = [
            Series {
                name: "a < b",
                line: Line::Measured,
                points: vec![(1e3, 2.0), (1e6, 3.0)],
            },
            Series {
                name: "guide",
                line: Line::Guide,
                points: vec![(1e3, 2.0), (1e6, 4.0)],
            },
        ];
        let plot = Plot {
            title: "cost & growth",
            x: "messages",
            y: "time, µs",
            series: &series,
        };
        let svg = plot.svg();
        check_well_formed(&svg);
        for wanted in [
            "cost &amp; growth",
            "messages<",
            "time, µs",
            "a &lt; b",
            ">1M<",
        ] {
            assert!(svg.contains(wanted), "no {wanted} in {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("<polyline").count(), 2);
    }

    /// Every element is closed in its turn, attributes have their quotes, no `&` or `<` stands alone.
    fn check_well_formed(text: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            for entity in before.split('&').skip(1) {
                assert!(
                    ["amp;", "lt;", "gt;"]
                        .iter()
                        .any(|name| entity.starts_with(name))
                );
            }
            let (tag, after) = after.split_once('>').unwrap();
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split([' ', '/']).next().unwrap();
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            rest = after;
        }
        assert!(open.is_empty(), "{open:?}");
        assert_eq!(rest.trim(), "");
    }
}
