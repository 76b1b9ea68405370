//! Reading files that something else may be replacing meanwhile: all of them as they were before, or as they are after.
//!
//! Two things keep apart what belongs to two releases. Within one reading each link is followed once, so whatever lies
//! behind it is read where it led then, however often it is switched meanwhile. And a reading counts only if the one after
//! it finds the same, so files that are being copied to their places are not taken for a release.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::authz::problem::Problem;

/// How many readings are made, until two in a row have found the same.
const READINGS: usize = 16;
/// How many links one path may lead through, as with Linux.
const MAX_LINKS: usize = 40;

/// Where the links lead that were met in one reading.
#[derive(Default)]
pub(in crate::authz) struct Links {
    /// By their paths; nothing for what is no link.
    targets: HashMap<PathBuf, Option<PathBuf>>,
}

impl Links {
    /// The path without links, if something is there. A path that is met again leads where it led before.
    pub(super) fn resolve(&mut self, path: &Path) -> io::Result<PathBuf> {
        let (mut resolved, mut rest) = (PathBuf::new(), VecDeque::new());
        prepend(path, &mut rest);
        let mut followed = 0;
        while let Some(step) = rest.pop_front() {
            match step {
                Step::Root(root) => resolved = root,
                // There is no link in what is resolved, so the folder above is the one that its path says.
                Step::Up if resolved.file_name().is_some() => {
                    resolved.pop();
                }
                Step::Up if resolved.has_root() => {}
                Step::Up => resolved.push(".."),
                Step::Down(name) => {
                    let next = resolved.join(name);
                    match self.target(&next)? {
                        None => resolved = next,
                        // In the system's own words.
                        Some(_) if followed == MAX_LINKS => {
                            let failed = fs::canonicalize(path).err();
                            return Err(failed.unwrap_or_else(|| io::Error::other("too many symbolic links")));
                        }
                        Some(target) => {
                            followed += 1;
                            prepend(target, &mut rest);
                        }
                    }
                }
            }
        }
        Ok(if resolved.as_os_str().is_empty() { PathBuf::from(".") } else { resolved })
    }

    fn target(&mut self, path: &Path) -> io::Result<Option<&PathBuf>> {
        if !self.targets.contains_key(path) {
            let target = match fs::read_link(path) {
                Ok(target) => Some(target),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => None,
                Err(error) => return Err(error),
            };
            self.targets.insert(path.to_owned(), target);
        }
        Ok(self.targets.get(path).and_then(Option::as_ref))
    }
}

/// One step of a path.
enum Step {
    Root(PathBuf),
    Up,
    Down(OsString),
}

/// Puts the steps of a path before those that are left.
fn prepend(path: &Path, rest: &mut VecDeque<Step>) {
    for component in path.components().rev() {
        match component {
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir => rest.push_front(Step::Root(component.as_os_str().into())),
            Component::ParentDir => rest.push_front(Step::Up),
            Component::Normal(name) => rest.push_front(Step::Down(name.to_owned())),
        }
    }
}

/// What `read` finds, once two readings in a row have found the same; nothing if they never do.
pub(in crate::authz) fn settled<T: PartialEq>(read: impl Fn(&mut Links) -> T) -> Option<T> {
    let mut last = read(&mut Links::default());
    for _ in 1..READINGS {
        let next = read(&mut Links::default());
        if next == last {
            return Some(next);
        }
        last = next;
    }
    None
}

/// That the files in `folder`, and those that go with them, never were the same twice.
pub(in crate::authz) fn unsettled(folder: &str) -> Problem {
    let message = format_args!("the files are being changed: each of {READINGS} readings has found something else");
    Problem::with(folder, message).help("put a release into a folder of its own, and then switch one link to it")
}

#[cfg(test)]
mod tests;
