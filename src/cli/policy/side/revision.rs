//! Reading folders of a revision, by the program `git`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail, ensure};

use crate::authz::generation::Texts;

/// A commit in a repository.
pub(super) struct Revision {
    within: PathBuf,
    /// As it was named.
    name: String,
    /// Its identifier: what is read belongs together, even if a branch moves meanwhile.
    commit: String,
}

impl Revision {
    /// Finds the commit that `name` means in the repository that the folder `within` is in.
    pub(super) fn open(within: &Path, name: &str) -> Result<Self> {
        ensure!(!name.starts_with('-'), "`{name}` is no revision");
        let output = git(within, &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            match told.trim() {
                "" => bail!("git knows no revision `{name}`"),
                told => bail!("git cannot read the revision `{name}`: {told}"),
            }
        }
        let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self { within: within.to_owned(), name: name.to_owned(), commit })
    }

    /// All files of a folder and of those in it, if the commit has it. The path starts at the root of the repository, or, if
    /// it begins with `./`, at the folder that this was opened in.
    pub(super) fn folder(&self, path: &str) -> Result<Option<Texts>> {
        let object = format!("{}:{}", self.commit, path.trim_end_matches('/'));
        let found = git(&self.within, &["rev-parse", "--verify", "--quiet", &object])?;
        if !found.status.success() {
            return Ok(None);
        }
        let tree = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        let listed = git(&self.within, &["ls-tree", "-r", "-z", "--full-tree", &tree])?;
        let listed = text(listed).with_context(|| format!("git cannot list `{}:{path}`", self.name))?;
        let mut files = BTreeMap::new();
        for entry in listed.split_terminator('\0') {
            let (about, file) = entry.split_once('\t').context("git lists files in an unknown form")?;
            let mut about = about.split(' ');
            let (mode, kind, blob) = (about.next(), about.next(), about.next().unwrap_or_default());
            // Of a link only the target's name is there, and a submodule's files are not.
            if kind == Some("blob") && mode != Some("120000") && is_read(file) {
                let content = text(git(&self.within, &["cat-file", "blob", blob])?);
                let content = content.with_context(|| format!("git cannot read `{}:{path}/{file}`", self.name))?;
                files.insert(file.to_owned(), content);
            }
        }
        let path = path.trim_start_matches("./").trim_end_matches('/');
        Ok(Some(Texts { folder: format!("{}:{path}", self.name), files }))
    }
}

/// Whether the file is of policies, schema, routes or entities.
fn is_read(file: &str) -> bool {
    let extension = Path::new(file).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("cedar" | "cedarschema" | "json" | "toml"))
}

fn git(within: &Path, arguments: &[&str]) -> Result<Output> {
    let output = Command::new("git").arg("-C").arg(within).args(arguments).output();
    output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow::anyhow!("the program `git` is not installed, and it is what reads revisions")
        }
        _ => anyhow::Error::new(error).context("cannot run the program `git`"),
    })
}

/// What it printed.
fn text(output: Output) -> Result<String> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    String::from_utf8(output.stdout).context("it is not UTF-8")
}
