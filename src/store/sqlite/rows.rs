//! Rows: which columns make up each of the domain's types, in which order, and how a statement's rows are read.

use rusqlite::types::FromSql;
use rusqlite::{Connection, ErrorCode, Params, Row};

use super::values::{Flag, TextList};
use crate::model::{
    ApiKey, Application, Device, Membership, Organization, PasswordReset, PolicyFile, PolicyGeneration, QueuedMail,
    SignUp, SigningKey, Throttle, Totp, User,
};
use crate::store::{ApplicationStanding, OrganizationStanding, StoreError, StoredEvent, UsableKey};

/// The columns of one row, taken one after the other.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl Columns<'_> {
    /// The next column. [`StoreError::Damaged`] names it, without its content, when it does not hold a `T`.
    pub(super) fn take<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let at = self.next;
        self.next += 1;
        self.row.get(at).map_err(|error| {
            let cause = match error {
                rusqlite::Error::FromSqlConversionFailure(_, _, cause) => cause.to_string(),
                other => match StoreError::from(other) {
                    StoreError::Damaged(cause) => cause,
                    other => return other,
                },
            };
            StoreError::Damaged(format!("column `{}`: {cause}", self.row.as_ref().column_name(at).unwrap_or("?")))
        })
    }
}

/// All rows that the statement gives. It runs to its end, where SQLite checks its constraints.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&mut Columns<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(&mut Columns { row, next: 0 })?);
    }
    Ok(found)
}

/// The one row that a query by a unique value gives, if it gives any.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&mut Columns<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(|row| read(&mut Columns { row, next: 0 })).transpose()
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let damaged = match &error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => true,
            other => {
                matches!(other.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            }
        };
        if damaged { Self::Damaged(error.to_string()) } else { Self::Failed(Box::new(error)) }
    }
}

macro_rules! user_columns {
    () => {
        "u.id, u.username, u.email, u.installation_administrator, u.tokens_not_before, u.created_at"
    };
}

macro_rules! organization_columns {
    () => {
        "o.id, o.name, o.plan, o.personal_to, o.created_at"
    };
}

macro_rules! application_columns {
    () => {
        "a.id, a.name, a.application_type, a.organization_id, a.owner_id, a.created_at"
    };
}

/// With the administration joined as `r`.
macro_rules! organization_standing_columns {
    () => {
        "o.id, o.plan, r.user_id IS NOT NULL"
    };
}

/// With the organization joined as `o`, its administration as `r`, and the membership as `m`.
macro_rules! application_standing_columns {
    () => {
        concat!("a.id, a.application_type, a.owner_id, ", organization_standing_columns!(), ", m.role")
    };
}

macro_rules! membership_columns {
    () => {
        "m.application_id, m.user_id, m.role, m.created_at"
    };
}

macro_rules! device_columns {
    () => {
        "d.id, d.application_id, d.name, d.created_at"
    };
}

macro_rules! api_key_columns {
    () => {
        "k.id, k.user_id, k.name, k.description, k.digest, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at"
    };
}

macro_rules! usable_key_columns {
    () => {
        "k.id, k.scopes, k.created_at, k.expires_at, k.last_used_at"
    };
}

macro_rules! totp_columns {
    () => {
        "user_id, secret, enabled_at, last_step, created_at"
    };
}

macro_rules! sign_up_columns {
    () => {
        "digest, username, email, password_hash, created_at, expires_at"
    };
}

macro_rules! password_reset_columns {
    () => {
        "digest, user_id, created_at, expires_at"
    };
}

macro_rules! mail_columns {
    () => {
        "id, sealed, attempts, next_attempt_at, created_at"
    };
}

macro_rules! event_columns {
    () => {
        "seq, id, at, actor, credential_kind, credential_id, client, action, user_id, application_id, organization_id, \
         detail"
    };
}

pub(super) use {
    api_key_columns, application_columns, application_standing_columns, device_columns, event_columns, mail_columns,
    membership_columns, organization_columns, organization_standing_columns, password_reset_columns, sign_up_columns,
    totp_columns, usable_key_columns, user_columns,
};

pub(super) fn user(columns: &mut Columns<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: columns.take()?,
        username: columns.take()?,
        email: columns.take()?,
        installation_administrator: columns.take::<Flag>()?.0,
        tokens_not_before: columns.take()?,
        created_at: columns.take()?,
    })
}

pub(super) fn organization(columns: &mut Columns<'_>) -> Result<Organization, StoreError> {
    Ok(Organization {
        id: columns.take()?,
        name: columns.take()?,
        plan: columns.take()?,
        personal_to: columns.take()?,
        created_at: columns.take()?,
    })
}

pub(super) fn application(columns: &mut Columns<'_>) -> Result<Application, StoreError> {
    Ok(Application {
        id: columns.take()?,
        name: columns.take()?,
        application_type: columns.take()?,
        organization: columns.take()?,
        owner: columns.take()?,
        created_at: columns.take()?,
    })
}

pub(super) fn organization_standing(columns: &mut Columns<'_>) -> Result<OrganizationStanding, StoreError> {
    Ok(OrganizationStanding { id: columns.take()?, plan: columns.take()?, is_administrator: columns.take::<Flag>()?.0 })
}

pub(super) fn application_standing(columns: &mut Columns<'_>) -> Result<ApplicationStanding, StoreError> {
    Ok(ApplicationStanding {
        id: columns.take()?,
        application_type: columns.take()?,
        owner: columns.take()?,
        organization: organization_standing(columns)?,
        role: columns.take()?,
    })
}

pub(super) fn membership(columns: &mut Columns<'_>) -> Result<Membership, StoreError> {
    Ok(Membership {
        application: columns.take()?,
        user: columns.take()?,
        role: columns.take()?,
        created_at: columns.take()?,
    })
}

pub(super) fn device(columns: &mut Columns<'_>) -> Result<Device, StoreError> {
    Ok(Device { id: columns.take()?, application: columns.take()?, name: columns.take()?, created_at: columns.take()? })
}

pub(super) fn usable_key(columns: &mut Columns<'_>) -> Result<UsableKey, StoreError> {
    Ok(UsableKey {
        id: columns.take()?,
        scopes: columns.take::<TextList>()?.0,
        created_at: columns.take()?,
        expires_at: columns.take()?,
        last_used_at: columns.take()?,
    })
}

pub(super) fn api_key(columns: &mut Columns<'_>) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: columns.take()?,
        user: columns.take()?,
        name: columns.take()?,
        description: columns.take()?,
        digest: columns.take()?,
        prefix: columns.take()?,
        scopes: columns.take::<TextList>()?.0,
        created_at: columns.take()?,
        expires_at: columns.take()?,
        last_used_at: columns.take()?,
    })
}

pub(super) fn signing_key(columns: &mut Columns<'_>) -> Result<SigningKey, StoreError> {
    Ok(SigningKey {
        id: columns.take()?,
        private: columns.take()?,
        public: columns.take()?,
        created_at: columns.take()?,
    })
}

pub(super) fn totp(columns: &mut Columns<'_>) -> Result<Totp, StoreError> {
    Ok(Totp {
        user: columns.take()?,
        secret: columns.take()?,
        enabled_at: columns.take()?,
        last_step: columns.take()?,
        created_at: columns.take()?,
    })
}

pub(super) fn sign_up(columns: &mut Columns<'_>) -> Result<SignUp, StoreError> {
    Ok(SignUp {
        digest: columns.take()?,
        username: columns.take()?,
        email: columns.take()?,
        password_hash: columns.take()?,
        created_at: columns.take()?,
        expires_at: columns.take()?,
    })
}

pub(super) fn password_reset(columns: &mut Columns<'_>) -> Result<PasswordReset, StoreError> {
    Ok(PasswordReset {
        digest: columns.take()?,
        user: columns.take()?,
        created_at: columns.take()?,
        expires_at: columns.take()?,
    })
}

pub(super) fn throttle(columns: &mut Columns<'_>) -> Result<Throttle, StoreError> {
    Ok(Throttle {
        key: columns.take()?,
        failures: columns.take()?,
        last_failure_at: columns.take()?,
        trusted: columns.take::<Flag>()?.0,
    })
}

pub(super) fn mail(columns: &mut Columns<'_>) -> Result<QueuedMail, StoreError> {
    Ok(QueuedMail {
        id: columns.take()?,
        sealed: columns.take()?,
        attempts: columns.take()?,
        next_attempt_at: columns.take()?,
        created_at: columns.take()?,
    })
}

pub(super) fn event(columns: &mut Columns<'_>) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        seq: columns.take()?,
        id: columns.take()?,
        at: columns.take()?,
        actor: columns.take()?,
        credential_kind: columns.take()?,
        credential_id: columns.take()?,
        client: columns.take()?,
        action: columns.take()?,
        user: columns.take()?,
        application: columns.take()?,
        organization: columns.take()?,
        detail: columns.take()?,
    })
}

/// One file of a generation, and the generation without its files.
pub(super) fn policy_file(columns: &mut Columns<'_>) -> Result<(PolicyGeneration, PolicyFile), StoreError> {
    let number: i64 = columns.take()?;
    let generation = PolicyGeneration {
        number: u64::try_from(number).map_err(|error| StoreError::Damaged(format!("column `number`: {error}")))?,
        at: columns.take()?,
        cause: columns.take()?,
        user: columns.take()?,
        digest: columns.take()?,
        tests: columns.take()?,
        files: Vec::new(),
    };
    let file = PolicyFile { folder: columns.take()?, name: columns.take()?, text: columns.take()? };
    Ok((generation, file))
}
