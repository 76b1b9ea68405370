//! The folders of the policies are watched: every way in which files change is noticed, and nothing else makes a
//! generation.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::policies::{Edited, copy_policies};
use crate::support::{World, until};

const CLOSED: &str = "@id(\"closed\") forbid (principal, action == Action::\"View\", resource);";
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until this generation is in force, and holds it against what somebody may do.
fn in_force(world: &World, generation: u64, status: u16) {
    until(PATIENCE, &format!("generation {generation}"), || {
        (world.app.engine.generation().number() == generation).then_some(())
    });
    let target = format!("/applications/{}", world.application);
    let reply = world.check("GET", &target, Some(&world.person("olga").api_key));
    assert_eq!(reply.status, status, "by generation {generation}");
}

fn watched(policies: &Path, schema: &Path) -> World {
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    World::without_passwords(&[
        ("policy.policies", &path(policies)),
        ("policy.schema", &path(schema)),
        ("policy.watch", "true"),
    ])
}

#[test]
fn files_that_are_edited_replaced_added_and_removed_are_noticed() {
    let edited = Edited::watched();
    let (world, own) = (&edited.world, edited.path("policies/own.cedar"));
    in_force(world, 1, 200);
    fs::write(&own, CLOSED).unwrap();
    in_force(world, 2, 403);
    // In place, as some editors do.
    fs::write(&own, CLOSED.replace("forbid", "permit")).unwrap();
    in_force(world, 3, 200);
    // By another file of that name, as most do.
    edited.write("policies/own.cedar", CLOSED);
    in_force(world, 4, 403);
    fs::remove_file(&own).unwrap();
    in_force(world, 5, 200);
    // A folder that is new, and what is in it.
    fs::create_dir(edited.path("schema/entities")).unwrap();
    fs::write(edited.path("schema/entities/none.json"), "[]").unwrap();
    in_force(world, 6, 200);
    fs::write(edited.path("schema/entities/none.json"), "[ ]").unwrap();
    in_force(world, 7, 200);
}

#[test]
fn the_same_contents_make_no_generation_and_a_broken_file_is_told_once() {
    let edited = Edited::watched();
    let world = &edited.world;
    let broken = "forbid (principal, action, resource)\nwhen { true;";
    edited.write("policies/own.cedar", broken);
    let ready = until(PATIENCE, "the problem", || {
        let ready = edited.ready();
        ready["policies"]["last_reload_error"].is_string().then_some(ready)
    });
    let told = ready["policies"]["last_reload_error"].as_str().unwrap();
    assert!(told.contains("own.cedar:2:12"), "{told}");
    let failures = || edited.metric("gatepost_policy_reload_failures_total");
    until(PATIENCE, "the metric", || (failures() == 1).then_some(()));
    in_force(world, 1, 200);
    // What is beside it changes nothing of that: it is looked at again, and the same is found.
    edited.write("policies/matrix.cedar", &fs::read_to_string(edited.path("policies/matrix.cedar")).unwrap());
    fs::write(edited.path("policies/notes.txt"), "not a policy").unwrap();
    fs::remove_file(edited.path("policies/own.cedar")).unwrap();
    until(PATIENCE, "that all is well again", || {
        edited.ready()["policies"]["last_reload_error"].is_null().then_some(())
    });
    assert_eq!(failures(), 1);
    in_force(world, 1, 200);
    edited.write("policies/own.cedar", CLOSED);
    in_force(world, 2, 403);
}

#[test]
fn a_config_map_that_is_swapped_is_noticed_each_time() {
    let folder = tempfile::tempdir().unwrap();
    copy_policies(folder.path());
    let (policies, copy) = (folder.path().join("mounted"), folder.path().join("policies"));
    fs::create_dir(&policies).unwrap();
    // As the kubelet does: a folder for each version, a link to it, and links to the files by way of that.
    let version = |number: usize, own: &str| {
        let version = policies.join(format!("..2026_{number}"));
        fs::create_dir(&version).unwrap();
        for file in fs::read_dir(&copy).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), version.join(file.file_name())).unwrap();
        }
        fs::write(version.join("own.cedar"), own).unwrap();
        symlink(version.file_name().unwrap(), policies.join("..data_tmp")).unwrap();
        fs::rename(policies.join("..data_tmp"), policies.join("..data")).unwrap();
    };
    version(0, "");
    for name in ["accounts.cedar", "matrix.cedar", "scopes.cedar", "own.cedar"] {
        symlink(Path::new("..data").join(name), policies.join(name)).unwrap();
    }
    let world = watched(&policies, &folder.path().join("schema"));
    in_force(&world, 1, 200);
    for number in 1..=4 {
        let (own, status) = if number % 2 == 1 { (CLOSED, 403) } else { ("", 200) };
        version(number, own);
        fs::remove_dir_all(policies.join(format!("..2026_{}", number - 1))).unwrap();
        in_force(&world, u64::try_from(number).unwrap() + 1, status);
    }
}

#[test]
fn folders_that_come_and_go_and_links_to_them_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let release = |number: usize, own: &str| -> PathBuf {
        let release = folder.path().join(format!("releases/{number}"));
        fs::create_dir_all(&release).unwrap();
        copy_policies(&release);
        fs::write(release.join("policies/own.cedar"), own).unwrap();
        release
    };
    let current = folder.path().join("current");
    let point = |release: &Path| {
        symlink(release, folder.path().join("next")).unwrap();
        fs::rename(folder.path().join("next"), &current).unwrap();
    };
    point(&release(1, ""));
    let world = watched(&current.join("policies"), &current.join("schema"));
    in_force(&world, 1, 200);
    let second = release(2, CLOSED);
    point(&second);
    in_force(&world, 2, 403);
    // The folder itself is moved away, and another one takes its place.
    fs::rename(second.join("policies"), second.join("away")).unwrap();
    until(PATIENCE, "that it is missed", || world.app.engine.last_reload_error());
    in_force(&world, 2, 403);
    fs::create_dir(second.join("policies")).unwrap();
    for file in fs::read_dir(second.join("away")).unwrap().map(Result::unwrap) {
        if file.file_name() != "own.cedar" {
            fs::copy(file.path(), second.join("policies").join(file.file_name())).unwrap();
        }
    }
    in_force(&world, 3, 200);
    fs::write(second.join("policies/own.cedar"), CLOSED).unwrap();
    in_force(&world, 4, 403);
}

#[test]
fn every_generation_is_in_the_history_with_what_brought_it_in() {
    let edited = Edited::watched();
    let world = &edited.world;
    edited.write("policies/own.cedar", CLOSED);
    in_force(world, 2, 403);
    let all = world.app.store.policy_generations(None, 9).unwrap();
    let told: Vec<_> = all.iter().map(|generation| (generation.number, generation.cause.as_str())).collect();
    assert_eq!(told, [(2, "watcher"), (1, "start")]);
    assert!(all[0].files.iter().any(|file| file.name == "own.cedar" && file.text == CLOSED));
}
