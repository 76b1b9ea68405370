//! Who sent it.
