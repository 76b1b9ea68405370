//! The command line: arguments in, calls of the account system and the server, tables or JSON out.
//!
//! The only code that prints. It decides nothing: what it may do is what policies permit to the console.

mod account;
mod app;
mod arguments;
mod audit;
mod backend;
mod bench;
mod check;
mod completions;
mod config;
mod confirmation;
mod console;
mod device;
mod endpoint;
mod failure;
mod key;
mod key_file;
mod login;
mod logout;
mod lookup;
mod man;
mod member;
mod openapi;
mod org;
mod output;
mod password;
mod policy;
mod probe;
mod serve;
mod server;
mod session;
mod settings;
mod terminal;
mod user;
mod whoami;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::UsageError;
use self::output::Format;
use self::settings::Settings;

/// What was asked for could not be done.
const FAILURE: u8 = 1;
/// The command line makes no sense. The library that reads it uses the same number.
const USAGE: u8 = 2;
/// `gatepost check`: the request would be denied.
const DENIED: u8 = 3;
/// Who asks is not known: no token, one that is not valid, a wrong password or code.
const UNAUTHENTICATED: u8 = 4;
/// Policies do not permit it.
const FORBIDDEN: u8 = 5;
/// There is no such thing, or none that whoever asks may see.
const NOT_FOUND: u8 = 6;
/// It does not go with what there is, or a value cannot be accepted.
const CONFLICT: u8 = 7;

const EXAMPLES: &str = "\
Examples:
  gatepost serve --demo                                  try it, with a throw-away database
  gatepost user add ada --email ada@example.com --generate-password --admin
  gatepost check --method GET --path /applications/… --user ada
  gatepost login --server https://gatepost.example.com   then `whoami`, `key create --name ci`, …

Exit codes:
  0 done
  1 failed
  2 wrong usage
  3 `check`: the request would be denied
  4 not authenticated: no token or none that is valid, a wrong password or code
  5 forbidden by policy
  6 not found, or hidden
  7 in conflict with what there is, or an invalid value

All configuration keys: gatepost config reference";

/// The authorization sidecar for reverse proxies.
///
/// The commands besides `serve` work on the database of this machine, also while a server runs on it: what they change
/// is in force there within one second. Where the files of the policies cannot be taken, they go by the newest policies that
/// a server has recorded there, with a warning, unless --policies or --schema names files. With --server they do through a running server what its users may do.
#[derive(Parser)]
#[command(name = "gatepost", version, max_term_width = 100, after_help = EXAMPLES)]
struct CommandLine {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Bench(bench::Bench),
    Probe(probe::Probe),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Key(key::Key),
    #[command(subcommand)]
    Org(org::Org),
    #[command(subcommand)]
    App(app::App),
    #[command(subcommand)]
    Member(member::Member),
    #[command(subcommand)]
    Device(device::Device),
    #[command(subcommand)]
    Session(session::Session),
    #[command(subcommand, name = "key-file")]
    KeyFile(key_file::KeyFile),
    Audit(audit::Audit),
    #[command(subcommand)]
    Policy(policy::Policy),
    Login(login::Login),
    Logout(logout::Logout),
    #[command(name = "whoami")]
    WhoAmI(whoami::WhoAmI),
    #[command(subcommand)]
    Account(account::Account),
    #[command(subcommand)]
    Config(config::Config),
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApi),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    fn has_sarif(&self) -> bool {
        matches!(self, Self::Policy(policy::Policy::Check(_)))
    }
}

/// Does what the arguments, of which the first is the program's name, say. Gives the code to exit with.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let CommandLine { settings, command } = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => {
            // Help and version go to standard output. If that is closed, there is nobody to tell.
            let _ = error.print();
            return error.exit_code().try_into().map_or(ExitCode::from(USAGE), |code: u8| code.into());
        }
    };
    if settings.output().format() == Format::Sarif && !command.has_sarif() {
        return failure::report(
            &UsageError::new("only `gatepost policy check` prints SARIF: use --output json").into(),
        );
    }
    let done = match command {
        Command::Serve(command) => command.run(&settings),
        Command::Check(command) => command.run(&settings),
        Command::Bench(command) => command.run(&settings),
        Command::Probe(command) => command.run(&settings),
        Command::User(command) => command.run(&settings),
        Command::Key(command) => command.run(&settings),
        Command::Org(command) => command.run(&settings),
        Command::App(command) => command.run(&settings),
        Command::Member(command) => command.run(&settings),
        Command::Device(command) => command.run(&settings),
        Command::Session(command) => command.run(&settings),
        Command::KeyFile(command) => command.run(&settings),
        Command::Audit(command) => command.run(&settings),
        Command::Policy(command) => command.run(&settings),
        Command::Login(command) => command.run(&settings),
        Command::Logout(command) => command.run(&settings),
        Command::WhoAmI(command) => command.run(&settings),
        Command::Account(command) => command.run(&settings),
        Command::Config(command) => command.run(&settings),
        Command::OpenApi(command) => command.run(&settings),
        Command::Completions(command) => command.run(&settings),
        Command::Man(command) => command.run(&settings),
    };
    done.unwrap_or_else(|error| failure::report(&error))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn the_exit_code_of_wrong_usage_is_that_of_the_library() {
        let error = CommandLine::try_parse_from(["gatepost", "nonsense"]).err().unwrap();
        assert_eq!(error.exit_code(), i32::from(USAGE));
    }
}
