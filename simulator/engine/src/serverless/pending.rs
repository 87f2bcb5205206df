//! Invocations that wait: by arrival over all, and by arrival within each function. Any of them can leave in constant
//! time.

/// End of a list.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Links {
    next: u32,
    previous: u32,
    next_alike: u32,
    previous_alike: u32,
    function: u32,
    waits: bool,
}

const UNLINKED: Links = Links {
    next: NONE,
    previous: NONE,
    next_alike: NONE,
    previous_alike: NONE,
    function: NONE,
    waits: false,
};

#[derive(Clone, Copy, Debug)]
struct Line {
    first: u32,
    last: u32,
    count: u32,
    /// Place among the functions with waiting invocations.
    place: u32,
}

/// The queue of an episode. Invocations are places among the jobs in the system.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    links: Vec<Links>,
    first: u32,
    last: u32,
    count: usize,
    lines: Vec<Line>,
    /// Functions with waiting invocations, in no order.
    active: Vec<u32>,
}

impl Pending {
    pub fn new(functions: usize) -> Self {
        let empty = Line { first: NONE, last: NONE, count: 0, place: NONE };
        Pending {
            links: Vec::new(),
            first: NONE,
            last: NONE,
            count: 0,
            lines: vec![empty; functions],
            active: Vec::new(),
        }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn contains(&self, invocation: u32) -> bool {
        self.links.get(invocation as usize).is_some_and(|links| links.waits)
    }

    /// Functions with waiting invocations, in no order.
    #[inline]
    pub fn active(&self) -> &[u32] {
        &self.active
    }

    /// Place of the oldest invocation that waits for `function`, and their number; at least one must wait.
    #[inline]
    pub fn head(&self, function: u32) -> (u32, u32) {
        let line = &self.lines[function as usize];
        (line.first, line.count)
    }

    /// Places of all waiting invocations, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let start = Some(self.first).filter(|&first| first != NONE);
        std::iter::successors(start, |&at| Some(self.links[at as usize].next).filter(|&next| next != NONE))
    }

    /// Places of the invocations that wait for `function`, oldest first.
    pub fn line(&self, function: u32) -> impl Iterator<Item = u32> + '_ {
        let start = Some(self.lines[function as usize].first).filter(|&first| first != NONE);
        std::iter::successors(start, |&at| {
            Some(self.links[at as usize].next_alike).filter(|&next| next != NONE)
        })
    }

    /// Adds the newest.
    pub fn push(&mut self, invocation: u32, function: u32) {
        if self.links.len() <= invocation as usize {
            self.links.resize(invocation as usize + 1, UNLINKED);
        }
        let line = &mut self.lines[function as usize];
        if line.count == 0 {
            line.place = self.active.len() as u32;
            line.first = invocation;
            self.active.push(function);
        }
        self.links[invocation as usize] = Links {
            next: NONE,
            previous: self.last,
            next_alike: NONE,
            previous_alike: if line.count == 0 { NONE } else { line.last },
            function,
            waits: true,
        };
        if line.count > 0 {
            self.links[line.last as usize].next_alike = invocation;
        }
        line.last = invocation;
        line.count += 1;
        match self.last {
            NONE => self.first = invocation,
            last => self.links[last as usize].next = invocation,
        }
        self.last = invocation;
        self.count += 1;
    }

    /// Puts back an invocation older than many that wait now; `older(a, b)` tells whether a arrived before b.
    pub fn put_back(&mut self, invocation: u32, function: u32, older: impl Fn(u32, u32) -> bool) {
        let mut newer: Vec<u32> = self.iter().filter(|&one| older(invocation, one)).collect();
        // Rare (a node failed), so the simplest way will do: all that came later leave and come again.
        let functions: Vec<u32> = newer.iter().map(|&one| self.links[one as usize].function).collect();
        newer.iter().zip(&functions).for_each(|(&one, &function)| self.remove(one, function));
        self.push(invocation, function);
        newer.drain(..).zip(functions).for_each(|(one, function)| self.push(one, function));
    }

    /// Takes one out that waits for `function`.
    pub fn remove(&mut self, invocation: u32, function: u32) {
        let links = self.links[invocation as usize];
        match links.previous {
            NONE => self.first = links.next,
            previous => self.links[previous as usize].next = links.next,
        }
        match links.next {
            NONE => self.last = links.previous,
            next => self.links[next as usize].previous = links.previous,
        }
        let line = &mut self.lines[function as usize];
        match links.previous_alike {
            NONE => line.first = links.next_alike,
            previous => self.links[previous as usize].next_alike = links.next_alike,
        }
        match links.next_alike {
            NONE => line.last = links.previous_alike,
            next => self.links[next as usize].previous_alike = links.previous_alike,
        }
        line.count -= 1;
        if line.count == 0 {
            let place = line.place as usize;
            self.active.swap_remove(place);
            if let Some(&moved) = self.active.get(place) {
                self.lines[moved as usize].place = place as u32;
            }
        }
        self.links[invocation as usize].waits = false;
        self.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_list_in_order(functions in prop::collection::vec(0_u32..4, 1..60), removals in prop::collection::vec(any::<prop::sample::Index>(), 0..60)) {
            let mut pending = Pending::new(4);
            let mut expected: Vec<u32> = Vec::new();
            for (invocation, &function) in functions.iter().enumerate() {
                pending.push(invocation as u32, function);
                expected.push(invocation as u32);
            }
            if functions.len() > 3 {
                pending.remove(1, functions[1]);
                pending.put_back(1, functions[1], |one, other| one < other);
            }
            for removal in removals {
                if expected.is_empty() {
                    break;
                }
                let gone = expected.remove(removal.index(expected.len()));
                pending.remove(gone, functions[gone as usize]);
                prop_assert!(!pending.contains(gone));
                prop_assert_eq!(pending.iter().collect::<Vec<_>>(), expected.clone());
                for &function in pending.active() {
                    let alike: Vec<u32> =
                        expected.iter().copied().filter(|&one| functions[one as usize] == function).collect();
                    prop_assert_eq!(pending.head(function), (alike[0], alike.len() as u32));
                    prop_assert_eq!(pending.line(function).collect::<Vec<_>>(), alike);
                }
            }
        }
    }
}
