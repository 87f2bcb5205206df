//! Assigns whole graphs to parts, for a minibatch of many graphs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;

use crate::EdgeList;

/// The connected component of each node, direction ignored; components are numbered by their first node.
#[must_use]
pub fn components(list: &EdgeList) -> Vec<u32> {
    let mut parents: Vec<u32> = (0_u32..).take(list.nodes()).collect();
    for (source, target) in list.iter() {
        let (a, b) = (root(&mut parents, source), root(&mut parents, target));
        // The smaller root remains the root, so a root is always the first node of its component.
        parents[a.max(b) as usize] = a.min(b);
    }
    number_by_root(&mut parents)
}

/// Turns roots into numbers in the order of first nodes.
fn number_by_root(parents: &mut [u32]) -> Vec<u32> {
    let mut numbers = vec![0; parents.len()];
    let mut count = 0;
    for node in (0_u32..).take(parents.len()) {
        let first = root(parents, node);
        if first == node {
            numbers[node as usize] = count;
            count += 1;
        } else {
            numbers[node as usize] = numbers[first as usize];
        }
    }
    numbers
}

/// The root of `node`'s tree, with path halving (Tarjan & van Leeuwen 1984).
fn root(parents: &mut [u32], mut node: u32) -> u32 {
    while parents[node as usize] != node {
        let above = parents[parents[node as usize] as usize];
        parents[node as usize] = above;
        node = above;
    }
    node
}

/// The part of each of many graphs (or components) of the given weights: heaviest first onto the lightest part, lower
/// number first where they tie. The heaviest part exceeds the best possible by a third at most (Graham 1969).
#[must_use]
pub fn balance(weights: &[u64], parts: NonZeroU32) -> Vec<u32> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|item| Reverse(weights[*item]));
    let mut loads: BinaryHeap<Reverse<(u64, u32)>> =
        (0..parts.get()).map(|part| Reverse((0, part))).collect();
    let mut assignment = vec![0; weights.len()];
    for item in order {
        if let Some(mut lightest) = loads.peek_mut() {
            let Reverse((load, part)) = &mut *lightest;
            assignment[item] = *part;
            *load += weights[item];
        }
    }
    assignment
}
