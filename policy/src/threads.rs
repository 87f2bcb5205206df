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
    let threads =
        if threads == 0 { std::thread::available_parallelism().map_or(1, Into::into) } else { threads };
    tch::set_num_threads(threads as i32);
}
