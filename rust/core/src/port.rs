//! Search for the first free TCP port.

use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::{Decline, NativeResult};

/// The original never tries the last port.
const END: u16 = u16::MAX;

/// Binds ports of all interfaces, from `start` on and without `SO_REUSEADDR`, until one is
/// free. `busy` is asked before going on to the next.
///
/// # Errors
/// `Os` if there is no socket to be had; `Value` if no port is free; what `busy` returns.
pub fn first_free(start: u16, mut busy: impl FnMut(u16) -> NativeResult<()>) -> NativeResult<u16> {
    // A socket whose bind failed is as good as new, so one serves all ports.
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(|_| Decline::Os)?;
    for port in start..END {
        if bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
        busy(port)?;
    }
    Err(Decline::Value)
}

#[cfg(test)]
mod tests {
    use super::first_free;
    use crate::Decline;
    use std::net::TcpListener;

    #[test]
    fn busy_ports_are_passed() {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let taken = listener.local_addr().expect("an address").port();
        let mut seen = Vec::new();
        let found = first_free(taken, |port| {
            seen.push(port);
            Ok(())
        });
        assert!(found.expect("a free port") > taken);
        assert_eq!(seen[0], taken);
    }

    #[test]
    fn a_refusal_stops_the_search() {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let taken = listener.local_addr().expect("an address").port();
        assert_eq!(first_free(taken, |_| Err(Decline::Logging)), Err(Decline::Logging));
    }

    #[test]
    fn the_last_port_is_never_tried() {
        assert_eq!(first_free(65535, |_| Ok(())), Err(Decline::Value));
    }
}
