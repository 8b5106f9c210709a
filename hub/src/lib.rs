//! Names instead of paths: `owner/name`, `owner/name@revision:file`, `hf://datasets/owner/name:file`.
//!
//! A name is looked up in the cache that all Hugging Face libraries share ([`Cache`]), without network; with the feature
//! `download`, what is not there is downloaded into it (`Hub`), where those libraries find it too.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
#[cfg(feature = "download")]
mod download;
mod error;
mod name;

pub use cache::Cache;
#[cfg(feature = "download")]
pub use download::{Hub, Received};
pub use error::HubError;
pub use name::{HubName, RepoKind};

/// A result with [`HubError`].
pub type Result<T> = std::result::Result<T, HubError>;
