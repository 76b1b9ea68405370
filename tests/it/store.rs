//! What the store promises to those who use it through a running program.

mod sigkill;
