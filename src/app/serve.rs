//! Serving: the listeners, and what goes on beside them.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tower::ServiceExt;

use super::probes::AppProbes;
use super::watch::{Watched, follow};
use super::{App, AppError, source};
use crate::accounts::Actor;
use crate::api;
use crate::config::{self, Config, Decision};
use crate::gate::{AuthZen, Decider, DecisionService, Probes, Readers, Trust, ext_authz, others, serve_fastcgi};
use crate::http::listener::{Listener, Peer};
use crate::http::places::Standing;
use crate::http::serve::{ServeOptions, serve, serve_directly};
use crate::http::tls::{Tls, TlsError, TlsFiles};
use crate::model::{ListenAddress, Username};
use crate::store::Store;

/// How often the store is asked what other processes have changed.
const CATCH_UP_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether a new signing key is due.
const ROTATE_EVERY: Duration = Duration::from_secs(3_600);
/// How often it is looked whether the listener's certificate has changed.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(60);
/// How often mail that is due is sent, and the uses of keys are written down.
const KEEP_HOUSE_EVERY: Duration = Duration::from_secs(1);
/// How long the store may take to answer what is asked when the program ends.
const STORE_PATIENCE: Duration = Duration::from_secs(1);
/// How long the solver may take to end when the program does.
const SOLVER_PATIENCE: Duration = Duration::from_secs(5);
/// How long each log of decisions may take to write what is left when the program ends.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// An application with its listeners open: from now on connections queue, and are served by [`Bound::serve`].
pub struct Bound {
    app: Arc<App>,
    readers: Arc<Readers>,
    decision: Listener,
    tls: Option<Arc<Tls>>,
    fastcgi: Option<Listener>,
    portal: Listener,
    settings: Decision,
    authzen: config::AuthZen,
    trusted_proxies: Arc<[IpNet]>,
    /// The folders to watch, if they are to be.
    watched: Option<Watched>,
}

impl Bound {
    /// Opens the listeners, and starts the threads that read the store for decisions.
    pub async fn bind(app: Arc<App>, config: &Config) -> Result<Self, AppError> {
        let tls = config.decision.tls.as_ref().map(load_tls).transpose()?.map(Arc::new);
        let decision = Listener::bind(&config.decision.listen).await?.with_tls(tls.clone());
        let fastcgi = match &config.fastcgi {
            Some(address) => {
                let listener = Listener::bind(address).await?;
                // The configuration was asked already, but for where an inherited socket listens.
                if config.decision.certifies_peers() && listener.address().is_beyond_this_machine() {
                    return Err(AppError::FastCgi(listener.address().clone()));
                }
                Some(listener)
            }
            None => None,
        };
        let portal = Listener::bind(&config.portal.listen).await?;
        let (settings, trusted_proxies) = (config.decision.clone(), config.portal.trusted_proxies.as_slice().into());
        let gate = Arc::clone(&app.gate);
        // Never one alone: one that waits for its disk leaves another to go on.
        let threads = available_parallelism().map_or(2, |cores| cores.get().max(2));
        let readers = Readers::start(threads, move |question| gate.answer(&question.source, &question.headers));
        let readers = Arc::new(readers.map_err(AppError::Readers)?);
        let authzen = config.authzen.clone();
        // Before anything can replace them.
        let (first, callers) = (Arc::clone(&app), authzen.callers.clone());
        let recorded = tokio::task::spawn_blocking(move || {
            first.accounts.tell_of_refused_policies();
            first.accounts.record_first_policies();
            warn_of_free_names(first.store.as_ref(), &callers);
        });
        if let Err(error) = recorded.await {
            tracing::error!(%error, "the policies in force are not in the history");
        }
        let watched = config
            .policy
            .watch
            .then(|| Watched { source: source(&config.policy), shadow: config.policy.shadow.clone() });
        Ok(Self { app, readers, decision, tls, fastcgi, portal, settings, authzen, trusted_proxies, watched })
    }

    /// Where proxies ask: with the port that the system chose, if it was left to it.
    pub fn decision_address(&self) -> &ListenAddress {
        self.decision.address()
    }

    /// Where web servers ask by FastCGI, if they may.
    pub fn fastcgi_address(&self) -> Option<&ListenAddress> {
        self.fastcgi.as_ref().map(Listener::address)
    }

    /// Where people and programs come.
    pub fn portal_address(&self) -> &ListenAddress {
        self.portal.address()
    }

    /// Serves until `shutdown` is ready, then drains: finishes what is in flight, and writes out the logs of decisions.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { app, readers, decision, tls, fastcgi, portal, settings, authzen, trusted_proxies, watched } = self;
        let (stop, stopped) = watch::channel(());
        let probes: Arc<dyn Probes> = Arc::new(AppProbes(Arc::clone(&app)));
        let decider = Decider::new(Arc::clone(&app.gate), Arc::clone(&readers), settings.deadline);
        let url = authzen.url.map(|url| url.to_string()).or_else(|| match decision.address() {
            ListenAddress::Tcp(address) if !address.ip().is_unspecified() => {
                Some(format!("{}://{address}", if tls.is_some() { "https" } else { "http" }))
            }
            ListenAddress::Tcp(_) | ListenAddress::Unix(_) | ListenAddress::Inherited(_) => None,
        });
        let authzen = AuthZen::new(Arc::clone(&app.gate), authzen.callers, url, settings.deadline);
        let envoy = ext_authz::router(decider.clone(), &settings.headers);
        let others = others().merge(authzen.router()).merge(envoy);
        let (fastcgi_decider, fastcgi_settings) = (decider.clone(), settings.clone());
        let decision_settings = settings.clone();
        let decision_standing = move |peer: Peer| Trust::of(peer, &decision_settings).standing();
        let decision_service = move |peer: Peer| {
            let trust = Trust::of(peer, &settings);
            let service = DecisionService::new(decider.clone(), Arc::clone(&probes), others.clone(), peer, trust);
            let direct = service.direct();
            (service, direct)
        };
        // A proxy is one address for everybody behind it.
        let proxies = Arc::clone(&trusted_proxies);
        let portal_standing = move |peer: Peer| match peer {
            Peer::Tcp(address) | Peer::Certified(address) => {
                let address = address.ip().to_canonical();
                let is_proxy = proxies.iter().any(|network| network.contains(&address));
                if is_proxy { Standing::Trusted } else { Standing::Anybody }
            }
            Peer::Unix => Standing::Trusted,
        };
        let router = api::router(api::ApiState {
            accounts: Arc::clone(&app.accounts),
            verifier: Arc::clone(&app.verifier),
            keyring: Arc::clone(&app.keyring),
            clock: Arc::clone(&app.clock),
            trusted_proxies,
        });
        let portal_service = move |peer: Peer| {
            TowerToHyperService::new(router.clone().map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(peer);
                request
            }))
        };
        let stop_requested = |mut stopped: watch::Receiver<()>| async move {
            // An error means that the sender is gone, which is a reason to stop as well.
            let _ = stopped.changed().await;
        };
        let options = ServeOptions::default();
        let clock = Arc::clone(&app.clock);
        let stop_deciding = stop_requested(stopped.clone());
        let decisions =
            serve_directly(decision, decision_service, clock, decision_standing, options.clone(), stop_deciding);
        let fastcgi_stop = stop_requested(stopped.clone());
        let web_servers = async {
            if let Some(listener) = fastcgi {
                serve_fastcgi(listener, fastcgi_decider, fastcgi_settings, fastcgi_stop).await;
            }
        };
        // As long as a body may be.
        let options = ServeOptions { connection_window: 64 * 1024, ..options };
        let people = serve(portal, portal_service, portal_standing, options, stop_requested(stopped.clone()));
        let background = tokio::spawn(background(Arc::clone(&app), tls));
        let policies = watched.map(|watched| tokio::spawn(follow(Arc::clone(&app), watched)));
        tokio::join!(
            async {
                shutdown.await;
                app.engine.proofs().stop();
                let _ = stop.send(());
            },
            decisions,
            web_servers,
            people,
        );
        background.abort();
        if let Some(policies) = policies {
            policies.abort();
        }
        let flush = move || {
            if !readers.stop(STORE_PATIENCE) {
                tracing::warn!("the store has not answered what was asked");
            }
            if !app.engine.proofs().have_ended_within(SOLVER_PATIENCE) {
                tracing::warn!("the solver has not ended");
            }
            app.gate.flush_logs(LOG_PATIENCE)
        };
        let flushed = tokio::task::spawn_blocking(flush).await;
        if !matches!(flushed, Ok(true)) {
            tracing::warn!("the end of the decision log, or of the shadow log, was not written");
        }
    }
}

/// Whoever signs up under a name that the configuration already trusts would be trusted.
fn warn_of_free_names(store: &dyn Store, callers: &[Username]) {
    for caller in callers {
        match store.user_by_username(caller) {
            Ok(Some(_)) => {}
            Ok(None) => tracing::error!(
                %caller,
                "no user has this name of `authzen.callers`: whoever gets it may ask about everybody; add the \
                 user, or take the name out"
            ),
            Err(error) => tracing::error!(%error, %caller, "it cannot be told whose name of `authzen.callers` this is"),
        }
    }
}

fn load_tls(files: &config::Tls) -> Result<Tls, TlsError> {
    let config::Tls { certificate, key, client_ca } = files.clone();
    Tls::load(TlsFiles { certificate, key, client_ca })
}

fn reload_certificates(tls: &Tls) {
    match tls.reload_if_changed() {
        Ok(true) => tracing::info!("new certificates are in use"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the certificates have changed, and the old ones stay in use"),
    }
}

/// Keeps the caches coherent with the store, and the signing keys young.
async fn background(app: Arc<App>, tls: Option<Arc<Tls>>) {
    let mut housekeeping = tokio::task::spawn_blocking(|| {});
    let mut catch_up = tokio::time::interval(CATCH_UP_EVERY);
    catch_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut certificates = tokio::time::interval(CERTIFICATES_EVERY);
    let mut rotate = tokio::time::interval(ROTATE_EVERY);
    let mut keep_house = tokio::time::interval(KEEP_HOUSE_EVERY);
    keep_house.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let app = Arc::clone(&app);
        let done = tokio::select! {
            _ = catch_up.tick() => tokio::task::spawn_blocking(move || app.coherence.catch_up()).await,
            _ = certificates.tick() => {
                if let Some(tls) = tls.clone() {
                    tokio::task::spawn_blocking(move || reload_certificates(&tls));
                }
                continue;
            }
            _ = rotate.tick() => {
                tokio::task::spawn_blocking(move || app.accounts.rotate_signing_keys_if_due(&Actor::console())).await
            }
            _ = keep_house.tick() => {
                // A mail server may take its time: the store is followed meanwhile.
                if !housekeeping.is_finished() {
                    continue;
                }
                housekeeping = tokio::task::spawn_blocking(move || {
                    if let Err(error) = app.keep_house() {
                        tracing::error!(%error, "the housekeeping failed");
                    }
                });
                continue;
            }
        };
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the store could not be followed"),
            Err(error) => tracing::error!(%error, "following the store failed unexpectedly"),
        }
    }
}
