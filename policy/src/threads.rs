//! The threads of tensor operations.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// How libgomp's threads wait for each other, which it reads when it is loaded.
const WAIT_POLICY: &str = "OMP_WAIT_POLICY";
const SPIN_COUNT: &str = "GOMP_SPINCOUNT";

/// Has the threads of tensor operations sleep while they wait for each other. libgomp has them spin, which takes the time of the
/// threads that they wait for where other programs use the cores, or a quota limits them (docs/decisions/waiting-threads.md).
/// It reads this when it is loaded, before `main`, so the program starts itself anew, once. For the start of a program: the
/// process keeps its id and its arguments. Where the environment says how to wait, it stays so.
pub fn let_waiting_threads_sleep() {
    if [WAIT_POLICY, SPIN_COUNT].iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    let (Ok(program), mut arguments) = (std::env::current_exe(), std::env::args_os()) else { return };
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It only returns where the program cannot be started anew; then the threads spin.
    let _ = command.args(arguments).env(WAIT_POLICY, "PASSIVE").exec();
}

/// Sets the number of threads for tensor operations in this process; 0 means one per core, of which a quota of the process may
/// allow fewer.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(or_all(threads) as i32);
}

fn or_all(threads: usize) -> usize {
    if threads == 0 { std::thread::available_parallelism().map_or(1, Into::into) } else { threads }
}

/// After so many pieces of work the other number of threads is tried.
const TRY_OTHER_AFTER: u32 = 32;
/// How much a new time counts beside those before.
const NEWEST: f64 = 0.3;

/// Whether one thread computes or as many as the process has, whichever was faster of late. Where other programs use the cores, or
/// a quota limits the process, more threads can be slower than one. Results differ in their last bits with the number of threads.
#[derive(Clone, Debug)]
pub struct ThreadChoice {
    most: usize,
    seconds: [Option<f64>; 2],
    since_other: u32,
}

impl ThreadChoice {
    /// Between one thread and so many; 0 means one per core, as for [`set_threads`].
    #[must_use]
    pub fn up_to(threads: usize) -> Self {
        ThreadChoice { most: or_all(threads), seconds: [None; 2], since_other: 0 }
    }

    /// Does a piece of work of so many equal `units`.
    pub fn run<T>(&mut self, units: usize, work: impl FnOnce() -> T) -> T {
        if self.most < 2 {
            return work();
        }
        let place = self.next();
        tch::set_num_threads(if place == 0 { 1 } else { self.most as i32 });
        let start = std::time::Instant::now();
        let done = work();
        tch::set_num_threads(self.most as i32);
        self.took(place, start.elapsed().as_secs_f64() / units.max(1) as f64);
        done
    }

    /// 0: one thread, 1: all.
    fn next(&self) -> usize {
        match self.seconds {
            [_, None] => 1,
            [None, _] => 0,
            [Some(one), Some(all)] => usize::from((all <= one) != (self.since_other >= TRY_OTHER_AFTER)),
        }
    }

    fn took(&mut self, place: usize, seconds: f64) {
        let is_usual = self.since_other < TRY_OTHER_AFTER;
        self.since_other = if is_usual { self.since_other + 1 } else { 0 };
        // What was last tried long ago says nothing about now.
        self.seconds[place] = Some(match self.seconds[place] {
            Some(before) if is_usual => before + NEWEST * (seconds - before),
            _ => seconds,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of so many pieces, how many went to one thread where the two took such times.
    fn with_one(choice: &mut ThreadChoice, pieces: u32, times: [f64; 2]) -> u32 {
        let places = (0..pieces).map(|_| {
            let place = choice.next();
            choice.took(place, times[place]);
            u32::from(place == 0)
        });
        places.sum()
    }

    #[test]
    fn the_faster_number_of_threads_is_used_and_the_other_tried_now_and_then() {
        let mut choice = ThreadChoice::up_to(2);
        let idle = with_one(&mut choice, 1000, [1.0, 0.6]);
        assert!((20..40).contains(&idle), "{idle} of 1000 with one thread while the cores are free");
        // Somebody else takes a core.
        let busy = with_one(&mut choice, 1000, [1.0, 1.5]);
        assert!(busy > 940, "{busy} of 1000 with one thread while a core is taken");
        let idle = with_one(&mut choice, 1000, [1.0, 0.6]);
        assert!(idle < 80, "{idle} of 1000 with one thread when it is free again");
    }
}
