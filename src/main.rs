//! The program `gatepost`: reads the command line, does what it says, and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatepost::cli::run(std::env::args_os())
}
