//! The history of the policies is written.

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::PolicyGeneration;
use crate::store::{StoreError, WritePolicies};

/// The oldest of the newest `?1` generations.
macro_rules! first_kept {
    () => {
        "(SELECT MIN(number) FROM (SELECT number FROM policy_generations ORDER BY number DESC LIMIT ?1) kept)"
    };
}

impl WritePolicies for SqliteTransaction<'_> {
    fn insert_policy_generation(&mut self, generation: &PolicyGeneration, keep: u32) -> Result<(), StoreError> {
        let PolicyGeneration { number, at, cause, user, digest, tests, files } = generation;
        let number = i64::try_from(*number).map_err(|error| StoreError::Failed(Box::new(error)))?;
        self.insert(
            &[("policy_generations.number", "policy generation")],
            &[],
            "INSERT INTO policy_generations (number, at, cause, user_id, digest, tests) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![number, at, cause, user, digest, tests],
        )?;
        for file in files {
            self.insert(
                &[],
                &[],
                "INSERT INTO policy_files (generation, folder, name, content) VALUES (?1, ?2, ?3, ?4)",
                params![number, file.folder, file.name, file.text],
            )?;
        }
        self.run(concat!("DELETE FROM policy_files WHERE generation < ", first_kept!()), [keep])?;
        self.run(concat!("DELETE FROM policy_generations WHERE number < ", first_kept!()), [keep])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PolicyDigest, PolicyFile, PolicyFolder, ReloadCause, UserId};
    use crate::store::Read;
    use crate::store::sqlite::samples::{NOW, Sample};

    fn generation(number: u64) -> PolicyGeneration {
        let file = |folder, name: &str, text: &str| PolicyFile { folder, name: name.to_owned(), text: text.to_owned() };
        PolicyGeneration {
            number,
            at: NOW,
            cause: ReloadCause::User,
            user: Some(UserId::from_bytes([9; 16])),
            digest: PolicyDigest::from_bytes([u8::try_from(number).unwrap(); 32]),
            tests: Some(415).filter(|_| number > 3),
            files: vec![
                file(PolicyFolder::Policies, "a.cedar", &format!("// {number}")),
                file(PolicyFolder::Schema, "entities/x.json", "[]"),
                file(PolicyFolder::Schema, "routes.toml", ""),
            ],
        }
    }

    #[test]
    fn generations_come_back_newest_first_and_the_oldest_are_forgotten() {
        let sample = Sample::new();
        assert_eq!(sample.store.policy_generations(None, 9).unwrap(), []);
        for number in 1..=5 {
            let changes = sample.write(|transaction| transaction.insert_policy_generation(&generation(number), 3));
            assert_eq!(changes, []);
        }
        let all = [5, 4, 3].map(generation);
        assert_eq!(sample.store.policy_generations(None, 9).unwrap(), all);
        assert_eq!(sample.store.policy_generations(Some(5), 1).unwrap(), all[1..2]);
        let files: i64 = sample.raw().query_row("SELECT COUNT(*) FROM policy_files", [], |row| row.get(0)).unwrap();
        assert_eq!(files, 9);
        let again = sample.refusal(|transaction| transaction.insert_policy_generation(&generation(5), 3));
        assert_eq!(again, "policy generation exists already");
    }
}
