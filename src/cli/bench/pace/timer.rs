//! A timer as fine as the system has one: that of the runtime counts in milliseconds, in which a server may answer a
//! hundred requests.

use std::io;
use std::time::Instant;

#[cfg(target_os = "linux")]
pub(super) use self::fine::Timer;

#[cfg(target_os = "linux")]
mod fine {
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    use super::{Instant, io};

    /// One thing at a time can be waited for.
    pub(in crate::cli::bench::pace) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        /// Within a runtime only.
        pub(in crate::cli::bench::pace) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(deprecated, reason = "what replaces it is `unsafe`, for types that close their file early")]
            Ok(Self(AsyncFd::new(timer)?))
        }

        /// Waits until then.
        pub(in crate::cli::bench::pace) async fn until(&self, then: Instant) -> io::Result<()> {
            loop {
                let left = then.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                let it_value = Timespec::try_from(left).map_err(io::Error::other)?;
                let once = Itimerspec { it_interval: Timespec::default(), it_value };
                // Also takes back that it went off before, so that it need not be read.
                timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
                self.0.readable().await?.clear_ready();
            }
        }
    }
}

/// The runtime's own.
#[cfg(not(target_os = "linux"))]
pub(super) struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits until then.
    pub(super) async fn until(&self, then: Instant) -> io::Result<()> {
        tokio::time::sleep_until(then.into()).await;
        Ok(())
    }
}
