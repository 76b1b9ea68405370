//! The command line as a client of a running server.

mod account;
mod connection;
mod resources;
mod session;

use std::sync::Arc;

use gatepost::clock::{Clock, SystemClock};
use serde_json::Value;

use super::program::{Program, Run};
use crate::support::World;

/// The program, a server, and a home of its own for tokens.
struct Client {
    program: Program,
    world: World,
}

impl Client {
    /// Somebody who is not logged in.
    fn new() -> Self {
        Self::by(Arc::new(SystemClock))
    }

    /// The same, the server going by this clock.
    fn by(clock: Arc<dyn Clock>) -> Self {
        let world = World::start_with(clock, &[]);
        let mut program = Program::new();
        program.set("GATEPOST_SERVER", &format!("http://{}", world.portal));
        let home = program.folder().to_str().unwrap().to_owned();
        program.set("HOME", &home);
        Self { program, world }
    }

    /// Somebody whose API key is in the environment.
    fn with_key(username: &str) -> Self {
        let mut client = Self::new();
        client.be(username);
        client
    }

    /// From now on, this person's API key is in the environment.
    fn be(&mut self, username: &str) {
        let key = self.world.person(username).api_key.clone();
        self.program.set("GATEPOST_TOKEN", &key);
    }

    fn log_in(&self, username: &str) {
        let password = &self.world.person(username).password;
        let run = self.program.run_with(&["login", username, "--password-stdin"], password);
        assert_eq!(run.code, 0, "{run:?}");
    }

    fn server(&self) -> String {
        format!("http://{}", self.world.portal)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.program.json(arguments)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.program.run(arguments)
    }

    /// Runs it; it must fail with this exit code and say this.
    fn fails(&self, arguments: &[&str], code: i32, expected: &str) {
        let run = self.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{arguments:?}: {run:?}");
        assert!(run.err.starts_with(expected), "{arguments:?}: {run:?}");
    }
}
