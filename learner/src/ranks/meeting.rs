//! Where the ranks meet, and which rank this process is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use crate::LearnerError;

/// How one rank finds the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Processes in all.
    pub size: usize,
    /// Where rank 0 serves the store.
    pub master: SocketAddr,
    /// Deadline of every operation of all ranks.
    pub deadline: Duration,
    /// Number of this process on its machine (`LOCAL_RANK`), where it is set.
    pub local_rank: Option<usize>,
}

const VARIABLES: [&str; 4] = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];

impl Meeting {
    /// What `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` say, as every PyTorch job has them; `None` where none is set.
    /// `insecure` allows to meet beyond loopback, where ranks neither encrypt nor authenticate.
    ///
    /// # Errors
    /// [`LearnerError::Config`] where one is missing or wrong, [`LearnerError::InsecureRanks`] for an address beyond loopback that
    /// was not allowed.
    pub fn of_environment(
        read: impl Fn(&str) -> Option<String>,
        deadline: Duration,
        insecure: bool,
    ) -> Result<Option<Self>, LearnerError> {
        let values = VARIABLES.map(|name| read(name).filter(|value| !value.is_empty()));
        if values.iter().all(Option::is_none) {
            return Ok(None);
        }
        if let Some(missing) = values.iter().position(Option::is_none) {
            let message = format!(
                "{} is not set, but others of {} are: a rank needs all four, or none where it is alone",
                VARIABLES[missing],
                VARIABLES.join(", ")
            );
            return Err(LearnerError::Config(message));
        }
        let [rank, size, host, port] = values.map(Option::unwrap_or_default);
        let (rank, size) = (number("RANK", &rank)?, number("WORLD_SIZE", &size)?);
        if rank >= size {
            let message =
                format!("RANK is {rank}, which is not below WORLD_SIZE ({size}): ranks count from 0");
            return Err(LearnerError::Config(message));
        }
        let port = u16::try_from(number("MASTER_PORT", &port)?)
            .map_err(|_| LearnerError::Config(format!("MASTER_PORT is {port}, not a port (1 to 65535)")))?;
        let master = resolve(&host, port)?;
        if !master.ip().is_loopback() && !insecure {
            return Err(LearnerError::InsecureRanks { address: master });
        }
        let local_rank = read("LOCAL_RANK").map(|value| number("LOCAL_RANK", &value)).transpose()?;
        Ok(Some(Meeting { rank, size, master, deadline, local_rank }))
    }

    /// Rank 0's listener. Beyond loopback it takes every address of the machine: a name may lead here by a way around.
    pub(super) fn listen(&self) -> Result<TcpListener, LearnerError> {
        let address = match self.master {
            loopback if loopback.ip().is_loopback() => loopback,
            SocketAddr::V4(master) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, master.port())),
            SocketAddr::V6(master) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, master.port())),
        };
        TcpListener::bind(address).map_err(|error| {
            LearnerError::RanksNotMet(format!(
                "rank 0 cannot listen on {address} (MASTER_ADDR, MASTER_PORT): {error}"
            ))
        })
    }

    /// The address of this machine on the way to rank 0.
    pub(super) fn own_address(&self) -> Result<IpAddr, LearnerError> {
        if self.master.ip().is_loopback() {
            return Ok(self.master.ip());
        }
        let any: IpAddr = match self.master {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let find = || {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(self.master)?;
            socket.local_addr()
        };
        find().map(|address| address.ip()).map_err(|error| {
            LearnerError::RanksNotMet(format!("no way from here to rank 0 at {}: {error}", self.master))
        })
    }
}

fn number(name: &str, value: &str) -> Result<usize, LearnerError> {
    value.parse().map_err(|_| LearnerError::Config(format!("{name} is `{value}`, not a number")))
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, LearnerError> {
    let wrong = |why: String| LearnerError::Config(format!("MASTER_ADDR is `{host}`: {why}"));
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
    addresses.next().ok_or_else(|| wrong("it has no address".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meeting(values: [&str; 4], insecure: bool) -> Result<Option<Meeting>, String> {
        let read = |name: &str| {
            if name == "LOCAL_RANK" {
                return Some("1".to_owned());
            }
            let place = VARIABLES.iter().position(|other| *other == name)?;
            Some(values[place].to_owned())
        };
        Meeting::of_environment(read, Duration::from_secs(1), insecure).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_environment_says_is_checked() {
        let master = "127.0.0.1:29500".parse().unwrap();
        let expected =
            Meeting { rank: 1, size: 2, master, deadline: Duration::from_secs(1), local_rank: Some(1) };
        assert_eq!(meeting(["1", "2", "127.0.0.1", "29500"], false), Ok(Some(expected)));
        assert_eq!(meeting(["", "", "", ""], false), Ok(None));
        for (values, part) in [
            (["1", "2", "", "29500"], "MASTER_ADDR is not set"),
            (["x", "2", "127.0.0.1", "29500"], "RANK is `x`"),
            (["2", "2", "127.0.0.1", "29500"], "not below WORLD_SIZE"),
            (["0", "2", "127.0.0.1", "70000"], "MASTER_PORT"),
            (["0", "2", "nobody.invalid", "29500"], "MASTER_ADDR is `nobody.invalid`"),
            (["0", "2", "192.0.2.1", "29500"], "transport.insecure"),
        ] {
            let error = meeting(values, false).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(meeting(["0", "2", "192.0.2.1", "29500"], true).unwrap().is_some());
    }
}
