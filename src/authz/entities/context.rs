//! The circumstances of a request, as `context`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use cedar_policy_core::ast::{Context, Literal, Name, PartialValue, Value};
use cedar_policy_core::extensions::Extensions;
use smol_str::SmolStr;

use super::{BuildError, OwnTypes, Result, own_types, text, uids};
use crate::authz::question::{Circumstances, Credential, Subject};
use crate::authz::reads::ContextParts;
use crate::model::{Scope, ScopeError};

type Record = BTreeMap<SmolStr, Value>;

/// As much of the context as `needed` says that policies can read.
pub(in crate::authz) fn context(
    subject: &Subject<'_>,
    circumstances: &Circumstances<'_>,
    needed: ContextParts,
) -> Result<Context> {
    let own = &*own_types()?;
    let mut context = Record::new();
    if let Subject::User { credential, .. } = subject {
        let mut record = lasting(own, credential)?;
        if needed.intersects(ContextParts::AGE) {
            let age = circumstances.now.since(credential.issued_at).as_secs();
            insert(&mut record, "age_seconds", i64::try_from(age).unwrap_or(i64::MAX).into());
        }
        if needed.intersects(ContextParts::CREDENTIAL) {
            insert(&mut context, "credential", Value::record_arc(Arc::new(record), None));
        }
    }
    let texts = [
        (ContextParts::METHOD, "method", circumstances.method),
        (ContextParts::HOST, "host", circumstances.host),
        (ContextParts::PATH, "path", circumstances.path),
    ];
    for (part, name, value) in texts {
        if needed.intersects(part) {
            insert(&mut context, name, text(value));
        }
    }
    if let Some(client) = circumstances.client.filter(|_| needed.intersects(ContextParts::CLIENT)) {
        insert(&mut context, "client", address(client)?);
    }
    if needed.intersects(ContextParts::MEMBER) {
        add_member(own, circumstances, &mut context);
    }
    Ok(Context::Value(Arc::new(context)))
}

fn add_member(own: &OwnTypes, circumstances: &Circumstances<'_>, context: &mut Record) {
    if let Some(member) = circumstances.member {
        insert(context, "member", uids::user(own, member).into());
    }
    if let Some(role) = circumstances.role {
        insert(context, "role", text(role.as_str()));
    }
    if circumstances.returning {
        insert(context, "returning", true.into());
    }
}

/// What stays the same for as long as the credential is valid.
fn lasting(own: &OwnTypes, credential: &Credential<'_>) -> Result<Record> {
    let mut record = Record::new();
    insert(&mut record, "kind", text(credential.kind.as_str()));
    insert(&mut record, "id", text(credential.id));
    insert(&mut record, "mfa", credential.mfa.into());
    insert(&mut record, "scopes", set(credential.scopes.iter().map(|scope| SmolStr::new(scope).into())));
    let (mut read_only, mut actions, mut applications) = (false, Vec::new(), Vec::new());
    for scope in credential.scopes {
        // A scope that is not understood must not leave the key as wide as if it were not there.
        match scope.parse().map_err(|error: ScopeError| BuildError::Context(error.into()))? {
            Scope::ReadOnly => read_only = true,
            Scope::Action(column) => actions.push(SmolStr::new_static(column)),
            Scope::Application(id) => applications.push(uids::application(own, id)),
        }
    }
    insert(&mut record, "read_only", read_only.into());
    if !actions.is_empty() {
        insert(&mut record, "actions", set(actions.into_iter().map(Literal::from)));
    }
    if !applications.is_empty() {
        insert(&mut record, "applications", set(applications.into_iter().map(Literal::from)));
    }
    Ok(record)
}

fn insert(record: &mut Record, name: &'static str, value: Value) {
    record.insert(SmolStr::new_static(name), value);
}

fn set(literals: impl ExactSizeIterator<Item = Literal>) -> Value {
    static EMPTY: LazyLock<Value> = LazyLock::new(|| Value::empty_set(None));
    if literals.len() == 0 { EMPTY.clone() } else { Value::set_of_lits(literals, None) }
}

/// `ip("…")`, evaluated.
fn address(client: IpAddr) -> Result<Value> {
    static FUNCTION: LazyLock<Option<Name>> = LazyLock::new(|| Name::parse_unqualified_name("ip").ok());
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| BuildError::Context(error);
    let name = FUNCTION.as_ref().ok_or_else(|| failed("Cedar has no addresses".into()))?;
    let function = Extensions::all_available().func(name).map_err(|error| failed(error.into()))?;
    match function.call(&[text(&client.to_string())]).map_err(|error| failed(error.into()))? {
        PartialValue::Value(value) => Ok(value),
        PartialValue::Residual(_) => Err(failed("the address is unknown".into())),
    }
}
