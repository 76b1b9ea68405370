//! What a generation was made from, to be compared, kept and written back.

use sha2::{Digest as _, Sha256};

use super::files::{Files, Texts};
use crate::model::{PolicyDigest, PolicyFile, PolicyFolder};

/// All files of a generation, sorted by folder and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    files: Vec<PolicyFile>,
    digest: PolicyDigest,
}

impl Contents {
    /// Of these files, in whatever order.
    pub fn new(mut files: Vec<PolicyFile>) -> Self {
        files.sort();
        let digest = digest(&files);
        Self { files, digest }
    }

    pub(super) fn of(policies: &Files, schema: &Files) -> Self {
        let (policies, schema) = (policies.kept(PolicyFolder::Policies), schema.kept(PolicyFolder::Schema));
        Self::new(policies.into_iter().chain(schema).collect())
    }

    /// The files.
    pub fn files(&self) -> &[PolicyFile] {
        &self.files
    }

    /// The files of one folder.
    pub fn of_folder(&self, folder: PolicyFolder) -> impl Iterator<Item = &PolicyFile> {
        self.files.iter().filter(move |file| file.folder == folder)
    }

    /// The files of one folder, which is called `name` in messages.
    pub(super) fn texts(&self, folder: PolicyFolder, name: String) -> Texts {
        let files = self.of_folder(folder).map(|file| (file.name.clone(), file.text.clone()));
        Texts { folder: name, files: files.collect() }
    }

    /// What they come to. Where they were read from, and whether they are built in, does not count.
    pub fn digest(&self) -> PolicyDigest {
        self.digest
    }
}

/// Each part is preceded by its length, so that no two lists of files give the same bytes.
fn digest(files: &[PolicyFile]) -> PolicyDigest {
    let mut hash = Sha256::new();
    for file in files {
        for part in [file.folder.as_str(), &file.name, &file.text] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
    }
    PolicyDigest::from_bytes(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: PolicyFolder, name: &str, text: &str) -> PolicyFile {
        PolicyFile { folder, name: name.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn every_part_of_every_file_counts_and_the_order_does_not() {
        use PolicyFolder::{Policies, Schema};
        let of = |files: &[PolicyFile]| Contents::new(files.to_vec()).digest();
        let (a, b) = (file(Policies, "a", "1"), file(Policies, "b", "2"));
        let all = [
            of(&[]),
            of(std::slice::from_ref(&a)),
            of(&[a.clone(), b.clone()]),
            of(&[file(Schema, "a", "1")]),
            of(&[file(Policies, "a1", "")]),
            of(&[file(Policies, "a", "12")]),
            of(&[file(Policies, "a", "1policiesb2")]),
        ];
        for (at, digest) in all.iter().enumerate() {
            assert!(!all[..at].contains(digest), "{at}");
        }
        assert_eq!(of(&[b.clone(), a.clone()]), of(&[a, b]));
    }
}
