//! Policies in one layout: that of Cedar's own formatter, with the empty lines between comments kept.
//!
//! What comes out has the same policies and the same comments as what goes in, or nothing comes out.

mod comments;

use std::path::Path;

use cedar_policy::PolicySet;
use cedar_policy_formatter::{Config, policies_str_to_pretty};

use crate::authz::generation::files::{SourceFile, read_text};
use crate::authz::generation::policies::parse_file;
use crate::authz::problem::Problem;

/// The width of a line, in characters, and of one step to the right.
const CONFIG: Config = Config { line_width: 120, indent_width: 2 };

/// The content of a file of policies.
pub fn read(file: &Path) -> Result<String, Problem> {
    read_text(file)
}

/// The layout of `text`, the content of the file `file`.
pub fn format(file: &str, text: &str) -> Result<String, Vec<Problem>> {
    let file = SourceFile::apart(file, text);
    let policies = parse_file(&file)?;
    // A file of comments has nothing to lay out.
    if policies.is_empty() && policies.templates().next().is_none() {
        return Ok(file.text);
    }
    let failed = |message: &str| vec![Problem::with(&file.name, message).help("the file stays as it is")];
    let laid_out = policies_str_to_pretty(&file.text, &CONFIG)
        .map_err(|error| failed(&format!("Cedar's formatter cannot lay this out: {error:#}")))?;
    let laid_out = comments::with_empty_lines(&file.text, laid_out);
    if comments::all(&file.text) != comments::all(&laid_out) {
        return Err(failed("Cedar's formatter would lose a comment, or move it"));
    }
    let written = parse_file(&SourceFile::apart(file.name.as_str(), laid_out.as_str()));
    match written.map(|written| same(&written, &policies)) {
        Ok(true) => Ok(laid_out),
        _ => Err(failed("Cedar's formatter would change a policy")),
    }
}

/// Whether both have the same policies, in the same order: their parser numbers them.
fn same(one: &PolicySet, other: &PolicySet) -> bool {
    match (one.clone().to_json(), other.clone().to_json()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
