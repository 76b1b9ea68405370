//! Routes that no request takes.

use super::{Lint, Rule};
use crate::authz::problem::Problem;
use crate::authz::routes::{Unreached, Why};

impl Lint<'_> {
    pub(super) fn unreached_routes(&mut self) {
        let generation = self.generation;
        let Some(file) = self.files.iter().find(|file| file.name.ends_with("routes.toml")) else { return };
        for Unreached { route, methods, why } in generation.routes().unreached() {
            // The path is written in the route, which begins on that line.
            let begin: usize = file.text.split_inclusive('\n').take(route.line.saturating_sub(1)).map(str::len).sum();
            let written = file.text.get(begin..).and_then(|rest| rest.find(&*route.path));
            let at = begin + written.unwrap_or_default();
            let span = at..at + written.map_or(0, |_| route.path.len());
            let problem = |message: String| Problem::at(&file.name, &file.text, span.clone(), message);
            let problem = match why {
                Why::Impossible(reason) => problem("no request takes this route".to_owned())
                    .help(format_args!("such a request is refused: {reason}")),
                Why::Shadowed(by) => {
                    let message = if methods.len() == route.methods.len() {
                        "no request takes this route".to_owned()
                    } else {
                        format!("no {} request takes this route", methods.join(" or "))
                    };
                    let by: Vec<String> =
                        by.iter().map(|route| format!("`{}` on line {}", route.path, route.line)).collect();
                    let help = format!("more specific ones take all that it could: {}", by.join(", "));
                    problem(message).help(help)
                }
            };
            self.find(Rule::RouteUnreachable, problem);
        }
    }
}
