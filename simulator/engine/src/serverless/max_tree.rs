//! The largest of many values, which change one at a time: a tournament, O(log n) a change and O(1) a question.

/// Values by place.
#[derive(Clone, Debug)]
pub(super) struct MaxTree {
    /// Leaves lie behind `width`; each node before them holds the larger of its two children.
    nodes: Vec<u64>,
    width: usize,
}

impl MaxTree {
    pub fn new(values: impl ExactSizeIterator<Item = u64>) -> Self {
        let width = values.len().next_power_of_two();
        let mut nodes = vec![0; 2 * width];
        values.enumerate().for_each(|(place, value)| nodes[width + place] = value);
        for at in (1..width).rev() {
            nodes[at] = nodes[2 * at].max(nodes[2 * at + 1]);
        }
        MaxTree { nodes, width }
    }

    pub fn set(&mut self, place: usize, value: u64) {
        let mut at = self.width + place;
        if self.nodes[at] == value {
            return;
        }
        self.nodes[at] = value;
        while at > 1 {
            at /= 2;
            let larger = self.nodes[2 * at].max(self.nodes[2 * at + 1]);
            if self.nodes[at] == larger {
                return;
            }
            self.nodes[at] = larger;
        }
    }

    #[inline]
    pub fn max(&self) -> u64 {
        self.nodes[1]
    }

    /// The lowest place that holds the largest value.
    #[inline]
    pub fn argmax(&self) -> usize {
        let mut at = 1;
        while at < self.width {
            at = if self.nodes[2 * at] >= self.nodes[2 * at + 1] { 2 * at } else { 2 * at + 1 };
        }
        at - self.width
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_the_largest(mut values in prop::collection::vec(0_u64..9, 1..20), changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..9), 0..40)) {
            let mut tree = MaxTree::new(values.clone().into_iter());
            for (place, value) in changes {
                let place = place.index(values.len());
                values[place] = value;
                tree.set(place, value);
                let max = values.iter().copied().max().unwrap_or(0);
                prop_assert_eq!(tree.max(), max);
                prop_assert_eq!(Some(tree.argmax()), values.iter().position(|&value| value == max));
            }
        }
    }
}
