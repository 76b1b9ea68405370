//! Which folders must be watched, so that every way of changing the files is noticed.
//!
//! The files may be edited in place or replaced; they, their folder, and any folder above may be symbolic links, which are
//! pointed elsewhere: Kubernetes does so with `..data`, deployments with `current`. And the folders may come and go.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Watched;
use crate::authz::analysis;
use crate::authz::generation::INVARIANTS;

/// How many links in a row are followed: as many as Linux follows.
const LINKS: usize = 40;

/// What is watched. All paths are free of links, but for their last part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    watched: BTreeSet<PathBuf>,
    /// The folders with files: whatever happens in them counts.
    folders: BTreeSet<PathBuf>,
    /// What counts in other folders: links, what they lead to, and what does not exist yet.
    names: BTreeSet<PathBuf>,
}

impl Places {
    /// As the file system is now.
    pub(super) fn of(Watched { source, shadow }: &Watched) -> Self {
        let mut places = Self::default();
        for policies in [source.policies.path(), shadow.as_deref()].into_iter().flatten() {
            places.add_folder(policies);
            // Policies that were refused may be right, and their tests or invariants be mended.
            places.add_folder(&policies.join(analysis::tests::FOLDER));
            places.add_folder(&policies.join(INVARIANTS));
        }
        if let Some(schema) = source.schema.path() {
            places.add_folder(schema);
            places.add_folder(&schema.join("entities"));
        }
        places
    }

    /// The folders to watch, without those in them.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Path> {
        self.watched.iter().map(PathBuf::as_path)
    }

    /// Whether what happens to this path may change the files.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        self.folders.contains(path)
            || self.names.contains(path)
            || path.parent().is_some_and(|parent| self.folders.contains(parent))
    }

    fn add_folder(&mut self, folder: &Path) {
        let Ok(folder) = std::path::absolute(folder) else { return };
        self.add_way(&folder, LINKS);
        let Ok(folder) = folder.canonicalize() else { return };
        let Ok(entries) = fs::read_dir(&folder) else { return };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                self.add_way(&entry.path(), LINKS);
            }
        }
        self.watched.insert(folder.clone());
        self.folders.insert(folder);
    }

    /// What leads to `path`: its name in its folder, every link on the way, and where each of them leads.
    fn add_way(&mut self, path: &Path, links: usize) {
        for step in path.ancestors() {
            let (Some(parent), Some(name)) = (step.parent(), step.file_name()) else { continue };
            let link = fs::read_link(step).ok();
            let leads_on = step == path || link.is_some() || !step.exists();
            if let (true, Ok(parent)) = (leads_on, parent.canonicalize()) {
                self.names.insert(parent.join(name));
                self.watched.insert(parent);
            }
            if let (Some(target), Some(links)) = (link, links.checked_sub(1)) {
                self.add_way(&parent.join(target), links);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::authz::generation::Source;
    use crate::config::Folder;

    fn root() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    fn places(root: &Path, policies: &str) -> Places {
        let (policies, schema) = (root.join(policies).into(), root.join("schema").into());
        let source = Source { policies, schema, tests: true };
        Places::of(&Watched { source, shadow: Some(root.join("candidate")) })
    }

    #[test]
    fn the_folders_and_their_names_are_watched_and_their_neighbours_do_not_count() {
        let (_folder, root) = root();
        fs::create_dir_all(root.join("schema/entities")).unwrap();
        fs::create_dir(root.join("policies")).unwrap();
        let places = places(&root, "policies");
        let watched: Vec<_> = places.watched().collect();
        let expected = ["", "policies", "schema", "schema/entities"].map(|name| root.join(name));
        assert_eq!(watched, expected);
        for (path, concerns) in [
            ("policies/a.cedar", true),
            ("policies", true),
            ("schema/routes.toml", true),
            ("schema/entities/x.json", true),
            ("candidate", true),
            ("gatepost.db", false),
            ("policies/tests/a.json", false),
        ] {
            assert_eq!(places.concerns(&root.join(path)), concerns, "{path}");
        }
    }

    #[test]
    fn a_folder_that_does_not_exist_is_waited_for_in_the_nearest_that_does() {
        let (_folder, root) = root();
        let places = places(&root, "a/b/policies");
        assert_eq!(places.watched().collect::<Vec<_>>(), [root.as_path()]);
        assert!(places.concerns(&root.join("a")) && places.concerns(&root.join("schema")));
        assert!(!places.concerns(&root.join("b")));
    }

    #[test]
    fn what_is_built_in_is_not_watched() {
        let source = Source { policies: Folder::BuiltIn, schema: Folder::BuiltIn, tests: true };
        assert_eq!(Places::of(&Watched { source, shadow: None }), Places::default());
    }

    #[test]
    fn every_link_on_the_way_is_watched_where_it_lies() {
        let (_folder, root) = root();
        fs::create_dir_all(root.join("releases/1/policies")).unwrap();
        symlink("releases/1", root.join("current")).unwrap();
        let places = places(&root, "current/policies");
        assert!(places.concerns(&root.join("current")));
        assert!(places.concerns(&root.join("releases/1/policies/a.cedar")));
        assert!(places.concerns(&root.join("releases/1")));
    }

    #[test]
    fn the_links_of_kubernetes_are_watched() {
        let (_folder, root) = root();
        fs::create_dir_all(root.join("policies/..2026_1")).unwrap();
        fs::write(root.join("policies/..2026_1/a.cedar"), "").unwrap();
        symlink("..2026_1", root.join("policies/..data")).unwrap();
        symlink("..data/a.cedar", root.join("policies/a.cedar")).unwrap();
        let places = places(&root, "policies");
        assert!(places.concerns(&root.join("policies/..data")));
        assert!(places.concerns(&root.join("policies/..2026_1/a.cedar")));
    }

    #[test]
    fn links_in_a_circle_end() {
        let (_folder, root) = root();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert!(places(&root, "a/policies").concerns(&root.join("a")));
    }
}
