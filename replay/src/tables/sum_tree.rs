/// The largest mass, so that no sum of masses is infinite.
const LARGEST: f64 = 1e290;

/// Masses at numbered places, and their sums in a binary tree: setting a mass and finding a place by cumulative mass take
/// time in the logarithm of the number of places.
///
/// A parent is always computed as the sum of its two children and never incremented, so errors do not accumulate: the
/// total is that of the masses up to the rounding of one sum, however long the history.
#[derive(Clone, Debug)]
pub struct SumTree {
    /// The root is at 1, the children of `n` at `2n` and `2n + 1`, the masses in the second half.
    nodes: Vec<f64>,
}

impl Default for SumTree {
    fn default() -> Self {
        SumTree { nodes: vec![0.0; 2] }
    }
}

impl SumTree {
    /// Sets the mass at `place`; a negative or NaN mass counts as 0. The tree grows as needed.
    pub fn set(&mut self, place: usize, mass: f64) {
        while place >= self.capacity() {
            self.grow();
        }
        let mut node = self.capacity() + place;
        self.nodes[node] = if mass.is_nan() { 0.0 } else { mass.clamp(0.0, LARGEST) };
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// The mass at `place`; 0 where none was set.
    #[must_use]
    pub fn mass(&self, place: usize) -> f64 {
        self.nodes.get(self.capacity() + place).copied().unwrap_or(0.0)
    }

    /// The sum of all masses.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.nodes[1]
    }

    /// The place at which the cumulative mass passes `target` (0 ≤ `target` < total). Its mass is positive: rounding never leads to
    /// a place without mass. `None` where the total is 0.
    #[must_use]
    pub fn find(&self, mut target: f64) -> Option<usize> {
        if self.total() <= 0.0 {
            return None;
        }
        let mut node = 1;
        while node < self.capacity() {
            let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
            if target < left || right <= 0.0 {
                node *= 2;
            } else {
                target -= left;
                node = 2 * node + 1;
            }
        }
        Some(node - self.capacity())
    }

    fn capacity(&self) -> usize {
        self.nodes.len() / 2
    }

    fn grow(&mut self) {
        let masses = self.nodes.split_off(self.capacity());
        let capacity = 2 * masses.len();
        self.nodes = vec![0.0; 2 * capacity];
        self.nodes[capacity..capacity + masses.len()].copy_from_slice(&masses);
        for node in (1..capacity).rev() {
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }
}

#[cfg(test)]
#[path = "sum_tree_tests.rs"]
mod tests;
