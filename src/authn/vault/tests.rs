use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;

#[test]
fn a_key_file_is_made_once_and_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/gatepost.key");
    let sealed = Vault::open(&path).unwrap().seal("here", b"secret");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Vault::open(&path).unwrap().open_sealed("here", &sealed).unwrap().as_slice(), b"secret");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn what_was_moved_changed_or_sealed_under_another_key_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(&folder.path().join("one")).unwrap();
    let other = Vault::open(&folder.path().join("two")).unwrap();
    let sealed = vault.seal("here", b"secret");
    assert!(matches!(other.open_sealed("here", &sealed), Err(VaultError::WrongKey)));
    assert!(matches!(vault.open_sealed("there", &sealed), Err(VaultError::WrongKey)));
    for at in 0..sealed.as_bytes().len() {
        let mut changed = sealed.as_bytes().to_vec();
        changed[at] ^= 1;
        assert!(vault.open_sealed("here", &Sealed::from_bytes(changed)).is_err());
    }
    assert!(vault.open_sealed("here", &Sealed::from_bytes(Vec::new())).is_err());
}

#[test]
fn a_file_that_holds_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.key");
    for text in ["", "short", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
        fs::write(&path, text).unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::Malformed { .. })), "{text}");
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.key");
    Vault::open(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Vault::open(&path), Err(VaultError::Permissions { .. })));
}

/// A store of sealed secrets, each of which is its own name.
#[derive(Default)]
struct Database(HashMap<String, Sealed>);

impl Database {
    fn store(&mut self, vault: &Vault, name: &str) {
        self.0.insert(name.to_owned(), vault.seal(name, name.as_bytes()));
    }

    fn reseal(&mut self, rotation: &Rotation<'_>) {
        for (name, sealed) in &mut self.0 {
            *sealed = rotation.reseal(name, sealed).unwrap();
        }
    }

    fn opens_with(&self, vault: &Vault) -> bool {
        self.0.iter().all(|(name, sealed)| {
            vault.open_sealed(name, sealed).is_ok_and(|secret| secret.as_slice() == name.as_bytes())
        })
    }
}

fn rotate(vault: &Vault, database: &mut Database) {
    let rotation = vault.begin_rotation().unwrap();
    database.reseal(&rotation);
    rotation.finish().unwrap();
}

fn key_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.key");
    Vault::open(&path).unwrap();
    (folder, path)
}

/// A vault that knows what the file at `path` holds now, and nothing that comes later.
fn frozen(path: &Path) -> Vault {
    let key = STANDARD.decode(fs::read_to_string(path).unwrap().trim()).unwrap();
    Vault::from_key(key.as_slice().try_into().unwrap())
}

#[test]
fn a_rotation_replaces_the_key_and_loses_nothing() {
    let (folder, path) = key_file();
    let (old, running) = (frozen(&path), Vault::open(&path).unwrap());
    let mut database = Database::default();
    database.store(&running, "totp of ada");
    rotate(&Vault::open(&path).unwrap(), &mut database);
    assert!(database.opens_with(&running), "the running program finds the new key");
    assert!(database.opens_with(&Vault::open(&path).unwrap()));
    assert!(database.opens_with(&frozen(&path)));
    assert!(!database.opens_with(&old));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let file = fs::metadata(&path).unwrap();
    assert_eq!((file.permissions().mode() & 0o777, file.uid()), (0o600, fs::metadata(folder.path()).unwrap().uid()));
}

#[test]
fn wherever_a_rotation_is_interrupted_everything_opens_and_the_next_one_ends_it() {
    for steps in 0..=3 {
        let (folder, path) = key_file();
        let (old, running) = (frozen(&path), Vault::open(&path).unwrap());
        let mut database = Database::default();
        database.store(&running, "before");
        {
            let crashing = Vault::open(&path).unwrap();
            let rotation = (steps > 0).then(|| crashing.begin_rotation().unwrap());
            if let Some(rotation) = rotation {
                if steps > 1 {
                    database.reseal(&rotation);
                }
                if steps > 2 {
                    rotation.finish().unwrap();
                }
            }
        }
        let restarted = Vault::open(&path).unwrap();
        assert!(database.opens_with(&running) && database.opens_with(&restarted), "after {steps} steps");
        database.store(&running, "by the running one");
        database.store(&restarted, "by the restarted one");
        assert!(database.opens_with(&running) && database.opens_with(&restarted), "after {steps} steps");

        rotate(&Vault::open(&path).unwrap(), &mut database);
        assert!(database.opens_with(&running) && database.opens_with(&restarted), "after {steps} steps");
        assert!(database.opens_with(&frozen(&path)), "after {steps} steps");
        assert!(database.0.iter().all(|(name, sealed)| old.open_sealed(name, sealed).is_err()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn an_interrupted_rotation_is_taken_up_with_the_same_key() {
    let (folder, path) = key_file();
    let vault = Vault::open(&path).unwrap();
    let new = folder.path().join("gatepost.key.new");
    drop(vault.begin_rotation().unwrap());
    let key = fs::read_to_string(&new).unwrap();
    drop(Vault::open(&path).unwrap().begin_rotation().unwrap());
    assert_eq!(fs::read_to_string(&new).unwrap(), key);
    vault.begin_rotation().unwrap().finish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), key);
}

#[test]
fn no_two_rotations_go_on_at_once() {
    let (_folder, path) = key_file();
    let (one, two) = (Vault::open(&path).unwrap(), Vault::open(&path).unwrap());
    let rotation = one.begin_rotation().unwrap();
    assert!(matches!(two.begin_rotation(), Err(VaultError::Rotating { .. })));
    rotation.finish().unwrap();
    two.begin_rotation().unwrap().finish().unwrap();
}

#[test]
fn a_key_of_the_configuration_is_not_rotated() {
    assert!(matches!(Vault::from_key(&[0; KEY_LEN]).begin_rotation(), Err(VaultError::NoFile)));
}

#[test]
fn a_lost_key_is_not_made_anew_beside_the_one_that_follows_it() {
    let (_folder, path) = key_file();
    drop(Vault::open(&path).unwrap().begin_rotation().unwrap());
    fs::remove_file(&path).unwrap();
    assert!(matches!(Vault::open(&path), Err(VaultError::File { .. })));
}

#[test]
fn programs_that_seal_while_the_key_is_replaced_again_and_again_lose_nothing() {
    let (_folder, path) = key_file();
    let database = Mutex::new(Database::default());
    std::thread::scope(|scope| {
        for program in 0..3 {
            let (database, path) = (&database, &path);
            scope.spawn(move || {
                let vault = Vault::open(path).unwrap();
                for n in 0..100 {
                    let mut transaction = database.lock().unwrap();
                    transaction.store(&vault, &format!("{n} of {program}"));
                    assert!(transaction.opens_with(&vault));
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                let vault = Vault::open(&path).unwrap();
                let rotation = vault.begin_rotation().unwrap();
                database.lock().unwrap().reseal(&rotation);
                rotation.finish().unwrap();
            }
        });
    });
    let database = database.into_inner().unwrap();
    assert_eq!(database.0.len(), 300);
    assert!(database.opens_with(&frozen(&path)));
}
