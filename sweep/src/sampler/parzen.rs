//! A density over the unit cube from points: a mixture of one kernel a point and one that covers everything.

use rand::Rng;

use crate::space::{Range, Space};

/// Weight of words that a point does not have, in its kernel.
const OTHER_WORDS: f64 = 1.0;

/// The kernels of one parameter.
#[derive(Debug)]
enum Scale {
    /// Normal distributions that are cut off at 0 and 1.
    Numbers,
    /// So many words; the word of the point is so much likelier.
    Words { count: usize, likelier: f64 },
}

/// A point's place in one parameter, with the logarithm of what its kernel is divided by.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    center: f64,
    /// Of a number: its standard deviation.
    width: f64,
    log_norm: f64,
}

/// The density of some trials. A kernel is a product over the parameters; where the trial lacks one, it is uniform there.
#[derive(Debug)]
pub(super) struct Density {
    /// Of each point its kernels, one a parameter.
    points: Vec<Vec<Option<Kernel>>>,
    scales: Vec<Scale>,
}

impl Density {
    pub(super) fn new(space: &Space, points: &[Vec<Option<f64>>]) -> Self {
        let count = points.len() as f64;
        let scale = |range: &Range| match range {
            Range::Choice(words) => {
                Scale::Words { count: words.len(), likelier: count.max(1.0).sqrt() * 2.0 }
            }
            _ => Scale::Numbers,
        };
        let scales: Vec<Scale> = space.parameters.iter().map(|parameter| scale(&parameter.range)).collect();
        let widths: Vec<f64> =
            space.parameters.iter().map(|parameter| width(&parameter.range, points.len(), space)).collect();
        let kernel = |point: usize, place: usize| {
            let (center, width) = (points[point][place]?, widths[place]);
            Some(Kernel { center, width, log_norm: scales[place].log_norm(center, width) })
        };
        let kernels = |point: usize| (0..space.dimensions()).map(|place| kernel(point, place)).collect();
        Density { points: (0..points.len()).map(kernels).collect(), scales }
    }

    /// Draws a point; the kernel that covers everything is as likely as any other.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> Vec<f64> {
        let kernel = rng.random_range(0..=self.points.len());
        let mut draw = |(dimension, scale): (usize, &Scale)| match self
            .points
            .get(kernel)
            .and_then(|point| point[dimension])
        {
            Some(kernel) => scale.draw(kernel, rng),
            None => rng.random(),
        };
        self.scales.iter().enumerate().map(&mut draw).collect()
    }

    /// The logarithm of the density at `point`, over the parameters that it has.
    pub(super) fn log_at(&self, point: &[Option<f64>]) -> f64 {
        let kernel = |kernels: &Vec<Option<Kernel>>| -> f64 {
            let factors = self.scales.iter().zip(kernels.iter().zip(point));
            factors
                .map(|(scale, pair)| match pair {
                    (Some(kernel), Some(place)) => scale.log_at(*kernel, *place),
                    _ => 0.0,
                })
                .sum()
        };
        let logs: Vec<f64> = self.points.iter().map(kernel).chain([0.0]).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|log| libm::exp(log - most)).sum();
        most + libm::log(sum / logs.len() as f64)
    }
}

impl Scale {
    fn draw(&self, kernel: Kernel, rng: &mut impl Rng) -> f64 {
        let center = kernel.center;
        match self {
            Scale::Numbers => cut_normal(center, kernel.width, rng),
            Scale::Words { count, likelier } => {
                let stays = likelier / (likelier + OTHER_WORDS);
                if rng.random::<f64>() < stays {
                    center
                } else {
                    (rng.random_range(0..*count) as f64 + 0.5) / *count as f64
                }
            }
        }
    }

    /// The logarithm of what the kernel at a center is divided by.
    fn log_norm(&self, center: f64, width: f64) -> f64 {
        match self {
            Scale::Numbers => {
                let within = normal_below((1.0 - center) / width) - normal_below(-center / width);
                libm::log(width * (2.0 * std::f64::consts::PI).sqrt() * within)
            }
            Scale::Words { likelier, .. } => libm::log(likelier + OTHER_WORDS),
        }
    }

    /// The logarithm of the density (of words: times their number, so that uniform is 0).
    fn log_at(&self, kernel: Kernel, place: f64) -> f64 {
        match self {
            Scale::Numbers => {
                let deviation = (place - kernel.center) / kernel.width;
                -0.5 * deviation * deviation - kernel.log_norm
            }
            Scale::Words { count, likelier } => {
                let word = |place: f64| ((place * *count as f64) as usize).min(count - 1);
                let own = if word(kernel.center) == word(place) { likelier * *count as f64 } else { 0.0 };
                libm::log(own + OTHER_WORDS) - kernel.log_norm
            }
        }
    }
}

/// The width of kernels in one parameter: Scott's rule, as in multivariate TPE (Falkner et al. 2018), never narrower than a step.
fn width(range: &Range, points: usize, space: &Space) -> f64 {
    // Narrower than the 0.2 that others take: it finds as good settings early and better ones late (docs/performance.md).
    const ONE_POINT: f64 = 0.12;
    let scott = libm::pow(points.max(1) as f64, -1.0 / (space.dimensions() as f64 + 4.0));
    let step = range.count().map_or(0.0, |count| 0.5 / count as f64);
    (ONE_POINT * scott).max(step)
}

/// A normal number between 0 and 1 around a center between 0 and 1.
fn cut_normal(center: f64, width: f64, rng: &mut impl Rng) -> f64 {
    // At least a third of all draws are within, whatever the width below 1: a hundred that are not don't happen.
    for _ in 0..100 {
        let (one, two): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        let normal = (-2.0 * libm::log(one)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * two);
        let place = center + width * normal;
        if (0.0..=1.0).contains(&place) {
            return place;
        }
    }
    center
}

/// The probability that a normal number is below `deviations`.
fn normal_below(deviations: f64) -> f64 {
    0.5 * libm::erfc(-deviations / std::f64::consts::SQRT_2)
}
