//! Does the time that an answer takes tell who has an account? Known and unknown accounts take turns, 200 times each; the
//! medians are compared. Run with `cargo bench --bench timing`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on must fail, and prints")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost::accounts::{Accounts, AccountsParts, Actor, NewAccount, Origin, Outbox};
use gatepost::app::App;
use gatepost::authn::{Passwords, Vault};
use gatepost::clock::{Clock, ManualClock};
use gatepost::config::{Config, FlagValue, LoadOptions};
use gatepost::mail::{Letters, MailError, Mailer, Message};
use gatepost::model::Timestamp;
use gatepost::secret::Secret;

const TURNS: u32 = 200;

/// A mail server that is never asked: mail leaves the outbox off the request's path, and nothing empties it here.
struct Nobody;

impl Mailer for Nobody {
    fn send(&self, _: &Message) -> Result<(), MailError> {
        Ok(())
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (accounts, clock) = accounts(folder.path());
    let password = Secret::new("not the right password".to_owned());
    compare("log-in with a wrong password", |turn, known| {
        clock.advance(Duration::from_secs(3_600));
        let login = if known { "ada" } else { "eve" };
        let began = Instant::now();
        assert!(accounts.log_in(login, &password, None, &origin(turn)).is_err());
        began.elapsed()
    });
    compare("request of a password reset", |turn, known| {
        clock.advance(Duration::from_secs(3_600));
        let email = if known { "ada@example.com" } else { "eve@example.com" };
        let began = Instant::now();
        accounts.request_password_reset(email, &origin(turn)).unwrap();
        began.elapsed()
    });
    let good = Secret::new("a violet umbrella 7".to_owned());
    compare("sign-up", |turn, known| {
        clock.advance(Duration::from_secs(3_600));
        let email = if known { "ada@example.com" } else { "eve@example.com" };
        let actor = Actor::anonymous(origin(turn));
        let began = Instant::now();
        accounts.sign_up(&actor, "mallory", email, &good).unwrap();
        began.elapsed()
    });
}

/// Each turn comes from an address of its own, so that none is slowed.
fn origin(turn: u32) -> Origin {
    let client = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + turn));
    Origin { client: Some(client), method: "POST".to_owned(), ..Origin::default() }
}

fn compare(what: &str, mut take: impl FnMut(u32, bool) -> Duration) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        // Each goes first as often as the other.
        for is_known in [turn % 2 == 0, turn % 2 == 1] {
            let times = if is_known { &mut known } else { &mut unknown };
            times.push(take(2 * turn + u32::from(is_known), is_known));
        }
    }
    let (known, unknown) = (median(known), median(unknown));
    let ratio = known.as_secs_f64() / unknown.as_secs_f64();
    println!("{what}: known {known:.2?}, unknown {unknown:.2?}, ratio of the medians {ratio:.3}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap()
}

fn accounts(folder: &std::path::Path) -> (Accounts, Arc<ManualClock>) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let flags = [("store.path", path("gatepost.db")), ("store.key_file", path("key")), ("log.decisions", "off".into())];
    let flags = flags.into_iter().map(|(key, value)| FlagValue { key, flag: "--bench", value }).collect();
    let config = Config::load(LoadOptions { flags, ..LoadOptions::default() }).unwrap().0;
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_764_000_000)));
    let app = App::open(&config, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let password = Secret::new("a violet umbrella 7".to_owned());
    let ada = NewAccount {
        username: "ada",
        email: "ada@example.com",
        password: Some(&password),
        installation_administrator: false,
    };
    app.accounts.add_user(&Actor::console(), &ada).unwrap();
    let accounts = Accounts::new(AccountsParts {
        store: app.store,
        engine: app.engine,
        coherence: app.coherence,
        keyring: app.keyring,
        vault: Arc::new(Vault::open(&config.store.key_file).unwrap()),
        passwords: Passwords::new(1).unwrap(),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        outbox: Some(Outbox { letters: Letters::new("https://id.example.com"), mailer: Arc::new(Nobody) }),
        metrics: app.metrics,
        name: "gatepost".to_owned(),
        sign_up: true,
    });
    (accounts.unwrap(), clock)
}
