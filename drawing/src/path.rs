//! What a path goes through.

use crate::element::{Attribute, number};

/// Commands of a path, in pixels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Path(String);

impl Path {
    /// Begins at a point.
    pub fn from(x: f64, y: f64) -> Self {
        Path::default().go(x, y)
    }

    /// Goes to a point without a line.
    pub fn go(self, x: f64, y: f64) -> Self {
        self.add('M', &[x, y])
    }

    /// Goes in straight lines through points, beginning at the first.
    pub fn through(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut points = points.into_iter();
        let first = points.next().map_or_else(Path::default, |(x, y)| Path::from(x, y));
        points.fold(first, |path, (x, y)| path.line(x, y))
    }

    /// A line to a point.
    pub fn line(self, x: f64, y: f64) -> Self {
        self.add('L', &[x, y])
    }

    /// A line by so much.
    pub fn by(self, right: f64, down: f64) -> Self {
        self.add('l', &[right, down])
    }

    /// A level line to `x`.
    pub fn level(self, x: f64) -> Self {
        self.add('H', &[x])
    }

    /// An upright line to `y`.
    pub fn upright(self, y: f64) -> Self {
        self.add('V', &[y])
    }

    /// A rectangle to the right of and below the point at which the path is.
    pub fn rectangle(self, width: f64, height: f64) -> Self {
        self.add('h', &[width]).add('v', &[height]).add('h', &[-width]).close()
    }

    /// A line back to the beginning.
    pub fn close(mut self) -> Self {
        self.0.push('z');
        self
    }

    /// This path, then another.
    pub fn then(mut self, other: &Path) -> Self {
        self.0.push_str(&other.0);
        self
    }

    fn add(mut self, command: char, numbers: &[f64]) -> Self {
        self.0.push(command);
        for (place, value) in numbers.iter().enumerate() {
            if place > 0 {
                self.0.push(' ');
            }
            self.0.push_str(&number(*value));
        }
        self
    }
}

impl Attribute for Path {
    fn text(&self) -> String {
        self.0.clone()
    }
}
