//! The reference of all keys, as a file that can be edited.

use std::fmt::Write as _;

use super::key::SECTIONS;
use super::raw::RawConfig;

/// A TOML file with every key, its meaning, what it expects, and its default. The keys are commented out.
pub fn reference() -> String {
    let mut text = String::from(
        "# Gatepost's configuration: all keys, with their defaults.\n\
         # A flag beats the environment, which beats this file, which beats the default.\n",
    );
    let defaults = RawConfig::defaults();
    for section in SECTIONS {
        text.push_str(&format!("\n# {}\n[{}]\n", section.doc, section.name));
        for (key, setting) in
            defaults.effective().filter(|(key, _)| section.keys.iter().any(|own| own.name == key.name))
        {
            let default = setting.map_or_else(|| "\"\"".to_owned(), super::Setting::shown);
            let none = if setting.is_none() { " There is no default." } else { "" };
            let (doc, expected, variable, name) = (key.doc, key.expected(), key.variable(), key.short_name());
            // Writing to a string cannot fail.
            let _ = write!(text, "\n# {doc}\n# Expected: {expected}.{none}\n# {variable}\n#{name} = {default}\n");
        }
    }
    text
}
