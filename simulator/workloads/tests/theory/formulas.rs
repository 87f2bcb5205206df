//! What queueing theory says.

/// Mean wait of M/M/c with mean service 1 and load `rho` (Erlang C).
pub fn erlang_c_wait(servers: u32, rho: f64) -> f64 {
    let offered = rho * f64::from(servers);
    let blocked = (1..=servers).fold(1.0, |b, k| offered * b / (f64::from(k) + offered * b));
    let waits = blocked / (1.0 - rho * (1.0 - blocked));
    waits / (f64::from(servers) * (1.0 - rho))
}

/// Mean wait of M/G/1 with mean service 1 (Pollaczek and Khinchine).
pub fn pollaczek_khinchine_wait(second_moment: f64, rho: f64) -> f64 {
    rho * second_moment / (2.0 * (1.0 - rho))
}

/// Mean sojourn of M/G/1 processor sharing with mean service 1, whatever the law.
pub fn processor_sharing_sojourn(rho: f64) -> f64 {
    1.0 / (1.0 - rho)
}

/// Share of cold starts of Poisson arrivals at `rate` with exponential service of mean 1, when idle containers are kept
/// for `keep_alive` and the most recently used is taken first.
///
/// An arrival is cold exactly when it brings more invocations into the system than there were at any time in the last
/// `keep_alive`: every departure leaves a container, and the last one down to the level that the arrival finds is still there
/// unless it is longer ago. Arrivals see M/M/∞ in its steady state (Poisson of mean `rate`), which looks the same backwards;
/// so it is the chance that the chain, begun at n, does not come to n + 1 within `keep_alive`.
pub fn cold_share(rate: f64, keep_alive: f64) -> f64 {
    let mut here = (-rate).exp();
    let mut sum = 0.0;
    for level in 0..(20.0 + 3.0 * rate) as usize {
        sum += here * stays_below(level, rate, keep_alive);
        here *= rate / (level + 1) as f64;
    }
    sum
}

/// Chance that M/M/∞ with mean service 1, begun at `level`, does not exceed it within `time`; by uniformisation.
fn stays_below(level: usize, rate: f64, time: f64) -> f64 {
    let fastest = rate + level as f64;
    let mut chances = vec![0.0; level + 1];
    chances[level] = 1.0;
    let mut poisson = (-fastest * time).exp();
    let mut sum = 0.0;
    let mut steps = 0.0;
    while steps < 50.0 + 2.0 * fastest * time {
        sum += poisson * chances.iter().sum::<f64>();
        chances = stepped(&chances, rate, fastest);
        steps += 1.0;
        poisson *= fastest * time / steps;
    }
    sum
}

/// One step of the chain whose jumps come at rate `fastest`; who exceeds the highest level is lost.
fn stepped(chances: &[f64], rate: f64, fastest: f64) -> Vec<f64> {
    let mut next = vec![0.0; chances.len()];
    for (level, &chance) in chances.iter().enumerate() {
        let leaves = level as f64;
        next[level] += chance * (fastest - rate - leaves) / fastest;
        if level > 0 {
            next[level - 1] += chance * leaves / fastest;
        }
        if level + 1 < chances.len() {
            next[level + 1] += chance * rate / fastest;
        }
    }
    next
}
