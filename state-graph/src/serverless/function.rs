//! What is known of a function: estimates, arrivals, starts, and its containers and invocations as counts.

use common::SimTime;
use common::cluster::DurationEstimate;

/// Time constants over which arrival rates are averaged, seconds.
pub(super) const ARRIVAL_WINDOWS: [f64; 4] = [1.0, 10.0, 60.0, 600.0];
/// Weight of a new observation in the moving averages over starts and arrival gaps, a fraction.
pub(super) const NEW_WEIGHT: f64 = 0.05;

/// An average rate of events that decays exponentially from the last event on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct DecayingRate {
    value: f64,
    at: SimTime,
}

impl DecayingRate {
    /// Events a second, averaged over about `window` seconds.
    pub(super) fn value(&self, now: SimTime, window: f64) -> f64 {
        self.value * (-now.since(self.at).seconds() / window).exp()
    }

    pub(super) fn add(&mut self, now: SimTime, window: f64) {
        self.value = self.value(now, window) + 1.0 / window;
        self.at = now;
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FunctionState {
    pub(super) estimate: DurationEstimate,
    pub(super) arrivals: [DecayingRate; ARRIVAL_WINDOWS.len()],
    pub(super) last_arrival: Option<SimTime>,
    /// Moving mean (seconds) and mean square (seconds²) of the gaps between arrivals.
    pub(super) gap: [f64; 2],
    /// Fraction of recent starts that were cold, 0–1.
    pub(super) cold_share: f64,
    pub(super) pending: u32,
    pub(super) busy: u32,
    pub(super) idle: u32,
}

impl FunctionState {
    pub(super) fn arrive(&mut self, at: SimTime) {
        self.arrivals.iter_mut().zip(ARRIVAL_WINDOWS).for_each(|(rate, window)| rate.add(at, window));
        if let Some(last) = self.last_arrival {
            let gap = at.since(last).seconds();
            let [mean, square] = &mut self.gap;
            *mean += NEW_WEIGHT * (gap - *mean);
            *square += NEW_WEIGHT * (gap * gap - *square);
        }
        self.last_arrival = Some(at);
        self.pending += 1;
    }

    /// Arrivals a second, averaged over the window at `place` of [`ARRIVAL_WINDOWS`].
    pub(super) fn rate(&self, place: usize, now: SimTime) -> f64 {
        self.arrivals[place].value(now, ARRIVAL_WINDOWS[place])
    }

    /// Coefficient of variation of the gaps between arrivals, no unit; 0 before the second arrival.
    pub(super) fn gap_variation(&self) -> f64 {
        let [mean, square] = self.gap;
        if mean <= 0.0 { 0.0 } else { (square - mean * mean).max(0.0).sqrt() / mean }
    }

    /// When it is expected to be called next; `None` before the second arrival.
    pub(super) fn next_call(&self) -> Option<SimTime> {
        let last = self.last_arrival.filter(|_| self.gap[0] > 0.0)?;
        Some(last + SimTime::from_seconds(self.gap[0]))
    }

    /// Seconds since the last arrival; `None` before the first.
    pub(super) fn quiet_seconds(&self, now: SimTime) -> Option<f64> {
        self.last_arrival.map(|last| now.since(last).seconds())
    }

    /// Seconds of cold start that an idle container of the function is expected to save, each second.
    pub(super) fn warm_value(&self, now: SimTime) -> f64 {
        self.rate(ARRIVAL_WINDOWS.len() - 1, now) * self.estimate.cold_start
    }
}
