//! `gatepost serve`: both listeners, until the program is told to stop.

mod demo;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::demo::{Demo, DemoFolder};
use super::failure::UsageError;
use super::output::Output;
use super::settings::Settings;
use crate::app::{self, App, Bound};
use crate::clock::SystemClock;
use crate::config::{Config, FlagValue, LogFormat};
use crate::http::find_inherited_sockets;
use crate::model::ListenAddress;
use crate::telemetry::log;

/// Serve proxies, people and programs
///
/// SIGTERM and SIGINT finish what is in flight and end the program. Changes of the policies are put into force when the
/// files have changed, and at SIGHUP, which also opens the logs of decisions again.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost serve           with the database in ./gatepost-data
  gatepost serve --demo    with a throw-away database, and curl lines to try
  gatepost serve --listen unix:/run/gatepost/decision.sock
  gatepost serve --listen fd:3 --portal-listen fd:4    on sockets that systemd has opened
  gatepost serve --demo --listen 127.0.0.1:0 --portal-listen 127.0.0.1:0 --output json")]
pub(super) struct Serve {
    /// Where proxies ask [default: 127.0.0.1:7180]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where people and programs come [default: 127.0.0.1:7181]
    #[arg(long, value_name = "ADDRESS")]
    portal_listen: Option<String>,
    /// Serve a throw-away database with an organization, an application, and a user for each role
    #[arg(long)]
    demo: bool,
}

/// Where a server without a demonstration listens.
#[derive(Serialize)]
struct Listening {
    decision: String,
    portal: String,
}

/// What tells the program to stop, and to read its policies and open its logs again.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Serve {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        if settings.names_server()? {
            let message = "this starts a server on this machine: leave out --server, and unset GATEPOST_SERVER";
            return Err(UsageError::new(message).into());
        }
        if self.demo && settings.names_store() {
            return Err(UsageError::new("--demo has a database of its own: leave out --store").into());
        }
        // The folder outlives everything that has files in it.
        let folder = self.demo.then(DemoFolder::make).transpose()?;
        let (config, _) = settings.load(self.flags(folder.as_ref())?)?;
        let format = match config.log.format {
            LogFormat::Auto => log::Format::automatic(),
            LogFormat::Text => log::Format::Text,
            LogFormat::Json => log::Format::Json,
        };
        log::init(format, &config.log.level)?;
        find_inherited_sockets();
        let runtime = Runtime::new().context("cannot start")?;
        // Before anything else, so that the demonstration's folder is removed whenever the program is told to stop.
        let signals = {
            let _inside = runtime.enter();
            Signals::install().context("cannot listen for signals")?
        };
        let proofs = app::proofs(&config.policy);
        let early = {
            let _inside = runtime.enter();
            let signals = Signals::install().context("cannot listen for signals")?;
            runtime.spawn(stop_on(signals, proofs.stopper()))
        };
        let app = Arc::new(App::open_proving(&config, Arc::new(SystemClock), proofs)?);
        early.abort();
        let demo = self.demo.then(|| Demo::seed(&app)).transpose().context("cannot fill the demo's database")?;
        runtime.block_on(serve(app, &config, demo.as_ref(), signals, settings.output()))?;
        Ok(ExitCode::SUCCESS)
    }

    fn flags(&self, folder: Option<&DemoFolder>) -> Result<Vec<FlagValue>> {
        let own =
            [("decision.listen", "--listen", &self.listen), ("portal.listen", "--portal-listen", &self.portal_listen)];
        let own = own.into_iter().filter_map(|(key, flag, value)| Some(FlagValue { key, flag, value: value.clone()? }));
        let demo = folder.map(DemoFolder::flags).transpose()?.unwrap_or_default();
        Ok(own.chain(demo).collect())
    }
}

async fn serve(app: Arc<App>, config: &Config, demo: Option<&Demo>, signals: Signals, output: Output) -> Result<()> {
    let bound = Bound::bind(Arc::clone(&app), config).await?;
    let (decision, portal) = (bound.decision_address(), bound.portal_address());
    tracing::info!(%decision, %portal, "listening");
    if let Some(fastcgi) = bound.fastcgi_address() {
        tracing::info!(%fastcgi, "listening");
    }
    match demo {
        Some(demo) => output.either(&demo.document(decision, portal), || Ok(demo.text(decision, portal)))?,
        None => {
            let mut listening = Listening { decision: url(decision), portal: url(portal) };
            if config.decision.tls.is_some() {
                listening.decision = listening.decision.replacen("http:", "https:", 1);
            }
            output.either(&listening, || Ok(String::new()))?;
        }
    }
    let Signals { mut terminate, mut interrupt, hangup } = signals;
    let reloading = tokio::spawn(reload_on(hangup, app));
    bound
        .serve(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping: no new connections, finishing what is in flight");
        })
        .await;
    reloading.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Calls `stop` when the program is told to stop: these signals reach whoever listens for them later as well.
async fn stop_on(signals: Signals, stop: impl Fn()) {
    let Signals { mut terminate, mut interrupt, .. } = signals;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop();
}

async fn reload_on(mut hangup: Signal, app: Arc<App>) {
    while hangup.recv().await.is_some() {
        let app = Arc::clone(&app);
        let reload = move || {
            app.gate.reopen_logs();
            // How it went is logged and counted there.
            let _ = app.reload_policies();
        };
        let _ = tokio::task::spawn_blocking(reload).await;
    }
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Where a client on this machine reaches the listener.
fn url(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(match address.ip() {
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                });
            }
            format!("http://{address}")
        }
        ListenAddress::Unix(_) | ListenAddress::Inherited(_) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        for (listen, expected) in [
            ("127.0.0.1:7180", "http://127.0.0.1:7180"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:7180", "http://[::1]:7180"),
            ("192.0.2.1:7180", "http://192.0.2.1:7180"),
            ("unix:/run/d.sock", "unix:/run/d.sock"),
        ] {
            assert_eq!(url(&listen.parse().unwrap()), expected);
        }
    }
}
