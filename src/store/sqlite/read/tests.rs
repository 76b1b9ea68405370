use super::*;
use crate::model::Event;
use crate::store::Store;
use crate::store::sqlite::samples::{
    NOW, Sample, api_key, application, device, event, mail, membership, organization, password_reset, sign_up,
    signing_key, throttle, totp, user,
};

const USER: UserId = UserId::from_bytes([1; 16]);
const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
const APPLICATION: ApplicationId = ApplicationId::from_bytes([1; 16]);

#[test]
fn users_are_found_by_any_spelling() {
    let sample = Sample::populated();
    let store = &sample.store;
    let found = Some(user(1).user);
    assert_eq!(store.user(USER).unwrap(), found);
    assert_eq!(store.user_by_username(&Username::parse("uSER1").unwrap()).unwrap(), found);
    assert_eq!(store.user_by_email(&Email::parse("uSER1@example.COM").unwrap()).unwrap(), found);
    assert_eq!(store.user(UserId::from_bytes([9; 16])).unwrap(), None);
    assert_eq!(store.user_by_username(&Username::parse("user9").unwrap()).unwrap(), None);
    assert_eq!(store.user_by_email(&Email::parse("user9@example.com").unwrap()).unwrap(), None);
    assert_eq!(store.password_hash(USER).unwrap().unwrap().expose(), "$argon2id$1");
    assert!(store.password_hash(UserId::from_bytes([9; 16])).unwrap().is_none());
}

#[test]
fn lists_come_in_pages() {
    let sample = Sample::populated();
    sample.write(|transaction| {
        for n in 2..=5 {
            transaction.insert_organization(&organization(n))?;
            transaction.insert_application(&application(n))?;
            transaction.insert_membership(&membership(n, 1, Role::Operator))?;
            transaction.insert_device(&device(n))?;
        }
        transaction.insert_user(&user(3))
    });
    let store = &sample.store;
    let first_bytes = |users: Vec<User>| users.iter().map(|user| user.id.as_bytes()[0]).collect::<Vec<_>>();
    assert_eq!(first_bytes(store.users(None, 2).unwrap()), [1, 2]);
    assert_eq!(first_bytes(store.users(Some(USER), 9).unwrap()), [2, 3]);
    assert!(store.users(None, 0).unwrap().is_empty());
    assert_eq!(store.organizations(Some(organization(2).id), 2).unwrap(), [organization(3), organization(4)]);
    assert_eq!(store.applications(Some(application(2).id), 2).unwrap(), [application(3), application(4)]);
    assert_eq!(
        store.applications_of(USER, None, 2).unwrap(),
        [(application(1), Role::Administrator), (application(2), Role::Operator)]
    );
    assert_eq!(store.applications_of(USER, Some(application(4).id), 2).unwrap(), [(application(5), Role::Operator)]);
    assert_eq!(store.applications_in(ORGANIZATION).unwrap().len(), 5);
    assert_eq!(store.applications_in(organization(2).id).unwrap(), []);
    assert_eq!(store.devices(APPLICATION, Some(device(2).id), 2).unwrap(), [device(3), device(4)]);
    assert_eq!(store.devices(application(2).id, None, 2).unwrap(), []);
    assert_eq!(store.device(device(5).id).unwrap(), Some(device(5)));
}

#[test]
fn administrators_and_members_are_listed_with_what_they_are() {
    let sample = Sample::populated();
    sample.write(|transaction| transaction.insert_membership(&membership(1, 2, Role::Observer)));
    let store = &sample.store;
    assert_eq!(store.administrators(ORGANIZATION).unwrap(), [user(1).user]);
    assert_eq!(store.organizations_of(USER).unwrap(), [organization(1)]);
    assert_eq!(store.organizations_of(user(2).user.id).unwrap(), []);
    assert!(store.is_administrator(ORGANIZATION, USER).unwrap());
    assert!(!store.is_administrator(ORGANIZATION, user(2).user.id).unwrap());
    assert_eq!(
        store.members(APPLICATION, None, 9).unwrap(),
        [(user(1).user, membership(1, 1, Role::Administrator)), (user(2).user, membership(1, 2, Role::Observer)),]
    );
    assert_eq!(store.members(APPLICATION, Some(USER), 9).unwrap(), [(user(2).user, membership(1, 2, Role::Observer))]);
    assert_eq!(store.members(APPLICATION, None, 1).unwrap().len(), 1);
}

#[test]
fn api_keys_are_found_by_digest_with_their_user() {
    let sample = Sample::populated();
    let bare = ApiKey { description: None, scopes: Vec::new(), expires_at: None, ..api_key(2, 1) };
    sample.write(|transaction| {
        transaction.insert_api_key(&bare)?;
        transaction.insert_api_key(&api_key(1, 1))
    });
    let store = &sample.store;
    let ApiKey { id, scopes, created_at, expires_at, last_used_at, .. } = api_key(1, 1);
    let usable = UsableKey { id, scopes, created_at, expires_at, last_used_at };
    assert_eq!(store.credential_by_digest(&Digest::of(&[1])).unwrap(), Some((usable, user(1).user)));
    assert_eq!(store.credential_by_digest(&Digest::of(&[9])).unwrap(), None);
    assert_eq!(store.api_key(bare.id).unwrap(), Some(bare.clone()));
    assert_eq!(store.api_keys(USER).unwrap(), [api_key(1, 1), bare]);
    assert_eq!(store.api_keys(user(2).user.id).unwrap(), []);
}

#[test]
fn standings_tell_where_somebody_stands() {
    let sample = Sample::populated();
    let other = OrganizationId::from_bytes([2; 16]);
    sample.write(|transaction| {
        transaction.insert_organization(&organization(2))?;
        transaction.insert_application(&Application { organization: other, ..application(2) })?;
        transaction.insert_membership(&membership(1, 2, Role::Observer))?;
        transaction.insert_device(&device(1))
    });
    let store = &sample.store;
    let (first, second, nobody) = (Some(user(1).user.id), Some(user(2).user.id), Some(UserId::from_bytes([9; 16])));
    for (user, role, is_administrator) in [
        (first, Some(Role::Administrator), true),
        (second, Some(Role::Observer), false),
        (nobody, None, false),
        (None, None, false),
    ] {
        let (Organization { id, plan, .. }, known) = (self::organization(1), application(1));
        let organization = OrganizationStanding { id, plan, is_administrator };
        let Application { id, application_type, owner, .. } = known;
        let standing = ApplicationStanding { id, application_type, owner, organization, role };
        assert_eq!(store.application_standing(APPLICATION, user).unwrap(), Some(standing), "{user:?}");
        assert_eq!(store.device_standing(device(1).id, user).unwrap(), Some(standing), "{user:?}");
        assert_eq!(store.organization_standing(ORGANIZATION, user).unwrap(), Some(organization), "{user:?}");
    }
    // What somebody is elsewhere does not count.
    let elsewhere = store.application_standing(application(2).id, first).unwrap().unwrap();
    assert_eq!((elsewhere.organization.id, elsewhere.role), (other, None));
    assert!(!elsewhere.organization.is_administrator);
    let unknown = [9; 16];
    assert_eq!(store.application_standing(ApplicationId::from_bytes(unknown), first).unwrap(), None);
    assert_eq!(store.device_standing(DeviceId::from_bytes(unknown), first).unwrap(), None);
    assert_eq!(store.organization_standing(OrganizationId::from_bytes(unknown), first).unwrap(), None);
}

#[test]
fn what_a_request_waits_for_is_found_by_primary_keys_alone() {
    let sample = Sample::new();
    let raw = sample.raw();
    let credential = ["k USING PRIMARY KEY (digest=?)", "u USING PRIMARY KEY (id=?)"];
    let administration = "r USING PRIMARY KEY (organization_id=? AND user_id=?) LEFT-JOIN";
    let organization = ["o USING PRIMARY KEY (id=?)", administration];
    let membership = "m USING PRIMARY KEY (application_id=? AND user_id=?) LEFT-JOIN";
    let application = ["a USING PRIMARY KEY (id=?)", "o USING PRIMARY KEY (id=?)", administration, membership];
    let device: Vec<_> = ["d USING PRIMARY KEY (id=?)"].into_iter().chain(application).collect();
    let expected: [(&str, &[&str]); 4] = [
        (CREDENTIAL_BY_DIGEST, &credential),
        (ORGANIZATION_STANDING, &organization),
        (APPLICATION_STANDING, &application),
        (DEVICE_STANDING, &device),
    ];
    for (sql, expected) in expected {
        let mut plan = raw.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = plan.raw_query().mapped(|row| row.get(3)).collect::<Result<Vec<String>, _>>().unwrap();
        let searches: Vec<_> = steps.iter().map(|step| step.strip_prefix("SEARCH ").unwrap_or(step)).collect();
        assert_eq!(searches, expected, "{sql}");
    }
}

#[test]
fn signing_keys_come_oldest_first() {
    let sample = Sample::new();
    let (old, new) = (signing_key(2, NOW), signing_key(1, NOW.plus(std::time::Duration::from_secs(1))));
    sample.write(|transaction| {
        transaction.insert_signing_key(&new)?;
        transaction.insert_signing_key(&old)
    });
    assert_eq!(sample.store.signing_keys().unwrap(), [old, new]);
}

#[test]
fn secrets_are_found_by_name() {
    let sample = Sample::new();
    let (first, second) = (Sealed::from_bytes(vec![1; 60]), Sealed::from_bytes(vec![2; 60]));
    sample.write(|transaction| {
        transaction.put_secret("pepper", &first)?;
        transaction.put_secret("salt", &second)
    });
    assert_eq!(sample.store.secret("pepper").unwrap(), Some(first));
    assert_eq!(sample.store.secret("salt").unwrap(), Some(second));
    assert_eq!(sample.store.secret("Pepper").unwrap(), None);
}

#[test]
fn second_factors_are_found_by_user() {
    let sample = Sample::populated();
    let enabled = Totp { enabled_at: Some(NOW), last_step: i64::MAX, ..totp(1) };
    sample.write(|transaction| {
        transaction.put_totp(&totp(2))?;
        transaction.put_totp(&enabled)?;
        transaction.replace_recovery_codes(USER, &[Digest::of(b"a"), Digest::of(b"b")])
    });
    let store = &sample.store;
    assert_eq!(store.totp(USER).unwrap(), Some(enabled.clone()));
    assert_eq!(store.totp(UserId::from_bytes([9; 16])).unwrap(), None);
    assert_eq!(store.totps().unwrap(), [enabled, totp(2)]);
    assert_eq!(store.recovery_codes_left(USER).unwrap(), 2);
    assert_eq!(store.recovery_codes_left(totp(2).user).unwrap(), 0);
}

#[test]
fn links_and_counts_are_found_by_digest() {
    let sample = Sample::populated();
    let trusted = Throttle { failures: u32::MAX, trusted: true, ..throttle(2) };
    sample.write(|transaction| {
        transaction.insert_sign_up(&sign_up(3))?;
        transaction.insert_password_reset(&password_reset(4, 1))?;
        transaction.put_throttle(&throttle(1), Some(USER))?;
        transaction.put_throttle(&trusted, None)
    });
    let store = &sample.store;
    let found = store.sign_up(&sign_up(3).digest).unwrap().unwrap();
    assert_eq!((found.username, found.email), (sign_up(3).username, sign_up(3).email));
    assert_eq!((found.digest, found.created_at, found.expires_at), (sign_up(3).digest, NOW, sign_up(3).expires_at));
    assert_eq!(found.password_hash.expose(), "$argon2id$3");
    assert!(store.sign_up(&Digest::of(&[4])).unwrap().is_none());
    assert_eq!(store.password_reset(&Digest::of(&[4])).unwrap(), Some(password_reset(4, 1)));
    assert_eq!(store.password_reset(&Digest::of(&[3])).unwrap(), None);
    assert_eq!(store.throttle(&Digest::of(&[1])).unwrap(), Some(throttle(1)));
    assert_eq!(store.throttle(&Digest::of(&[2])).unwrap(), Some(trusted));
    assert_eq!(store.throttle(&Digest::of(&[9])).unwrap(), None);
}

#[test]
fn the_mails_that_wait_longest_are_due_first() {
    let sample = Sample::new();
    let later = |micros| Timestamp::from_micros(NOW.as_micros() + micros);
    let mails = [mail(1, later(2)), mail(2, later(1)), mail(3, later(1)), mail(4, later(3))];
    sample.write(|transaction| mails.iter().rev().try_for_each(|mail| transaction.enqueue_mail(mail)));
    let store = &sample.store;
    let [first, second, third, fourth] = &mails;
    assert_eq!(store.due_mails(NOW, 9).unwrap(), []);
    assert_eq!(store.due_mails(later(2), 9).unwrap(), [second.clone(), third.clone(), first.clone()]);
    assert_eq!(store.due_mails(later(9), 2).unwrap(), [second.clone(), third.clone()]);
    assert_eq!(store.mails().unwrap(), [first.clone(), second.clone(), third.clone(), fourth.clone()]);
}

#[test]
fn departures_are_known_from_both_sides() {
    let sample = Sample::populated();
    let (application, user) = (APPLICATION, user(2).user.id);
    sample.write(|transaction| transaction.record_departure(application, user));
    assert!(sample.store.has_left(application, user).unwrap());
    assert!(!sample.store.has_left(application, USER).unwrap());
    assert_eq!(sample.store.departures_of(user).unwrap(), [application]);
    assert_eq!(sample.store.departures_of(USER).unwrap(), []);
}

#[test]
fn events_come_newest_first() {
    let sample = Sample::new();
    sample.write(|transaction| [3, 1, 2].into_iter().try_for_each(|n| transaction.record(&event(n))));
    let ids = |before, limit| -> Vec<u8> {
        let events = sample.store.events(EventFilter::All, before, limit).unwrap();
        events.iter().map(|event| event.id.as_bytes()[0]).collect()
    };
    assert_eq!(ids(None, 2), [2, 1]);
    assert_eq!(ids(Some(2), 9), [3]);
    assert!(ids(Some(1), 9).is_empty());
    assert_eq!(
        sample.store.events(EventFilter::All, None, 1).unwrap(),
        [StoredEvent {
            seq: 3,
            id: event(2).id,
            at: NOW,
            actor: Some(UserId::from_bytes([9; 16])),
            credential_kind: "api_key".into(),
            credential_id: Some("2".into()),
            client: Some("2001:db8::1".into()),
            action: "member_role_set".into(),
            user: Some(UserId::from_bytes([8; 16])),
            application: None,
            organization: None,
            detail: Some("operator".into()),
        }]
    );
}

#[test]
fn events_are_those_of_a_user_an_application_or_an_organization() {
    let sample = Sample::new();
    let other = UserId::from_bytes([2; 16]);
    let (by, to, both) = ((Some(USER), Some(other)), (None, Some(USER)), (Some(USER), Some(USER)));
    let concerned = [by, (Some(other), None), to, both, (Some(other), Some(other)), by, to];
    sample.write(|transaction| {
        concerned.into_iter().zip(1..).try_for_each(|((actor, user), n)| {
            let application = (n % 2 == 0).then_some(APPLICATION);
            let organization = (n % 3 == 0).then_some(ORGANIZATION);
            transaction.record(&Event { actor, user, application, organization, ..event(n) })
        })
    });
    let positions = |filter, before, limit| -> Vec<i64> {
        sample.store.events(filter, before, limit).unwrap().iter().map(|event| event.seq).collect()
    };
    assert_eq!(positions(EventFilter::User(USER), None, 9), [7, 6, 4, 3, 1]);
    assert_eq!(positions(EventFilter::User(USER), None, 2), [7, 6]);
    assert_eq!(positions(EventFilter::User(USER), Some(6), 2), [4, 3]);
    assert_eq!(positions(EventFilter::User(USER), Some(3), 2), [1]);
    assert_eq!(positions(EventFilter::User(UserId::from_bytes([7; 16])), None, 9), [0_i64; 0]);
    assert_eq!(positions(EventFilter::Application(APPLICATION), None, 2), [6, 4]);
    assert_eq!(positions(EventFilter::Application(APPLICATION), Some(4), 2), [2]);
    assert_eq!(positions(EventFilter::Organization(ORGANIZATION), None, 9), [6, 3]);
    assert_eq!(positions(EventFilter::Organization(ORGANIZATION), Some(6), 9), [3]);
}

#[test]
fn a_page_of_events_is_read_without_reading_the_others() {
    let sample = Sample::new();
    let raw = sample.raw();
    let filters: [(&str, &[&dyn rusqlite::ToSql]); 4] = [
        (EVENTS, &[&9, &9]),
        (EVENTS_OF_USER, &[&9, &9, &USER]),
        (EVENTS_OF_APPLICATION, &[&9, &9, &APPLICATION]),
        (EVENTS_OF_ORGANIZATION, &[&9, &9, &ORGANIZATION]),
    ];
    for (sql, parameters) in filters {
        let mut plan = raw.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = plan.query_map(parameters, |row| row.get(3)).unwrap();
        let steps = steps.collect::<Result<Vec<String>, _>>().unwrap();
        let reads: Vec<_> = steps.iter().filter(|step| step.contains(" events ")).collect();
        assert!(reads.iter().all(|step| step.starts_with("SEARCH") && step.contains("rowid")), "{steps:?}");
        assert!(!reads.is_empty());
    }
}

#[test]
fn what_could_never_have_been_written_is_damage() {
    for (damage, column) in [
        ("UPDATE users SET username = 'a@b'", "username"),
        ("UPDATE users SET email = 'nobody'", "email"),
        ("UPDATE organizations SET name = ''", "name"),
        ("UPDATE memberships SET role = 'king'", "role"),
        ("UPDATE organizations SET plan = 'gold'", "plan"),
        ("UPDATE applications SET organization_id = X'00'", "organization_id"),
        ("UPDATE users SET installation_administrator = 2", "installation_administrator"),
        ("UPDATE api_keys SET scopes = 'View'", "scopes"),
        ("UPDATE api_keys SET digest = X'00'", "digest"),
        ("UPDATE password_resets SET user_id = X'00'", "user_id"),
        ("UPDATE throttles SET trusted = 2", "trusted"),
        ("UPDATE throttles SET failures = -1", "failures"),
        ("UPDATE sign_ups SET username = 'a@b'", "username"),
        ("UPDATE mails SET attempts = 4294967296", "attempts"),
    ] {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.insert_api_key(&api_key(1, 1))?;
            transaction.insert_password_reset(&password_reset(1, 1))?;
            transaction.put_throttle(&throttle(1), None)?;
            transaction.insert_sign_up(&sign_up(1))?;
            transaction.enqueue_mail(&mail(1, NOW))
        });
        let raw = sample.raw();
        raw.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
        raw.execute_batch(damage).unwrap();
        let store = &sample.store;
        let failures = [
            store.user(USER).err(),
            store.organization(ORGANIZATION).err(),
            store.application(APPLICATION).err(),
            store.role(APPLICATION, USER).err(),
            store.api_keys(USER).err(),
            store.password_reset(&password_reset(1, 1).digest).err(),
            store.throttle(&throttle(1).key).err(),
            store.sign_up(&sign_up(1).digest).err(),
            store.mails().err(),
        ];
        let told: Vec<_> = failures.into_iter().flatten().map(|error| error.to_string()).collect();
        assert_eq!(told.len(), 1, "{damage}: {told:?}");
        let expected = format!("the database is damaged: column `{column}`: ");
        assert!(told[0].starts_with(&expected), "{damage}: {told:?}");
    }
}

#[test]
fn threads_read_at_once_and_few_connections_are_kept() {
    let sample = Sample::populated();
    let together = std::sync::Barrier::new(40);
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let found = sample.store.with(|connection| {
                    together.wait();
                    one(connection, "SELECT created_at FROM users", [], |columns| columns.take::<Timestamp>())
                });
                assert_eq!(found.unwrap(), Some(NOW));
            });
        }
    });
    assert_eq!(sample.store.readers.lock().unwrap().len(), crate::store::sqlite::IDLE_READERS);
    assert_eq!(sample.store.position().unwrap(), 6);
}
