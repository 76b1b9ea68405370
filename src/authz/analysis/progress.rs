//! How far a long piece of work is, for whoever waits for it.

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// How many parts are done.
    pub done: usize,
    /// How many there are.
    pub of: usize,
    /// What the next one is about.
    pub what: &'a str,
}

/// Is told before each part of the work.
pub type OnProgress<'f> = dyn FnMut(Progress<'_>) + 'f;

/// For work that nobody waits for.
pub fn untold(_: Progress<'_>) {}
