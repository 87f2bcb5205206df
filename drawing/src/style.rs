//! What tells the marks of one series from another's.

use crate::element::Element;
use crate::ink::{COLOURS, SERIES, SOFT};
use crate::path::Path;

/// How far an arrow reaches from its middle, pixels.
const ARROW: f64 = 5.0;

/// What tells a series' marks from another's.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    /// Number of the series on the page: its colour, and the class that its checkbox switches.
    pub number: usize,
    /// Identifies the series.
    pub name: String,
    /// Shown in the legend, and when the pointer rests on a mark.
    pub label: String,
    /// Drawn wider and above the others.
    pub strong: bool,
    /// Drawn grey, dashed and below the others.
    pub soft: bool,
    /// Not shown until its checkbox is set.
    pub hidden: bool,
}

impl Style {
    /// A series that looks like most others.
    #[must_use]
    pub fn new(number: usize, name: String) -> Self {
        Style { number, label: name.clone(), name, strong: false, soft: false, hidden: false }
    }

    /// A group for marks in its colour.
    pub(crate) fn group(&self) -> Element {
        let group = self.group_of(&format!("s s{}", self.number), self.hidden);
        if self.hidden { group.with("display", "none") } else { group }
    }

    /// The same for marks that no checkbox switches.
    pub(crate) fn fixed_group(&self) -> Element {
        self.group_of("s", false)
    }

    fn group_of(&self, class: &str, hidden: bool) -> Element {
        let mut class = format!("{class} c{} d{}", self.number % COLOURS, self.dash());
        for (is, name) in [(self.strong, "learnt"), (self.soft, "reference"), (hidden, "off")] {
            if is {
                class = format!("{class} {name}");
            }
        }
        Element::new("g").with("class", class).child(Element::new("title").text(&self.label))
    }

    /// A sample of the line with its mark, for a legend of HTML: a drawing of 34 × 12 pixels.
    #[must_use]
    pub fn sample(&self) -> Element {
        let group = self.fixed_group().child(self.line(&Path::from(1.0, 6.0).level(33.0)));
        Element::new("svg").with("viewBox", "0 0 34 12").child(group.child(self.mark(17.0, 6.0)))
    }

    /// The line of the series.
    pub(crate) fn line(&self, path: &Path) -> Element {
        let dashes = [None, Some("6 3"), Some("2 2.5")][self.dash()];
        let line = Element::new("path")
            .with("class", "l")
            .with("fill", "none")
            .with("stroke", self.colour())
            .with("stroke-width", if self.strong { 3.2 } else { 1.7 })
            .with("stroke-linejoin", "round");
        dashes.map_or(line.clone(), |dashes| line.with("stroke-dasharray", dashes)).with("d", path.clone())
    }

    /// The path that shows the interval of a value.
    pub(crate) fn interval(&self, path: &Path) -> Element {
        Element::new("path")
            .with("class", "i")
            .with("fill", "none")
            .with("stroke", self.colour())
            .with("stroke-width", if self.strong { 2.0 } else { 1.3 })
            .with("opacity", "0.7")
            .with("d", path.clone())
    }

    /// A mark of its shape.
    pub(crate) fn mark(&self, x: f64, y: f64) -> Element {
        let r = if self.strong { 4.0 } else { 3.0 };
        match self.number % 4 {
            0 => self.filled("circle").with("cx", x).with("cy", y).with("r", r),
            1 => self.filled("rect").at(x - r, y - r).sized(2.0 * r, 2.0 * r),
            2 => {
                let (half, height) = (1.2 * r, 2.1 * r);
                let triangle = Path::from(x, y - half).by(half, height).by(-2.0 * half, 0.0).close();
                self.filled("path").with("d", triangle)
            }
            _ => {
                let q = 1.3 * r;
                let diamond = Path::from(x, y - q).by(q, q).by(-q, q).by(-q, -q).close();
                self.filled("path").with("d", diamond)
            }
        }
    }

    /// An arrow for what lies beyond an edge, in this direction, with its values.
    pub(crate) fn arrow(&self, (x, y): (f64, f64), (right, down): (f64, f64), values: &str) -> Element {
        let norm = right.hypot(down).max(1.0);
        let (right, down) = (ARROW * right / norm, ARROW * down / norm);
        let head = Path::from(x + right, y + down)
            .line(x - right + down, y - down - right)
            .line(x - right - down, y - down + right)
            .close();
        let title = Element::new("title").text(&format!("{}: {values}", self.label));
        self.filled("path").with("d", head).child(title)
    }

    fn filled(&self, shape: &'static str) -> Element {
        Element::new(shape)
            .with("class", "m")
            .with("fill", self.colour())
            .with("stroke", "#f6f7f9")
            .with("stroke-width", 0.8)
    }

    /// Which dashes its line has, of three.
    fn dash(&self) -> usize {
        if self.soft { 1 + self.number % 2 } else { self.number / COLOURS % 3 }
    }

    fn colour(&self) -> &'static str {
        if self.soft { SOFT } else { SERIES[self.number % COLOURS] }
    }
}

/// Soft ones first and strong ones last, so that these lie above.
pub(crate) fn in_drawing_order<T>(all: &[T], style: impl Fn(&T) -> &Style) -> Vec<&T> {
    let mut ordered: Vec<&T> = all.iter().collect();
    ordered.sort_by_key(|one| (style(one).strong, !style(one).soft));
    ordered
}
