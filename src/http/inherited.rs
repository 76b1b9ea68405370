//! Sockets that whoever started the program has opened for it: systemd's socket activation (`sd_listen_fds(3)`).

use std::io;
use std::net::TcpListener;
use std::os::fd::RawFd;
use std::os::unix::net::UnixListener;
use std::sync::{LazyLock, Mutex, PoisonError};

use listenfd::ListenFd;

/// The first of them, by the protocol.
const FIRST: RawFd = 3;

static INHERITED: LazyLock<Mutex<ListenFd>> = LazyLock::new(|| Mutex::new(ListenFd::from_env()));

/// A socket that was inherited.
pub(super) enum Inherited {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Finds out which sockets were inherited. It takes the variables that tell so out of the environment, so it comes before
/// there are other threads, which might read it.
pub fn find_inherited_sockets() {
    LazyLock::force(&INHERITED);
}

/// Takes the socket with this descriptor; each can be taken once.
pub(super) fn take(descriptor: RawFd) -> io::Result<Inherited> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "no such socket was handed over, as systemd does");
    let at = usize::try_from(descriptor - FIRST).map_err(|_| missing())?;
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    if at >= inherited.len() {
        return Err(missing());
    }
    let socket = match inherited.take_tcp_listener(at) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            inherited.take_unix_listener(at)?.map(Inherited::Unix)
        }
        taken => taken?.map(Inherited::Tcp),
    };
    let socket = socket.ok_or_else(missing)?;
    match &socket {
        Inherited::Tcp(listener) => listener.set_nonblocking(true)?,
        Inherited::Unix(listener) => listener.set_nonblocking(true)?,
    }
    Ok(socket)
}
