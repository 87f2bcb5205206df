/// A figure with its interval, in any unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// Mean, where the mark is drawn.
    pub mean: f64,
    /// Lower end of its interval; not finite where that is not known.
    pub low: f64,
    /// Upper end, likewise.
    pub high: f64,
}

impl Value {
    /// A figure without an interval.
    #[must_use]
    pub fn exact(mean: f64) -> Self {
        Value { mean, low: mean, high: mean }
    }

    /// Both ends of the interval; where one is not known, the figure.
    pub(crate) fn ends(&self) -> (f64, f64) {
        let known = |end: f64| if end.is_finite() { end } else { self.mean };
        (known(self.low), known(self.high))
    }
}
