//! Runs a test's body in several processes on this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use torch_extension::process_group::{ProcessGroup, Store};

/// Longer than any operation here takes, shorter than anybody's patience.
pub const DEADLINE: Duration = Duration::from_secs(20);

const RANK: &str = "LONGSHORE_TEST_RANK";
const SIZE: &str = "LONGSHORE_TEST_SIZE";
const STORE: &str = "LONGSHORE_TEST_STORE";

/// One process of several.
pub struct Member {
    pub group: ProcessGroup,
    pub store: Store,
    pub address: SocketAddr,
}

impl Member {
    /// What the parent made this process for, or `None` in the parent.
    pub fn of_environment() -> Option<Self> {
        let number = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok();
        let (rank, size) = (number(RANK)?, number(SIZE)?);
        let address: SocketAddr = std::env::var(STORE).unwrap().parse().unwrap();
        let store = Store::connect(address, DEADLINE).unwrap();
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let group = ProcessGroup::gloo(&store, rank, size, host, DEADLINE).unwrap();
        Some(Member { group, store, address })
    }
}

/// Starts this test program once more for every rank, for the test `name` alone. The store lives here.
pub fn spawn(name: &str, size: usize) -> (Store, Vec<Child>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let store = Store::serve(listener, DEADLINE).unwrap();
    let child = |rank: usize| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(RANK, rank.to_string())
            .env(SIZE, size.to_string())
            .env(STORE, address.to_string())
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    };
    let children = (0..size).map(child).collect();
    (store, children)
}

/// Runs `body` in each of `size` processes; the test's process waits for them and fails where one does.
pub fn together(name: &str, size: usize, body: impl FnOnce(&mut Member)) {
    if let Some(mut member) = Member::of_environment() {
        body(&mut member);
        member.group.barrier().unwrap();
        return;
    }
    let (_store, children) = spawn(name, size);
    let ends: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap()).collect();
    assert!(ends.iter().all(std::process::ExitStatus::success), "{name} over {size} ranks: {ends:?}");
}
