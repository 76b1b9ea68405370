use std::cell::Cell;
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_path_is_resolved_as_the_system_does() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/file"), "").unwrap();
    for (target, link) in
        [("b", "a/link"), ("../link/file", "a/b/up"), ("a/b/..", "back"), ("nowhere", "dangling"), ("loop", "loop")]
    {
        symlink(target, root.join(link)).unwrap();
    }
    symlink(root.join("a/link"), root.join("absolute")).unwrap();
    for path in ["a", "a/link/file", "a/b/up", "back/link/up", "absolute/up", "absolute/../b/./file", "a/../../x", ""] {
        let path = root.join(path);
        let resolved = Links::default().resolve(&path);
        assert_eq!(resolved.ok(), path.canonicalize().ok(), "{}", path.display());
    }
    for path in ["dangling", "loop", "nowhere/file", "a/b/file/below"] {
        assert!(Links::default().resolve(&root.join(path)).is_err(), "{path}");
    }
    // As seen from the current folder.
    for path in ["", ".", "src", "src/../src/./authz", "../..", "src/../.."] {
        let resolved = Links::default().resolve(Path::new(path)).unwrap();
        let expected = Path::new(if path.is_empty() { "." } else { path }).canonicalize().unwrap();
        assert_eq!(resolved.canonicalize().unwrap(), expected, "{path}");
        assert!(resolved.is_relative(), "{path}");
    }
}

#[test]
fn within_a_reading_a_link_leads_where_it_led() {
    let root = tempfile::tempdir().unwrap();
    for release in ["one", "two"] {
        fs::create_dir(root.path().join(release)).unwrap();
        for file in ["a", "b"] {
            fs::write(root.path().join(release).join(file), release).unwrap();
        }
    }
    let current = root.path().join("current");
    symlink("one", &current).unwrap();
    let mut links = Links::default();
    let mut read = |file: &str| fs::read_to_string(links.resolve(&current.join(file)).unwrap()).unwrap();
    assert_eq!(read("a"), "one");
    fs::remove_file(&current).unwrap();
    symlink("two", &current).unwrap();
    assert_eq!(read("b"), "one");
    assert_eq!(fs::read_to_string(Links::default().resolve(&current.join("b")).unwrap()).unwrap(), "two");
}

#[test]
fn what_is_found_once_only_does_not_count() {
    let reading = Cell::new(0);
    let states = |states: &[u8]| {
        reading.set(0);
        settled(|_| {
            let at = reading.replace(reading.get() + 1);
            states.get(at).copied().unwrap_or(u8::try_from(at).unwrap() + 100)
        })
    };
    assert_eq!((states(&[1, 1]), reading.get()), (Some(1), 2));
    assert_eq!((states(&[1, 2, 1, 3, 3]), reading.get()), (Some(3), 5));
    assert_eq!((states(&[]), reading.get()), (None, READINGS));
}
