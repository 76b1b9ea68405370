//! Installations with many people: each user has a key, and a role on an application.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use gatepost::app::App;
use gatepost::authn::ApiKeyText;
use gatepost::clock::{Clock as _, SystemClock};
use gatepost::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, ApplicationType, Email, Membership, Name, NewUser, Organization,
    OrganizationId, Plan, Role, Timestamp, User, UserId, Username,
};
use gatepost::secret::Secret;
use gatepost::store::sqlite::SqliteStore;
use gatepost::store::{Store, Transaction};
use tempfile::TempDir;

use crate::world::{Caches, Log, config};

/// How many users share an application.
const USERS_FOR_EACH: usize = 10;
const MOST_APPLICATIONS: usize = 100_000;
/// How many things are written in one transaction: those of a million would not fit its memory.
const BATCH: usize = 100_000;
/// The length of a key, and of an application's identifier.
const KEY_LEN: usize = 52;
const ID_LEN: usize = 36;

/// An account system with so many keys.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    pub(crate) keys: usize,
    pub(crate) applications: usize,
}

/// What to ask with: each user's key and application.
pub(crate) struct Credentials {
    file: File,
    pub(crate) count: usize,
}

/// An installation for each of the sizes. Tells how long it took.
#[expect(clippy::print_stderr, reason = "it takes a while")]
pub(crate) fn seed(sizes: &[usize]) -> Result<Vec<Installation>> {
    let mut installations = Vec::new();
    for keys in sizes.iter().copied() {
        let began = Instant::now();
        let applications = (keys / USERS_FOR_EACH).clamp(1, MOST_APPLICATIONS);
        let installation = Installation { folder: tempfile::tempdir()?, keys, applications };
        installation.seed()?;
        eprintln!("{keys} keys seeded in {:.1} s", began.elapsed().as_secs_f64());
        installations.push(installation);
    }
    Ok(installations)
}

impl Installation {
    fn seed(&self) -> Result<()> {
        let path = self.folder.path();
        // Makes the key file, the schema and the first signing key.
        drop(App::open(&config(path, Log::Off, Caches::On), std::sync::Arc::new(SystemClock))?);
        let store = SqliteStore::open(&path.join("gatepost.db"))?;
        // Everything goes into each table in the order of its key, so that no page is written twice: identifiers are
        // ordered by time, and the users by their keys' digests.
        let mut keys: Vec<ApiKeyText> = (0..self.keys).map(|_| ApiKeyText::generate()).collect();
        keys.sort_unstable_by_key(|key| *key.digest().as_bytes());
        let begins = SystemClock.now().as_micros() - 1_000 * i64::try_from(self.keys)? - 1_000_000;
        let at = |number: usize| Timestamp::from_micros(begins + 1_000 * number as i64);
        let users: Vec<UserId> = (0..self.keys).map(|number| UserId::generate(at(number))).collect();
        let applications: Vec<ApplicationId> = (0..self.applications).map(|n| ApplicationId::generate(at(n))).collect();
        let organization = OrganizationId::generate(at(0));
        let owner = *users.first().context("there is nobody")?;

        in_batches(&store, &users, |transaction, number, id| {
            let user = User {
                id: *id,
                username: Username::parse(&format!("user{number:07}"))?,
                email: Email::parse(&format!("user{number:07}@example.com"))?,
                installation_administrator: false,
                tokens_not_before: Timestamp::from_micros(0),
                created_at: at(number),
            };
            Ok(transaction.insert_user(&NewUser { user, password_hash: None })?)
        })?;
        in_batches(&store, &[organization], |transaction, _, id| {
            let name = Name::parse("acme")?;
            let acme = Organization { id: *id, name, plan: Plan::Paid, personal_to: None, created_at: at(0) };
            Ok(transaction.insert_organization(&acme)?)
        })?;
        in_batches(&store, &applications, |transaction, number, id| {
            Ok(transaction.insert_application(&Application {
                id: *id,
                name: Name::parse(&format!("application{number:06}"))?,
                application_type: ApplicationType::Standard,
                organization,
                owner,
                created_at: at(number),
            })?)
        })?;
        in_batches(&store, &users, |transaction, number, user| {
            let roles = [Role::Administrator, Role::Developer, Role::Operator];
            let role = roles.get(number % roles.len()).copied().context("there are roles")?;
            let application = *applications.get(self.application_of(number)).context("each has one")?;
            Ok(transaction.insert_membership(&Membership { application, user: *user, role, created_at: at(number) })?)
        })?;
        in_batches(&store, &keys, |transaction, number, key| {
            Ok(transaction.insert_api_key(&ApiKey {
                id: ApiKeyId::generate(at(number)),
                user: *users.get(number).context("each key has a user")?,
                name: Name::parse("bench")?,
                description: None,
                digest: key.digest(),
                prefix: key.shown_prefix(),
                scopes: Vec::new(),
                created_at: at(number),
                expires_at: None,
                last_used_at: None,
            })?)
        })?;
        let texts: Vec<Secret> = keys.into_iter().map(ApiKeyText::into_secret).collect();
        let mut file = BufWriter::new(File::create(Credentials::path(path))?);
        for (number, key) in texts.iter().enumerate() {
            let application = applications.get(self.application_of(number)).context("each has one")?;
            write!(file, "{}{application}", key.expose())?;
        }
        Ok(file.flush()?)
    }

    /// The users of an application are neighbours.
    fn application_of(&self, user: usize) -> usize {
        user * self.applications / self.keys
    }
}

fn in_batches<T>(
    store: &SqliteStore,
    things: &[T],
    insert: impl Fn(&mut dyn Transaction, usize, &T) -> Result<()>,
) -> Result<()> {
    for (batch, some) in things.chunks(BATCH).enumerate() {
        let mut transaction = store.begin()?;
        for (number, thing) in some.iter().enumerate() {
            insert(&mut *transaction, batch * BATCH + number, thing)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

impl Credentials {
    fn path(folder: &Path) -> PathBuf {
        folder.join("credentials")
    }

    /// Those of the installation in this folder. They stay in the file.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let file = File::open(Self::path(folder))?;
        let count = usize::try_from(file.metadata()?.len())? / (KEY_LEN + ID_LEN);
        Ok(Self { file, count })
    }

    /// A user's key, and the identifier of the user's application.
    pub(crate) fn get(&self, user: usize) -> Result<(String, String)> {
        const LEN: usize = KEY_LEN + ID_LEN;
        let mut record = vec![0; LEN];
        self.file.read_exact_at(&mut record, (user * LEN) as u64)?;
        let application = String::from_utf8(record.split_off(KEY_LEN))?;
        Ok((String::from_utf8(record)?, application))
    }
}
